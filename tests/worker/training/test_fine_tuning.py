"""Stages, frozen layers, and weights of another job."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.worker.experiments import data, spec, vgg
from worker.build import build
from worker.registry import SpecError
from worker.training.checkpoint import load, save
from worker.training.device_split import Normalization
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.reports import EpochEnded, Fitted, Report, StageStarted, Stepped
from worker.training.stage_end import StageEnd
from worker.training.state import TrainingState
from worker.training.transfer import Weights, body_tensors, check_fits

STAGES = (
    {"name": "warm_up", "train": "head", "epochs": 2, "optimizer": {"name": "adam"}},
    {"name": "middle", "train": {"from": "block2"}, "epochs": 1},
    {"name": "fine_tune", "train": "all", "epochs": 1, "optimizer": {"learning_rate": 1e-3}},
)
#: The penalty is 0 here, so no epoch improves on a stage's first.
PLATEAU = {"name": "reduce_on_plateau", "monitor": "train_penalty", "patience": 1, "factor": 0.5}
#: Stages of two, three and two epochs of four steps, with everything that counts within a stage:
#: updates, a plateau, early stopping with its best weights.
SCHEDULED = (
    {
        **STAGES[0],
        "optimizer": {"name": "adam", "schedule": {"name": "cosine", "warmup": 3}},
    },
    {
        **STAGES[1],
        "epochs": 3,
        "optimizer": {"schedule": {**PLATEAU, "warmup": 2}},
        "batch_norm": "frozen",
    },
    {
        **STAGES[2],
        "epochs": 50,
        "optimizer": {"learning_rate": 1e-3, "schedule": {**PLATEAU, "warmup": 2}},
        "early_stopping": {"monitor": "train_penalty", "patience": 1, "restore_best": True},
    },
)
NORMALIZATION = Normalization((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def tensors(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def trained(**fields: Any) -> dict[str, Tensor]:
    """Return the weights of a network that was trained on other data."""
    experiment = build(spec(architecture=vgg(**fields), seed=99), data(train=64))
    for _ in fit(experiment):
        pass
    return tensors(experiment.model)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights(trained(), NORMALIZATION)


def tuned(weights: Weights | None, stages: Any = STAGES, **fields: Any) -> Experiment:
    filled = [
        {**stage, "optimizer": {"name": "sgd", **stage.get("optimizer", {})}} for stage in stages
    ]
    fine_tuning = {"head": {"hidden_units": [5], "dropout": 0.3}, "stages": filled}
    dataset = {"name": "any", "normalization": "of_weights" if weights else "standardize"}
    parts = {"dataset": dataset, "architecture": vgg(), "fine_tuning": fine_tuning, **fields}
    return build(spec(**parts), data(), weights=weights)


def by_stage(experiment: Experiment) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
    """Yield each stage's name, and all tensors before and after it."""
    before, name = tensors(experiment.model), ""
    for report in fit(experiment):
        if isinstance(report, StageStarted):
            name, before = report.stage, tensors(experiment.model)
        if isinstance(report, EpochEnded) and "every:stage" in report.checkpoint_keys:
            yield name, before, tensors(experiment.model)


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


def test_body_has_the_weights_and_the_head_is_new(weights: Weights) -> None:
    experiment = tuned(weights)
    state = experiment.model.state_dict()
    for name, tensor in weights.tensors.items():
        if not name.startswith("head."):
            assert torch.equal(state[name], tensor), name
    assert state["head.hidden1.weight"].shape == (5, 16)
    assert state["head.output.weight"].shape == (6, 5)
    assert experiment.normalization == NORMALIZATION
    assert experiment.architecture["head"] == {"hidden_units": (5,), "dropout": 0.3}


def test_stage_changes_nothing_but_what_it_trains(weights: Weights) -> None:
    """That holds for weights, biases, and the statistics of batch norm."""
    changes = {name: changed(*pair) for name, *pair in by_stage(tuned(weights))}
    names = set(weights.tensors)
    head = {"head.hidden1.weight", "head.hidden1.bias", "head.output.weight", "head.output.bias"}
    second = {name for name in names if name.startswith("block2.")}
    first = {name for name in names if name.startswith("block1.")}
    assert changes["warm_up"] == head
    assert changes["middle"] == head | second
    assert changes["fine_tune"] == head | second | first
    assert any("running_mean" in name for name in second)


