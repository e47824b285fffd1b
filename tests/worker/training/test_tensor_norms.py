"""Norms of large tensors, against float64."""

import gc
from collections.abc import Iterator
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from worker.regularizers.norms import l1_value, l2_value
from worker.training.clipping import Clipping, clip
from worker.training.parameters import gradient_norms
from worker.training.tensor_norms import PART, ROW, absolute_sums, euclidean_norms

#: Almost the shape of vgg16's largest matrix. All rows are equal, so that float64 sums one of them.
SHAPE = (4096, 24_500)


@pytest.fixture(scope="module", params=["normal", "constant"])
def large(request: pytest.FixtureRequest) -> Iterator[tuple[Tensor, float, float]]:
    """Return 10⁸ elements, their Euclidean norm and the sum of their magnitudes."""
    generator = torch.Generator().manual_seed(0)
    row = torch.randn(SHAPE[1], generator=generator) * 0.01
    if request.param == "constant":
        row.fill_(0.1)
    exact = row.double()
    yield (
        row.repeat(SHAPE[0], 1),
        (SHAPE[0] * exact.square().sum()).sqrt().item(),
        (SHAPE[0] * exact.abs().sum()).item(),
    )
    gc.collect()


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("is_flat", [False, True])
def test_large_tensor_equals_float64(large: tuple[Tensor, float, float], *, is_flat: bool) -> None:
    tensor, norm, magnitude = large
    tensor = tensor.flatten() if is_flat else tensor
    assert euclidean_norms([tensor]).item() == pytest.approx(norm, rel=1e-6)
    assert absolute_sums([tensor]).item() == pytest.approx(magnitude, rel=1e-6)
    assert l2_value([tensor], 0.5).item() == pytest.approx(0.5 * norm**2, rel=1e-6)
    assert l1_value([tensor], 0.5).item() == pytest.approx(0.5 * magnitude, rel=1e-6)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("kind", ["norm", "global_norm"])
def test_large_gradient_is_reported_and_clipped_by_its_norm(
    large: tuple[Tensor, float, float], kind: Literal["norm", "global_norm"]
) -> None:
    tensor, norm, _ = large
    model = nn.Linear(1, 1, device="meta")
    model.weight = nn.Parameter(tensor, requires_grad=False)
    model.weight.grad = tensor
    assert gradient_norms(model)["weight"] == pytest.approx(norm, rel=1e-6)
    gradient, bound = tensor.clone(), norm / 1.005  # the other cases share the tensor
    assert clip([gradient], euclidean_norms([gradient]), Clipping(kind, bound)).item() == 1
    row = gradient[0].double()
    assert (SHAPE[0] * row.square().sum()).sqrt().item() == pytest.approx(bound, rel=1e-6)


def test_number_of_threads_changes_no_bit() -> None:
    generator = torch.Generator().manual_seed(1)
    tensors = [torch.randn(size, generator=generator) for size in (3, ROW + 1, 2 * PART + ROW + 7)]
    results = []
    before = torch.get_num_threads()
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        results.append(torch.stack([euclidean_norms(tensors), absolute_sums(tensors)]))
    torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("size", [0, 1, ROW - 1, ROW, ROW + 1, PART, PART + 1])
def test_every_element_counts_once(size: int) -> None:
    minus_ones = torch.full((size,), -1.0)
    assert absolute_sums([minus_ones]).item() == size
    assert euclidean_norms([minus_ones]).item() == pytest.approx(size**0.5)


@pytest.mark.parametrize("stride", ["channels_last", "transposed", "sliced"])
def test_any_layout_of_memory_gives_the_same_norm(stride: str) -> None:
    tensor = torch.randn(8, 6, 5, 3, generator=torch.Generator().manual_seed(2))
    layouts = {
        "channels_last": tensor.contiguous(memory_format=torch.channels_last),
        "transposed": tensor.transpose(0, 3),
        "sliced": torch.stack([tensor, tensor], 1)[:, 0],
    }
    assert euclidean_norms([layouts[stride]]).item() == pytest.approx(
        tensor.double().norm().item(), rel=1e-7
    )
    assert absolute_sums([layouts[stride]]).item() == pytest.approx(
        tensor.double().abs().sum().item(), rel=1e-7
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_value_that_is_not_finite_shows_in_the_norm(value: float) -> None:
    tensor = torch.ones(1000)
    tensor[999] = value
    assert not euclidean_norms([tensor]).isfinite().item()
    assert not absolute_sums([tensor]).isfinite().item()
