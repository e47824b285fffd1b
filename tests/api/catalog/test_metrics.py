"""The metrics of a job: the API and the worker must agree on them."""

import pytest

from api.catalog.metrics import epoch_metric_names, metric_of
from tests.fakes.admission import methods
from worker.training.metrics import Conditions
from worker.training.metrics import epoch_metric_names as names_in_worker


@pytest.mark.parametrize("is_mixed", [False, True])
@pytest.mark.parametrize("is_clipped", [False, True])
@pytest.mark.parametrize("top_k", [(), (1,), (1, 5), (3, 2)])
def test_api_and_worker_agree_on_metrics_of_classification(
    top_k: tuple[int, ...], is_clipped: bool, is_mixed: bool
) -> None:
    in_api = epoch_metric_names(
        methods().catalog, "classification", top_k=top_k, is_clipped=is_clipped, is_mixed=is_mixed
    )
    job = Conditions("classification", mixed_targets=is_mixed, gradient_clipping=is_clipped)
    assert set(in_api) == set(names_in_worker(job, top_k))


@pytest.mark.parametrize("is_clipped", [False, True])
def test_api_and_worker_agree_on_metrics_of_regression(is_clipped: bool) -> None:
    in_api = epoch_metric_names(
        methods().catalog, "regression", is_clipped=is_clipped, is_mixed=False
    )
    job = Conditions("regression", mixed_targets=False, gradient_clipping=is_clipped)
    assert set(in_api) == set(names_in_worker(job))


def test_template_is_no_metric() -> None:
    assert metric_of(methods().catalog, "val_top_7_accuracy") is not None
    assert metric_of(methods().catalog, "val_top_{k}_accuracy") is None