def test_stage_reports_what_it_trains(weights: Weights) -> None:
    experiment = tuned(weights)
    started = [report for report in fit(experiment) if isinstance(report, StageStarted)]
    sizes = {name: p.numel() for name, p in experiment.model.named_parameters()}

    def of(*parts: str) -> int:
        return sum(size for name, size in sizes.items() if name.startswith(parts))

    assert [(stage.stage, stage.trainable_parameters, stage.epochs) for stage in started] == [
        ("warm_up", of("head."), 2),
        ("middle", of("head.", "block2."), 1),
        ("fine_tune", sum(sizes.values()), 1),
    ]


def test_stage_has_a_separate_optimizer_and_ends_with_a_checkpoint(weights: Weights) -> None:
    ended = [report for report in fit(tuned(weights)) if isinstance(report, EpochEnded)]
    assert [epoch.stage for epoch in ended] == ["warm_up", "warm_up", "middle", "fine_tune"]
    assert [epoch.epoch for epoch in ended] == [1, 2, 3, 4]
    assert [epoch.metrics["learning_rate"] for epoch in ended] == [0.01, 0.01, 0.01, 1e-3]
    kept = ["every:stage" in epoch.checkpoint_keys for epoch in ended]
    assert kept == [False, True, True, True]


def test_stage_may_end_early_and_the_next_starts(weights: Weights) -> None:
    stopping = {"monitor": "train_penalty", "patience": 1}  # always 0 without a penalty
    first = {**STAGES[0], "epochs": 50, "early_stopping": stopping}
    ended = [r for r in fit(tuned(weights, (first, STAGES[2]))) if isinstance(r, EpochEnded)]
    assert [epoch.stage for epoch in ended] == ["warm_up", "warm_up", "fine_tune"]
    assert "every:stage" in ended[1].checkpoint_keys


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_penalty_on_frozen_layers_counts_and_changes_no_weight(weights: Weights, name: str) -> None:
    stages = [{"name": "head_only", "train": "head", "epochs": 1}]
    penalties = {name: {"weight": 0.5, "only": "block1*"}}
    plain, penalised = tuned(weights, stages), tuned(weights, stages, regularizers=penalties)
    ends = [
        next(report for report in fit(experiment) if isinstance(report, EpochEnded))
        for experiment in (plain, penalised)
    ]
    for key, tensor in tensors(plain.model).items():
        assert torch.equal(tensor, tensors(penalised.model)[key]), key
    assert ends[1].metrics["train_penalty"] > ends[0].metrics["train_penalty"] == 0


def rates(experiment: Experiment) -> dict[str, list[float]]:
    """Return the learning rate of every step, by stage."""
    rates_of_stage: dict[str, list[float]] = {}
    for report in fit(experiment):
        if isinstance(report, Stepped):
            rate = report.snapshot().schedule["learning_rate"]
            rates_of_stage.setdefault(report.stage, []).append(rate)
    return rates_of_stage


class TestSchedules:
    def test_each_stage_starts_its_schedule_from_scratch(self, weights: Weights) -> None:
        """The learning rates equal the rates of the stage alone."""
        whole = rates(tuned(weights, SCHEDULED))
        assert list(whole) == ["warm_up", "middle", "fine_tune"]
        for stage in SCHEDULED:
            assert whole[stage["name"]] == rates(tuned(weights, [stage]))[stage["name"]]

    def test_warm_up_and_plateau_take_effect(self, weights: Weights) -> None:
        rates_of_stage = rates(tuned(weights, SCHEDULED))
        warm_up = [0.01 / 3, 0.02 / 3, 0.01]
        assert rates_of_stage["warm_up"][:3] == pytest.approx(warm_up)
        assert rates_of_stage["warm_up"][-1] < 0.005
        assert rates_of_stage["middle"] == pytest.approx([0.005] + [0.01] * 7 + [0.005] * 4)
        assert rates_of_stage["fine_tune"] == pytest.approx([0.0005] + [0.001] * 7)


