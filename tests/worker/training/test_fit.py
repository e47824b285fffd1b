"""Reports, checkpoint rules and early stopping of whole jobs."""

from dataclasses import replace

import pytest
import torch

from tests.worker.experiments import data, ended_epochs, experiment, split, vgg
from worker.data.job_data import Data
from worker.registry import SpecError
from worker.training.experiment import Splits
from worker.training.fit import fit
from worker.training.reports import (
    EpochEnded,
    Fitted,
    InitialState,
    Report,
    StageEnded,
    StageStarted,
    Stepped,
)


class TestReports:
    def test_reports_are_in_order_and_count_over_the_whole_job(self) -> None:
        reports = list(fit(experiment(training={"epochs": 2, "batch_size": 16})))
        assert [type(report).__name__ for report in reports] == [
            *("InitialState", "StageStarted"),
            *("Stepped", "Stepped", "EpochEnded", "Stepped", "Stepped", "EpochEnded"),
            *("StageEnded", "Fitted"),
        ]
        assert [report.step for report in reports] == [0, 0, 1, 2, 2, 3, 4, 4, 4, 4]
        assert [report.epoch for report in reports] == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
        stepped = [report for report in reports if isinstance(report, Stepped)]
        assert [report.ends_epoch for report in stepped] == [False, True] * 2
        assert {(report.steps, report.epochs, report.images) for report in stepped} == {(4, 2, 16)}

    def test_stage_reports_what_it_trains(self) -> None:
        reports = list(fit(experiment(architecture="linear", training={"epochs": 1})))
        started = next(r for r in reports if isinstance(r, StageStarted))
        assert (started.stage, started.epochs) == ("training", 1)
        assert started.trainable_parameters == 3 * 64 * 6 + 6
        assert not started.is_resumed
        ended = next(r for r in reports if isinstance(r, StageEnded))
        assert (ended.end.reason, ended.end.restored) == ("epochs", False)

    def test_last_smaller_batch_is_used_too(self) -> None:
        reports = list(fit(experiment(bundle=data(train=19), training={"epochs": 1})))
        assert [r.images for r in reports if isinstance(r, Stepped)] == [8, 8, 3]

    def test_snapshot_belongs_to_its_report(self) -> None:
        reports = fit(experiment())
        first = next(reports)
        assert isinstance(first, InitialState)
        assert first.snapshot().step == 0
        next(reports)
        with pytest.raises(RuntimeError, match="earlier report"):
            first.snapshot()

    def test_closing_the_generator_restores_torch_s_settings(self) -> None:
        reports = fit(experiment())
        next(reports)
        assert torch.are_deterministic_algorithms_enabled()
        reports.close()
        assert not torch.are_deterministic_algorithms_enabled()


class TestLastBatchOfOneImage:
    def test_is_left_out_with_batch_norm_and_noted(self) -> None:
        training = experiment(architecture=vgg(), bundle=data(train=17))
        reports = list(fit(training))
        assert [r.images for r in reports if isinstance(r, Stepped)] == [8, 8] * 3
        notes = [ended.notes for ended in reports if isinstance(ended, EpochEnded)]
        assert "left out" in notes[0][0]
        assert notes[1:] == [(), ()]

    def test_is_noted_once_in_a_job_of_two_stages(self) -> None:
        training = experiment(architecture=vgg(), bundle=data(train=17), training={"epochs": 1})
        second = replace(training.stages[0], name="second")
        reports = fit(replace(training, stages=(*training.stages, second)))
        notes = [report.notes for report in reports if isinstance(report, EpochEnded)]
        assert [len(texts) for texts in notes] == [1, 0]

    def test_is_used_without_batch_norm(self) -> None:
        training = experiment(bundle=data(train=17), training={"epochs": 1})
        reports = list(fit(training))
        assert [r.images for r in reports if isinstance(r, Stepped)] == [8, 8, 1]

    def test_batch_size_1_with_batch_norm_is_refused(self) -> None:
        with pytest.raises(SpecError, match="at least two images"):
            experiment(architecture=vgg(), training={"batch_size": 1})


class TestCheckpointRules:
    def test_improvement_requests_a_checkpoint(self) -> None:
        training = experiment(
            training={"epochs": 4},
            checkpoints=[
                {"monitor": "val_loss", "mode": "min"},
                {"monitor": "generalization_gap", "mode": "min"},
                {"every_epochs": 2},
                {"epoch": 0},
            ],
        )
        reports = list(fit(training))
        initial = reports[0]
        assert isinstance(initial, InitialState)
        assert initial.checkpoint_keys == ("initial",)
        ended = [r for r in reports if isinstance(r, EpochEnded)]
        assert ended[0].improved == ("val_loss", "generalization_gap")
        assert ended[0].checkpoint_keys == ("best:val_loss", "best:generalization_gap")
        lowest = float("inf")
        for epoch in ended:
            assert ("val_loss" in epoch.improved) == (epoch.metrics["val_loss"] < lowest)
            lowest = min(lowest, epoch.metrics["val_loss"])
        assert [("every:2" in epoch.checkpoint_keys) for epoch in ended] == [
            False,
            True,
            False,
            True,
        ]

    def test_unknown_metric_is_refused_with_the_metrics_of_the_job(self) -> None:
        with pytest.raises(SpecError, match=r"no metric 'val_lost'.*val_loss"):
            experiment(checkpoints=[{"monitor": "val_lost", "mode": "min"}])

    def test_two_rules_for_a_monitor_are_refused(self) -> None:
        twice = [{"monitor": "val_loss", "mode": mode} for mode in ("min", "max")]
        with pytest.raises(SpecError, match="requested twice"):
            experiment(checkpoints=twice)


