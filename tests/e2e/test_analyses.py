"""Analyses on a real box, through the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared import catalog
from tests.e2e.conftest import EmbeddedBox
from trainshed.cli import main

SPEC: dict[str, Any] = {
    "dataset": {"name": "digits", "image_size": 16, "train": 512, "validation": 128, "test": 128},
    "architecture": {
        "name": "vgg_small",
        "widths": [8, 8],
        "hidden_units": [16],
        "batch_norm": True,
    },
    "regularizers": {"l2": 0.001},
    "training": {"epochs": 2},
}
#: Changes that make an analysis of a convolutional network short.
SHORT = {
    "curvature": ["samples=128", "probes=2"],
    "loss_surface": ["samples=64", "grid=5", "points=7", "directions=2"],
    "loss_path": ["samples=64", "points=7"],
}
#: By kind: a value of the result that must be there, and a picture.
EXPECTED = {
    "curvature": ("lambda_max", "spectrum.svg"),
    "loss_surface": ("surface", "surface.svg"),
    "loss_path": ("train", "path.svg"),
    "loss_estimate": ("gap", "estimate.svg"),
    "label_errors": ("joint", "joint.svg"),
}
#: What `make test` runs; tests/faults/test_analysis.py computes a loss surface.
SAMPLE = ("loss_estimate",)


@pytest.mark.e2e
@pytest.mark.parametrize("kinds", [SAMPLE, pytest.param((*EXPECTED,), marks=pytest.mark.long)])
def test_analyses_of_a_trained_network(
    box: EmbeddedBox,
    kinds: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert EXPECTED.keys() == catalog.load()["analyses"].keys()
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", (box.home / "key").read_text().strip())
    with box.client() as client:
        job = client.wait(client.submit(SPEC)["id"])
        assert job["state"] == "succeeded", job["failure"]
        url = client.url

        def run(*arguments: str) -> Any:
            assert main(["--url", url, "analyses", *arguments, "--json"]) == 0
            return json.loads(capsys.readouterr().out)

        for kind in kinds:
            value, picture = EXPECTED[kind]
            changes = [part for each in SHORT.get(kind, []) for part in ("--set", each)]
            analysis = run("start", job["id"], kind, *changes)
            assert analysis["state"] == "succeeded", analysis["failure"]
            assert analysis["result"][value] is not None
            assert analysis["result"]["summary"]
            assert run("start", job["id"], kind, *changes)["id"] == analysis["id"]
            paths = run("download", analysis["id"], "-o", f"{tmp_path}/{kind}")["paths"]
            assert {Path(path).name for path in paths} >= {f"{analysis['id']}-{picture}"}
        listed = run("list", job["id"])
        assert [row["kind"] for row in listed] == [*kinds][::-1]
        assert [row["id"] for row in client.jobs()][:1] == [job["id"]]
        logged = main(["--url", url, "analyses", "start", job["id"], "curvatur"])
        assert logged == 2
        assert "Did you mean `curvature`?" in capsys.readouterr().err