class TestResume:
    def _final(
        self, experiment: Experiment, state: TrainingState | None = None
    ) -> tuple[dict[str, Tensor], tuple[StageEnd, ...]]:
        for report in fit(experiment, state=state):
            if isinstance(report, Fitted):
                return tensors(experiment.model), report.stages
        raise AssertionError

    # At the start, within and at the end of a stage's epochs.
    @pytest.mark.parametrize("at", [1, 4, 6, 8, 9, 12, 14, 16, 17, 19, 20, 21, 24, 26, 28])
    def test_from_inside_each_stage_ends_in_the_same_bits(
        self, weights: Weights, at: int, tmp_path: Path
    ) -> None:
        whole, ends = self._final(tuned(weights, SCHEDULED))
        assert [(end.reason, end.restored) for end in ends] == [
            ("epochs", False),
            ("epochs", False),
            ("early_stopping", True),
        ]
        generator = fit(tuned(weights, SCHEDULED))
        for report in generator:
            if isinstance(report, Stepped) and report.step == at:
                save(report.snapshot(), tmp_path / "state")
                generator.close()
                break
        state = load(tmp_path / "state")
        resumed, ends_again = self._final(tuned(weights, SCHEDULED), state)
        assert not changed(whole, resumed)
        assert ends_again == ends


class TestCheckFits:
    def test_weights_of_the_same_body_fit(self, weights: Weights) -> None:
        model = tuned(None).model
        shapes = {name: tuple(tensor.shape) for name, tensor in weights.tensors.items()}
        check_fits(body_tensors(model), shapes)
        counters = {n: s for n, s in shapes.items() if not n.endswith("num_batches_tracked")}
        check_fits(body_tensors(model), counters)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda s: s.pop("block1.conv1.weight"), "missing: block1.conv1.weight"),
            (lambda s: s.update({"stem.weight": (1,)}), "not part of this network: stem.weight"),
            (
                lambda s: s.update({"block1.conv1.weight": (4, 1, 3, 3)}),
                r"block1.conv1.weight is \[4, 1, 3, 3\] and must be \[4, 3, 3, 3\]",
            ),
        ],
    )
    def test_weights_of_another_network_are_refused(
        self, weights: Weights, change: Any, message: str
    ) -> None:
        shapes = {name: tuple(tensor.shape) for name, tensor in weights.tensors.items()}
        change(shapes)
        with pytest.raises(SpecError, match=message):
            check_fits(body_tensors(tuned(None).model), shapes)

    def test_weights_that_are_not_finite_are_refused(self, weights: Weights) -> None:
        broken = {**weights.tensors, "block2.conv1.weight": torch.full((4, 4, 3, 3), torch.nan)}
        with pytest.raises(SpecError, match=r"block2\.conv1\.weight' .* not finite"):
            tuned(replace(weights, tensors=broken))

    def test_weights_without_normalization_need_it_in_the_specification(
        self, weights: Weights
    ) -> None:
        unknown = replace(weights, normalization=None)
        with pytest.raises(ValueError, match=r"dataset\.normalization"):
            tuned(unknown)
        dataset = {"name": "any", "normalization": "unit"}
        assert tuned(unknown, dataset=dataset).normalization.deviation == (1.0, 1.0, 1.0)


def test_body_with_random_weights_equals_that_without_fine_tuning() -> None:
    random = build(spec(architecture=vgg()), data()).model.state_dict()
    frozen = tuned(None).model.state_dict()
    for name, tensor in random.items():
        if not name.startswith("head."):
            assert torch.equal(tensor, frozen[name])


def test_reports_are_in_order(weights: Weights) -> None:
    reports: list[Report] = list(fit(tuned(weights)))
    stages = [report.stage for report in reports if isinstance(report, StageStarted)]
    assert stages == ["warm_up", "middle", "fine_tune"]
    assert isinstance(reports[-1], Fitted)
