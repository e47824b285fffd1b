"""The import of torchvision, with a fake import."""

from types import ModuleType, SimpleNamespace

import pytest

from worker.architectures.zoo import torchvision_compat
from worker.architectures.zoo.torchvision_compat import FAULT, import_torchvision


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


def test_working_torchvision_is_imported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    imports = FakeImports(monkeypatch, None)
    import_torchvision()
    assert imports.imported == ["torchvision"]
    assert imports.operators == imports.kept == []
    assert "torchvision.ops" in imports.modules


def test_missing_operators_are_declared_and_the_import_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imports = FakeImports(monkeypatch, RuntimeError(FAULT), None)
    import_torchvision()
    assert imports.imported == ["torchvision", "torchvision"]
    assert imports.operators == ["torchvision::nms", "torchvision::qnms"]
    assert len(imports.kept) == 1, "a declaration lasts as long as its object"
    assert "torchvisionary" in imports.modules


@pytest.mark.parametrize("fault", [RuntimeError("out of memory"), ImportError(FAULT)])
def test_other_errors_are_raised(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    imports = FakeImports(monkeypatch, fault)
    with pytest.raises(type(fault)) as raised:
        import_torchvision()
    assert raised.value is fault
    assert imports.operators == imports.kept == []


def test_error_of_the_second_import_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    again = RuntimeError(FAULT)
    imports = FakeImports(monkeypatch, RuntimeError(FAULT), again)
    with pytest.raises(RuntimeError) as raised:
        import_torchvision()
    assert raised.value is again
    assert len(imports.imported) == 2
