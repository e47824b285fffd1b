"""Two processes that train together take the steps of one process."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.worker.experiments import vgg
from tests.worker.training.rank_process import run
from worker.training.checkpoint import load
from worker.training.objective import Objective
from worker.training.ranks import Ranks

CLASS_WEIGHTS = {"a": 3, "b": 0, "c": 0.5, "d": 1, "e": 1, "f": 2}
#: 35 samples in batches of 8: each epoch ends with a batch of 3, of which the ranks take 1 and 2.
CASES: dict[str, dict[str, Any]] = {
    "penalties_and_clipping": {
        "regularizers": {"l2": {"weight": 0.01}, "l1": {"weight": 0.001}},
        "optimizer": {"name": "adam", "gradient_clipping": {"global_norm": 0.5}},
    },
    "augmentation_and_mixup": {
        "architecture": vgg(batch_norm=False, dropout=0.0, head_dropout=0.0),
        "augmentation": {"horizontal_flip": {}, "rotation": {}},
        "regularizers": {"mixup": {"alpha": 0.5}, "label_smoothing": {"alpha": 0.1}},
    },
    "class_weights": {
        "loss": {"name": "cross_entropy", "class_weights": CLASS_WEIGHTS},
    },
    "batch_norm": {"architecture": vgg(dropout=0.0, head_dropout=0.0)},
    "early_stopping": {
        "optimizer": {"name": "sgd", "learning_rate": 0.3},
        "training": {
            "epochs": 8,
            "early_stopping": {"monitor": "val_loss", "patience": 1, "restore_best": True},
        },
    },
    "fewer_samples_than_ranks": {"architecture": "linear", "train": 17},
    "batches_of_one": {"architecture": "linear", "train": 5, "training": {"batch_size": 1}},
    "fine_tuning": {
        "architecture": vgg(dropout=0.0, head_dropout=0.0),
        "fine_tuning": {
            "head": {"hidden_units": [5], "dropout": 0.0},
            "stages": [
                {"name": "warm_up", "train": "head", "epochs": 1, "optimizer": {"name": "adam"}},
                {"name": "frozen", "train": "all", "epochs": 1, "batch_norm": "frozen"},
                {"name": "fine_tune", "train": "all", "epochs": 1, "batch_norm": "train"},
            ],
        },
    },
    "bfloat16": {
        "architecture": vgg(dropout=0.0, head_dropout=0.0),
        "training": {"precision": "bfloat16"},
    },
    "vat": {"architecture": vgg(dropout=0.0, head_dropout=0.0), "regularizers": {"vat": {}}},
    "dropout": {"architecture": vgg(dropout=0.5)},
    "paused": {"architecture": vgg(dropout=0.0, head_dropout=0.0), "stop_at": 7},
    "resumed": {"architecture": vgg(dropout=0.0, head_dropout=0.0)},
}
#: The cases with the steps of one process; the others draw random numbers in each rank.
EQUAL = sorted(CASES.keys() - {"vat", "dropout", "paused", "resumed", "bfloat16"})
#: With three ranks, the last batch has two samples, which all of them compute.
CASES_OF_THREE: dict[str, dict[str, Any]] = {
    "batch_norm": {"architecture": vgg(dropout=0.0, head_dropout=0.0), "train": 18},
}


def start(directory: Path, rank: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.worker.training.rank_process", str(directory)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command, str(rank)], env=environment)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run every case in two processes; return the directory with the results."""
    path = tmp_path_factory.mktemp("ranks")
    run(CASES["paused"], stopped=path / "resumed.before")
    run_ranks(path, 2, CASES)
    return path


def run_ranks(directory: Path, count: int, cases: dict[str, Any]) -> list[dict[str, Any]]:
    """Run cases in so many processes; return the results of each."""
    (directory / "cases.json").write_text(json.dumps({"ranks": count, "cases": cases}))
    ranks = [start(directory, rank) for rank in range(count)]
    try:
        assert [rank.wait(120) for rank in ranks] == [0] * count
    finally:
        for rank in ranks:
            rank.kill()
    return read_results(directory, count)


def read_results(directory: Path, count: int) -> list[dict[str, Any]]:
    return [json.loads((directory / f"{rank}.json").read_text()) for rank in range(count)]


@pytest.fixture(scope="module")
def results(directory: Path) -> list[dict[str, Any]]:
    return read_results(directory, 2)


