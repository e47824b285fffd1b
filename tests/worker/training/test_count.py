import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from worker.registry import architectures
from worker.training.count import describe, memory_mib


def test_nothing_is_allocated_for_a_network_of_any_size() -> None:
    counted = describe("mlp", {"hidden_units": [65_536] * 4}, (3, 1024, 1024), 1000)
    assert counted["trainable"] > 200 * 10**9


def test_statistics_are_running_means_and_variances_without_counters() -> None:
    counted = describe("mlp", {"hidden_units": [7], "batch_norm": True}, (1, 8, 8), 2)
    assert counted["with_statistics"] - counted["trainable"] == 14


@pytest.mark.parametrize(
    ("name", "shape", "classes", "message"),
    [
        ("vgg_small", (3, 4, 4), 10, "at least 8 pixels"),
        ("vgg_smal", (3, 32, 32), 10, "did you mean 'vgg_small'"),
        ("mlp", (3, 32, 32), 0, "at least one class"),
    ],
)
def test_what_cannot_be_built_is_refused(
    name: str, shape: tuple[int, int, int], classes: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        describe(name, {}, shape, classes)


class TestMemory:
    def _mib(self, **fields: object) -> float:
        given = {"batch_size": 32, "optimizer_slots": 1, **fields}
        return memory_mib("vgg_small", {}, (3, 32, 32), 10, **given)

    def test_it_is_what_a_real_step_saves_and_keeps(self) -> None:
        """Measured on the CPU with real tensors; the libraries save a little else there."""
        model = architectures.get("vgg_small").function((3, 32, 32), 10)
        own = {parameter.data_ptr() for parameter in model.parameters()}
        saved: dict[int, torch.Tensor] = {}

        def remember(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.untyped_storage().data_ptr() not in own:
                saved[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with saved_tensors_hooks(remember, lambda tensor: tensor):
            functional.cross_entropy(model(torch.randn(32, 3, 32, 32)), torch.zeros(32).long())
        activations = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
        kept = 4 * (3 * 2_169_770 + 1_408)
        assert self._mib() == pytest.approx((activations + kept) / 2**20, rel=0.05)

    def test_activations_grow_with_the_batch_and_slots_with_the_weights(self) -> None:
        one, two, three = (self._mib(batch_size=size) for size in (32, 64, 96))
        assert three - two == pytest.approx(two - one)
        assert self._mib(optimizer_slots=2) - one == pytest.approx(4 * 2_169_770 / 2**20)

    def test_half_precision_takes_less(self) -> None:
        assert self._mib(precision="bfloat16") < self._mib()
