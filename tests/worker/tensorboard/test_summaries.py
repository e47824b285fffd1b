"""Histograms and images of tensors."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from worker.registry import architectures
from worker.tensorboard import summaries


def _normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class TestHistogram:
    @pytest.mark.parametrize(
        "values",
        [
            _normal(5, 1000),
            _normal(
                3, 2 * summaries.CHUNK_SIZES["cpu"] // 3 + 1
            ),  # several chunks, the last shorter
            _normal(4, 8, 8, 3).permute(0, 3, 1, 2),  # channels last
            _normal(200) * 5e37,  # almost the whole range of float32
            _normal(200) * 1e-40,
        ],
        ids=["small", "chunks", "channels last", "wide", "narrow"],
    )
    def test_a_histogram_counts_every_value_once(self, values: torch.Tensor) -> None:
        histogram = summaries.histogram("w", values).value[0].histo
        exact = values.double().numpy().ravel()
        counts, edges = np.histogram(exact, bins=summaries.BINS)
        assert [*histogram.bucket] == counts.tolist()
        assert histogram.num == values.numel()
        assert np.allclose(histogram.bucket_limit, edges[1:], atol=0)
        assert np.isclose(histogram.sum, exact.sum(), atol=0)
        assert np.isclose(histogram.sum_squares, (exact * exact).sum(), atol=0)
        assert (histogram.min, histogram.max) == (values.min().item(), values.max().item())

    @pytest.mark.parametrize("value", [3.0, 0.0, -1e30])
    def test_a_constant_fills_a_single_bin(self, value: float) -> None:
        histogram = summaries.histogram("w", torch.full((4,), value)).value[0].histo
        assert sum(count > 0 for count in histogram.bucket) == 1
        assert histogram.num == 4

    def test_only_values_that_are_not_finite_are_left_out(self) -> None:
        values = torch.tensor([1.0, float("nan"), float("inf"), 2.0])
        histogram = summaries.histogram("w", values).value[0].histo
        assert (histogram.num, histogram.min, histogram.max) == (2, 1, 2)
        assert summaries.histogram("w", values[1:3]) is None
        assert summaries.histogram("w", torch.empty(0)) is None


def _decoded(summary: summaries.Summary) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(summary.value[0].image.encoded_image_string)))


class TestFilters:
    def test_zero_is_grey_and_the_strongest_weight_black_or_white(self) -> None:
        tiles = torch.zeros(4, 1, 3, 3)
        tiles[1], tiles[2] = 0.5, -0.5
        image = _decoded(summaries.filters("w", tiles))[..., 0].astype(int)
        size = image.shape[0] // 2 - 1  # a line of 1 pixel between tiles
        middle = size // 2
        assert abs(image[middle, middle] - 128) <= 1
        assert image[middle, size + 1 + middle] == 255
        assert image[size + 1 + middle, middle] == 0

    def test_a_filter_with_three_channels_is_in_colour(self) -> None:
        tiles = torch.zeros(1, 3, 5, 5)
        tiles[:, 0] = 1.0
        image = _decoded(summaries.filters("w", tiles))
        assert image[0, 0, 0] == 255
        assert abs(int(image[0, 0, 1]) - 128) <= 1

    def test_weights_of_zero_are_grey(self) -> None:
        image = _decoded(summaries.filters("w", torch.zeros(1, 1, 24, 24)))
        assert set(np.unique(image[:24, :24])) <= {127, 128}


class TestFirstLayer:
    def test_a_convolution_has_filters(self) -> None:
        model = architectures.get("vgg_small").function((3, 32, 32), 10)
        name, tiles = summaries.first_layer(model, (3, 32, 32))
        assert name == "block1.conv1.weight"
        assert tiles.shape == (32, 3, 3, 3)

    def test_a_dense_layer_has_an_image_for_each_unit(self) -> None:
        model = architectures.get("linear").function((1, 8, 8), 10)
        _, tiles = summaries.first_layer(model, (1, 8, 8))
        (weight,) = (p for p in model.parameters() if p.ndim == 2)
        assert torch.equal(tiles.flatten(1), weight)
        assert tiles.shape == (10, 1, 8, 8)

    def test_layers_whose_weights_are_no_images_are_left_out(self) -> None:
        table_row_shape = (5, 1, 1)
        model = architectures.get("linear").function(table_row_shape, 3)
        assert summaries.first_layer(model, table_row_shape) is None
        assert summaries.first_layer(nn.Conv2d(2, 4, 3), (2, 8, 8)) is None
