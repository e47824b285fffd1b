"""The three ways in which torchvision may be imported, with a stand-in for the import."""

from types import ModuleType, SimpleNamespace

import pytest

from worker.architectures.zoo import torchvision_compat
from worker.architectures.zoo.torchvision_compat import FAULT, import_torchvision


class Machine:
    """What the cure sees: imports that fail as told, modules, and declared operators."""

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


def test_one_that_loads_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, None)
    import_torchvision()
    assert machine.imported == ["torchvision"]
    assert machine.operators == machine.kept == []
    assert "torchvision.ops" in machine.modules


def test_one_without_its_operators_is_imported_anew_with_them_declared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, RuntimeError(FAULT), None)
    import_torchvision()
    assert machine.imported == ["torchvision", "torchvision"]
    assert machine.operators == ["torchvision::nms", "torchvision::qnms"]
    assert len(machine.kept) == 1, "a declaration lasts as long as its object"
    assert "torchvisionary" in machine.modules


@pytest.mark.parametrize("fault", [RuntimeError("out of memory"), ImportError(FAULT)])
def test_another_fault_is_passed_on(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    machine = Machine(monkeypatch, fault)
    with pytest.raises(type(fault)) as raised:
        import_torchvision()
    assert raised.value is fault
    assert machine.operators == machine.kept == []


def test_a_cure_that_does_not_help_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    again = RuntimeError(FAULT)
    machine = Machine(monkeypatch, RuntimeError(FAULT), again)
    with pytest.raises(RuntimeError) as raised:
        import_torchvision()
    assert raised.value is again
    assert len(machine.imported) == 2
