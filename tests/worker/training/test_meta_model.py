import pytest

from tests.worker.filled import parameters
from worker.training.meta_model import describe


def test_nothing_is_allocated_for_a_network_of_any_size() -> None:
    counted = describe(
        "mlp", parameters("architectures", "mlp", hidden_units=[65_536] * 4), (3, 1024, 1024), 1000
    )
    assert counted["trainable"] > 200 * 10**9


def test_statistics_are_running_means_and_variances_without_counters() -> None:
    counted = describe(
        "mlp", parameters("architectures", "mlp", hidden_units=[7], batch_norm=True), (1, 8, 8), 2
    )
    assert counted["with_statistics"] - counted["trainable"] == 14


@pytest.mark.parametrize(
    ("name", "shape", "classes", "message"),
    [
        ("vgg_small", (3, 4, 4), 10, "at least 8 pixels"),
        ("vgg_smal", (3, 32, 32), 10, "Did you mean 'vgg_small'"),
        ("mlp", (3, 32, 32), 0, "at least one class"),
    ],
)
def test_what_cannot_be_built_is_refused(
    name: str, shape: tuple[int, int, int], classes: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        describe(name, parameters("architectures", name), shape, classes)
