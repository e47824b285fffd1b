import pytest
import torch

from tests.worker.experiments import split
from worker.data.normalization import choose_normalization
from worker.registry import SpecError
from worker.training.device_split import DeviceSplit, Normalization
from worker.training.transfer import Weights


def _inputs(kind: str) -> torch.Tensor:
    """The training split as the network receives it."""
    train = split(50, seed=1)
    normalization = choose_normalization(kind, train.images, None)
    on_device = DeviceSplit(train.images, train.labels, normalization, torch.device("cpu"))
    images_NCHW, _ = on_device.batch(slice(None))
    return images_NCHW


class TestImages:
    def test_standardize_centres_and_scales_each_channel_of_the_training_split(self) -> None:
        images_NCHW = _inputs("standardize")
        assert torch.allclose(images_NCHW.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
        deviations = images_NCHW.std((0, 2, 3), unbiased=False)
        assert torch.allclose(deviations, torch.ones(3), atol=1e-5)

    def test_mean_and_deviation_are_exact(self) -> None:
        images_NCHW = split(50, seed=1).images
        pixels = images_NCHW.double() / 255
        normalization = choose_normalization("standardize", images_NCHW, None)
        assert normalization.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), rel=1e-12)
        assert normalization.deviation == pytest.approx(
            pixels.std((0, 2, 3), unbiased=False).tolist(), rel=1e-12
        )

    def test_unit_is_0_to_1_and_none_keeps_pixel_values(self) -> None:
        pixels = split(50, seed=1).images.float()
        assert torch.allclose(_inputs("unit"), pixels / 255, atol=1e-6)
        assert torch.allclose(_inputs("none"), pixels, rtol=1e-6)

    def test_constant_channel_is_centred_and_not_scaled(self) -> None:
        images_NCHW = torch.full((4, 1, 8, 8), 51, dtype=torch.uint8)
        normalization = choose_normalization("standardize", images_NCHW, None)
        assert normalization.mean == pytest.approx((0.2,))
        assert normalization.deviation == (1.0,)

    def test_batches_are_channels_last(self) -> None:
        assert _inputs("unit").is_contiguous(memory_format=torch.channels_last)


class TestTable:
    def test_standardize_centres_and_scales_each_column(self) -> None:
        rows_NC11 = torch.tensor([[1.0, 5.0], [3.0, 5.0]])[:, :, None, None]
        normalization = choose_normalization("standardize", rows_NC11, None)
        assert normalization == Normalization((2.0, 5.0), (1.0, 1.0), largest=1.0)

    @pytest.mark.parametrize(
        ("offset", "step"),
        [(0.0, 1.0), (1.7e9, 10.0), (1e15, 1.0), (0.0, 1e-200), (1e-300, 1e-303), (0.0, 1e38)],
    )
    def test_columns_of_any_magnitude_are_exact_in_the_network(
        self, offset: float, step: float
    ) -> None:
        """A Unix time in float32 is exact to 128 seconds; squares of 1e-200 are 0."""
        rows_NC11 = offset + step * torch.tensor([0.0, 1.0, 2.0]).double()[:, None, None, None]
        normalization = choose_normalization("standardize", rows_NC11, None)
        device = torch.device("cpu")
        split = DeviceSplit(rows_NC11, torch.arange(3), normalization, device)
        images_NCHW, _ = split.batch(slice(None))
        assert images_NCHW.dtype == torch.float32
        width = 1.5**0.5
        assert images_NCHW.flatten().tolist() == pytest.approx([-width, 0, width], rel=1e-6)

    @pytest.mark.parametrize("value", [0.0, 0.1, 1.7e9, 1e-300, 3e38])
    def test_constant_column_is_centred_and_not_scaled(self, value: float) -> None:
        rows_NC11 = torch.full((7, 1, 1, 1), value, dtype=torch.float64)
        normalization = choose_normalization("standardize", rows_NC11, None)
        assert normalization.mean == pytest.approx((value,), rel=1e-12)
        assert normalization.deviation == (1.0,)

    def test_none_keeps_the_values(self) -> None:
        rows_NC11 = torch.tensor([[1.0, -2.5], [3.0, 1e30]]).double()[:, :, None, None]
        normalization = choose_normalization("none", rows_NC11, None)
        split = DeviceSplit(rows_NC11, torch.arange(2), normalization, torch.device("cpu"))
        assert torch.equal(split.batch(torch.tensor([1]))[0], rows_NC11[1:].float())

    def test_unit_is_refused(self) -> None:
        with pytest.raises(SpecError, match="is unit; for a table it must be standardize or none"):
            choose_normalization("unit", torch.zeros(2, 3, 1, 1), None)


class TestWeights:
    def test_of_weights_is_the_normalization_of_the_weights(self) -> None:
        own = Normalization((0.1,), (0.2,))
        images_NCHW = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
        assert choose_normalization("of_weights", images_NCHW, Weights({}, own)) is own

    @pytest.mark.parametrize("weights", [None, Weights({}, None)])
    def test_weights_without_a_normalization_are_refused(self, weights: Weights | None) -> None:
        with pytest.raises(SpecError, match="it must be standardize, unit or none"):
            choose_normalization("of_weights", torch.zeros(2, 1, 8, 8).byte(), weights)