@pytest.mark.parametrize("name", EQUAL)
def test_two_ranks_take_the_steps_of_one_process(name: str, results: list[dict[str, Any]]) -> None:
    alone = run(CASES[name])
    assert_close(results[0][name], alone)


def test_two_ranks_round_otherwise_in_bfloat16(results: list[dict[str, Any]]) -> None:
    """In the first full batches: a norm over the few samples of the last enlarges differences."""
    ours, alone = (each["steps"][:4] for each in (results[0]["bfloat16"], run(CASES["bfloat16"])))
    for a, b in zip(ours, alone, strict=True):
        assert a["data_loss"] == pytest.approx(b["data_loss"], rel=0.02)
        assert a["gradient_norm"] == pytest.approx(b["gradient_norm"], rel=0.2)


def test_three_ranks_normalize_a_batch_that_all_of_them_compute(tmp_path: Path) -> None:
    results = run_ranks(tmp_path, 3, CASES_OF_THREE)
    assert results[0] == results[1] == results[2]
    assert_close(results[0]["batch_norm"], run(CASES_OF_THREE["batch_norm"]))


@pytest.mark.parametrize("name", CASES)
def test_ranks_agree_in_every_bit(name: str, results: list[dict[str, Any]]) -> None:
    assert results[0][name] == results[1][name]


def test_a_job_paused_with_two_ranks_resumes_with_one(directory: Path) -> None:
    resumed = run(CASES["resumed"], state=load(directory / "paused.after"))
    assert resumed["ends"][-1] == "inexact"
    assert_close_end(resumed, run(CASES["resumed"]))


def test_a_job_paused_with_one_rank_resumes_with_two(results: list[dict[str, Any]]) -> None:
    assert_close_end(results[0]["resumed"], run(CASES["resumed"]))


def test_dropout_masks_of_the_ranks_differ(results: list[dict[str, Any]]) -> None:
    losses = [step["data_loss"] for step in results[0]["dropout"]["steps"]]
    alone = [step["data_loss"] for step in run(CASES["dropout"])["steps"]]
    assert losses[0] != pytest.approx(alone[0], rel=1e-4)
    assert all(map(math.isfinite, losses))


def test_parts_cover_a_batch_once() -> None:
    for samples in (3, 8, 35):
        parts = [Ranks(rank, 3).part_of_batch(samples) for rank in range(3)]
        numbers = [n for part in parts for n in range(samples)[part.samples]]
        assert numbers == list(range(samples))
        assert all(part.is_counted and part.repeats == 1 for part in parts)


def test_objectives_of_the_ranks_add_up_where_all_weights_are_zero() -> None:
    targets, weights = torch.tensor([0, 0, 1]), torch.tensor([0.0, 2.0])
    parts = [Ranks(rank, 2).part_of_batch(3) for rank in range(2)]
    whole = Objective(torch.tensor(4.0), None)
    assert [whole.of_part(part, targets, weights).data_loss.item() for part in parts] == [0.0, 4.0]
    nothing = whole.of_part(parts[0], torch.zeros(3, dtype=torch.int64), weights)
    assert nothing.data_loss.item() == 0.0


def assert_close(ours: dict[str, Any], other: dict[str, Any]) -> None:
    """Compare every value of every step and epoch, and the last weights."""
    assert len(ours["steps"]) == len(other["steps"])
    for a, b in zip(ours["steps"], other["steps"], strict=True):
        assert a["gradient_norms"] == pytest.approx(b["gradient_norms"], rel=1e-3, abs=1e-6)
        numbers = a.keys() - {"gradient_norms"}
        assert {n: a[n] for n in numbers} == pytest.approx(
            {n: b[n] for n in numbers}, rel=1e-3, abs=1e-6
        )
    assert_close_end(ours, other)


def assert_close_end(ours: dict[str, Any], other: dict[str, Any]) -> None:
    """Compare the last epoch and the last weights."""
    assert ours["epochs"][-1] == pytest.approx(other["epochs"][-1], rel=1e-3, abs=1e-6)
    assert ours["ends"][:-1] == other["ends"][:-1]
    for name, values in ours["weights"].items():
        torch.testing.assert_close(
            torch.tensor(values), torch.tensor(other["weights"][name]), rtol=1e-3, atol=1e-5
        )
