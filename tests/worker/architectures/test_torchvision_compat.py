"""The import of torchvision, with a fake import."""

import pytest

from tests.fakes.torchvision_imports import FakeImports
from worker.architectures.zoo.torchvision_compat import FAULT, import_torchvision


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
