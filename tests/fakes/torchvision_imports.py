"""A fake of the import of torchvision."""

from types import ModuleType, SimpleNamespace

import pytest

from worker.architectures.zoo import torchvision_compat


class FakeImports:
    """Imports that fail as configured, loaded modules, and declared operators."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.imported: list[str] = []
        self.modules: dict[str, ModuleType] = {"torchvisionary": ModuleType("torchvisionary")}
        self.operators: list[str] = []
        self.kept: list[object] = []
        monkeypatch.setattr(
            torchvision_compat, "importlib", SimpleNamespace(import_module=self._import)
        )
        monkeypatch.setattr(torchvision_compat, "sys", SimpleNamespace(modules=self.modules))
        library = SimpleNamespace(Library=self._library)
        monkeypatch.setattr(torchvision_compat, "torch", SimpleNamespace(library=library))
        monkeypatch.setattr(torchvision_compat, "_declared", self.kept)

    def _import(self, name: str) -> None:
        assert not any(m.split(".")[0] == "torchvision" for m in self.modules), "half imported"
        self.imported.append(name)
        self.modules |= {m: ModuleType(m) for m in ("torchvision", "torchvision.ops")}
        fault = self.faults.pop(0)
        if fault is not None:
            raise fault

    def _library(self, namespace: str, kind: str) -> SimpleNamespace:
        assert kind == "FRAGMENT"

        def define(schema: str) -> None:
            assert schema.endswith("-> Tensor")
            self.operators.append(f"{namespace}::{schema.partition('(')[0]}")

        return SimpleNamespace(define=define)