class TestEarlyStopping:
    def _stopping(self, **fields: object) -> dict[str, object]:
        return {"epochs": 9, "early_stopping": {"monitor": "val_loss", **fields}}

    def test_stops_after_patience_epochs_in_a_row_without_improvement(self) -> None:
        """Nothing is learned at this learning rate, so the first epoch stays the best."""
        training = experiment(
            optimizer={"name": "sgd", "learning_rate": 1e-30}, training=self._stopping(patience=2)
        )
        reports = list(fit(training))
        assert sum(isinstance(report, EpochEnded) for report in reports) == 3
        ended = next(r for r in reports if isinstance(r, StageEnded))
        assert ended.end.reason == "early_stopping"

    def test_improvement_must_exceed_min_delta(self) -> None:
        training = experiment(training=self._stopping(patience=3, min_delta=1e9))
        assert len(ended_epochs(training)) == 4

    @pytest.mark.parametrize("restore_best", [True, False])
    def test_restore_best_ends_with_the_weights_of_the_best_epoch(self, restore_best: bool) -> None:
        """A higher loss counts as better, so the first epoch is the best if the network learns."""
        training = experiment(
            architecture=vgg(),
            training=self._stopping(mode="max", patience=2, restore_best=restore_best),
        )
        states, restored = {}, None
        for report in fit(training):
            if isinstance(report, EpochEnded | Fitted):
                states[type(report).__name__, report.epoch] = report.snapshot().model
            if isinstance(report, StageEnded):
                restored = report.end.restored
        last = max(epoch for kind, epoch in states if kind == "EpochEnded")
        best = 1 if restore_best else last
        assert restored is restore_best
        assert last == 3
        final = states["Fitted", last]
        assert all(torch.equal(final[n], t) for n, t in states["EpochEnded", best].items())
        assert not all(
            torch.equal(final[n], t)
            for n, t in states["EpochEnded", last if restore_best else 1].items()
        )


class TestPrecision:
    @pytest.mark.parametrize("precision", ["bfloat16", "float16"])
    def test_half_precision_learns_nearly_the_same(self, precision: str) -> None:
        fields = {"architecture": vgg(), "bundle": data(train=24)}
        full = ended_epochs(experiment(**fields))[-1].metrics
        epochs = ended_epochs(experiment(**fields, training={"precision": precision}))
        half = epochs[-1].metrics
        assert half["train_loss"] == pytest.approx(full["train_loss"], rel=0.05)
        assert half["train_loss"] != full["train_loss"]
        # Which gradients overflow float16 depends on the CPU, and a skipped step changes the next.
        if not any(epoch.notes for epoch in epochs):
            assert half["gradient_norm"] == pytest.approx(full["gradient_norm"], rel=0.05)

    def test_weights_stay_in_float32(self) -> None:
        training = experiment(training={"precision": "bfloat16", "epochs": 1})
        list(fit(training))
        assert {tensor.dtype for tensor in training.model.parameters()} == {torch.float32}


class TestDataOrder:
    def test_same_seed_trains_to_the_same_bits(self) -> None:
        def final() -> dict[str, torch.Tensor]:
            training = experiment(architecture=vgg(), seed=5)
            list(fit(training))
            return training.model.state_dict()

        first, second = final(), final()
        assert all(torch.equal(first[name], second[name]) for name in first)

    def test_test_split_is_not_touched(self) -> None:
        bundle = data()
        bundle = Data(
            bundle.class_names,
            Splits(bundle.splits.train, bundle.splits.validation, split(20, seed=9)),
        )
        other = ended_epochs(experiment(bundle=bundle))[-1].metrics
        plain = ended_epochs(experiment())[-1].metrics
        assert other["train_loss"] == plain["train_loss"]
        assert other["val_loss"] == plain["val_loss"]


def test_stages_follow_each_other_with_separate_optimizers() -> None:
    training = experiment(training={"epochs": 1})
    first = training.stages[0]
    training = replace(
        training, stages=(first, replace(first, name="second", epochs=2, learning_rate=0.5))
    )
    reports: list[Report] = list(fit(training))
    ended = [r for r in reports if isinstance(r, EpochEnded)]
    assert [(r.stage, r.epoch, r.step) for r in ended] == [
        ("training", 1, 4),
        ("second", 2, 8),
        ("second", 3, 12),
    ]
    assert [r.metrics["learning_rate"] for r in ended] == [0.01, 0.5, 0.5]
