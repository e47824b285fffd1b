"""Every metric is declared once, and everything about it follows from the declaration."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from tests.worker.experiments import data, experiment, spec
from worker import catalog
from worker.build import build
from worker.data.job_data import Data
from worker.training import metrics
from worker.training.epoch_sums import Sums
from worker.training.evaluation import evaluate_classification, evaluate_regression
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
from worker.training.metrics import METRICS, PREFIXES, Metric, metric_of
from worker.training.reports import EpochEnded
from worker.training.topk import metric_name

CLIPPED = {"name": "sgd", "learning_rate": 0.01, "gradient_clipping": {"norm": 1.0}}


def _regression(**fields: Any) -> Experiment:
    images = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8)
    split = Split(images, images.float().mean((1, 2, 3)) / 255, torch.arange(20))
    return build(spec(loss="l2", checkpoints=[], **fields), Data((), Splits(split, split, split)))


def _epoch(built: Experiment) -> Mapping[str, float]:
    return next(r.metrics for r in fit(built) if isinstance(r, EpochEnded))


@pytest.mark.parametrize(
    "built",
    [
        pytest.param(lambda: experiment(metrics={"top_k": [1, 2, 5]}), id="classification"),
        pytest.param(lambda: experiment(optimizer=CLIPPED), id="classification, clipped"),
        pytest.param(lambda: experiment(regularizers={"mixup": {}}), id="mixed targets"),
        pytest.param(_regression, id="regression"),
        pytest.param(lambda: _regression(optimizer=CLIPPED), id="regression, clipped"),
    ],
)
def test_epoch_reports_exactly_the_declared_metrics(built: Any) -> None:
    trained = built()
    names = list(_epoch(trained))
    assert sorted(names) == sorted(trained.metric_names(trained.stages[0]))
    assert len({metric_of(name).name for name in names}) >= len(names) - 4  # top-k share one


def test_test_split_has_exactly_the_declared_metrics() -> None:
    classifier = experiment(metrics={"top_k": [1, 2, 5]})
    evaluation = evaluate_classification(
        classifier, classifier.model, classifier.splits.test, classifier.ks
    )
    regression = _regression()
    errors = evaluate_regression(regression, regression.model, regression.splits.test).metrics
    names = ["loss", "data_loss", *map(metric_name, evaluation.top_k), *errors]
    computed = {metric_of(PREFIXES["test"] + name).name for name in names}
    assert computed == {metric.name for metric in METRICS if metric.split == "test"}


def test_every_metric_is_declared_once() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "split", "direction"),
    [
        ("train_loss", "train", "lower"),
        ("train_mixed_top_3_accuracy", "train", "higher"),
        ("val_loss", "validation", "lower"),
        ("test_top_5_accuracy", "test", "higher"),
        ("test_r2", "test", "higher"),
        ("learning_rate", None, None),
    ],
)
def test_declaration_is_found_by_a_metric_s_name(
    name: str, split: str | None, direction: str | None
) -> None:
    assert (metric_of(name).split, metric_of(name).direction) == (split, direction)


def test_undeclared_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="'trainer' is not declared"):
        metric_of("trainer")


class TestNewMetric:
    """A new metric is one declaration and the line that computes it."""

    @pytest.fixture(autouse=True)
    def _train_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        declared = Metric("train_steps", "train", "1", "higher", "Steps of the epoch.")
        monkeypatch.setattr(metrics, "METRICS", (*METRICS, declared))
        monkeypatch.setattr(catalog, "METRICS", (*METRICS, declared))
        compute = Sums.metrics

        def with_steps(self: Sums, *args: Any, **rest: Any) -> dict[str, float]:
            return {**compute(self, *args, **rest), "train_steps": float(self.steps)}

        monkeypatch.setattr(Sums, "metrics", with_steps)

    def test_can_be_monitored(self) -> None:
        rules = [{"monitor": "train_steps", "mode": "max"}]
        trained = experiment(bundle=data(train=32), checkpoints=rules)
        report = next(r for r in fit(trained) if isinstance(r, EpochEnded))
        assert report.metrics["train_steps"] == 4
        assert report.improved == ("train_steps",)

    def test_is_in_the_catalogue(self) -> None:
        assert catalog.generate()["metrics"]["train_steps"] == {
            "split": "train",
            "unit": "1",
            "direction": "higher",
            "summary": "Steps of the epoch.",
            "conditions": {},
        }
