import pytest

from tests.worker.filled import parameters
from worker.registry import SpecError
from worker.training.meta_model import build_on_meta, count_parameters


def test_network_of_any_size_takes_no_memory() -> None:
    model = build_on_meta(
        "mlp", parameters("architectures", "mlp", hidden_units=[65_536] * 4), (3, 1024, 1024), 1000
    )
    assert count_parameters(model)["trainable"] > 200 * 10**9


def test_statistics_are_running_means_and_variances_without_counters() -> None:
    model = build_on_meta(
        "mlp", parameters("architectures", "mlp", hidden_units=[7], batch_norm=True), (1, 8, 8), 2
    )
    counts = count_parameters(model)
    assert counts["with_statistics"] - counts["trainable"] == 14


@pytest.mark.parametrize(
    ("name", "shape", "classes", "message"),
    [
        ("vgg_small", (3, 4, 4), 10, "at least 8 pixels"),
        ("mlp", (3, 32, 32), 0, "at least one class"),
    ],
)
def test_sizes_out_of_bounds_are_refused(
    name: str, shape: tuple[int, int, int], classes: int, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        build_on_meta(name, parameters("architectures", name), shape, classes)


def test_unknown_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match="Did you mean 'vgg_small'"):
        build_on_meta("vgg_smal", {}, (3, 32, 32), 10)
