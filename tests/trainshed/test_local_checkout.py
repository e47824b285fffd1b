from pathlib import Path

import pytest

from trainshed.cli import main


def test_up_needs_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    installed = tmp_path / "site" / "trainshed" / "local_checkout.py"
    monkeypatch.setattr("trainshed.local_checkout.__file__", str(installed))
    assert main(["up"]) == 2
    assert "needs a checkout" in capsys.readouterr().err
