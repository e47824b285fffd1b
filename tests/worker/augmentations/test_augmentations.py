"""Augmentations: movements of pixels, random draws, and the images that they apply to."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.worker.experiments import data, experiment, vgg
from tests.worker.filled import parameters
from worker.augmentations.augmentation import uniform
from worker.augmentations.compose import PADDING, Augment, compose, draw_matrices, resample
from worker.augmentations.geometry import rotations, shears
from worker.registry import augmentations
from worker.training.fit import fit
from worker.training.reports import EpochEnded, Fitted, Stepped

EVERY: dict[str, dict[str, Any]] = {name: {} for name in augmentations.entries()}
WITHOUT_DRAWS = {"fill_mode"}


def pictures(samples: int = 64, height: int = 12, width: int = 12, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    shape = (samples, height, width, channels)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).float()
    return pixels.permute(0, 3, 1, 2)


def augmented(methods: dict[str, dict[str, Any]], pixels: Tensor, seed: int = 0) -> Tensor:
    built = compose(
        {name: parameters("augmentations", name, **own) for name, own in methods.items()}
    )
    assert built is not None
    torch.manual_seed(seed)
    return built(pixels)


@pytest.mark.parametrize("name", EVERY)
class TestEveryAugmentation:
    def test_shape_dtype_and_range_are_kept(self, name: str) -> None:
        pixels = pictures(channels=1)
        before = pixels.clone()
        result = augmented({name: {}}, pixels)
        assert result.shape == pixels.shape
        assert result.dtype == torch.float32
        assert 0 <= result.min() <= result.max() <= 255
        assert torch.equal(pixels, before), "the originals are not changed"

    def test_same_seed_gives_the_same_images(self, name: str) -> None:
        pixels = pictures()
        assert torch.equal(augmented({name: {}}, pixels), augmented({name: {}}, pixels))


@pytest.mark.parametrize("name", [name for name in EVERY if name not in WITHOUT_DRAWS])
def test_each_sample_has_its_own_draws(name: str) -> None:
    alike = pictures(1).expand(64, -1, -1, -1)
    assert len(augmented({name: {}}, alike).flatten(1).unique(dim=0)) > 1


def test_no_augmentations_give_none() -> None:
    assert compose({}) is None


def test_zero_strength_changes_nothing() -> None:
    pixels = pictures()
    still = {
        "rotation": {"degrees": 0.0},
        "shear": {"degrees": 0.0},
        "zoom": {"fraction": 0.0},
        "channel_shift": {"most": 0.0},
        "brightness": {"factors": [1.0, 1.0]},
        "horizontal_flip": {"probability": 0.0},
    }
    assert torch.allclose(augmented(still, pixels), pixels, atol=1e-3)
    assert torch.equal(augmented({"horizontal_flip": {"probability": 0.0}}, pixels), pixels)


def test_order_in_the_specification_has_no_effect() -> None:
    methods = {name: dict(parameters) for name, parameters in EVERY.items()}
    pixels = pictures()
    assert torch.equal(
        augmented(methods, pixels), augmented(dict(reversed(methods.items())), pixels)
    )


class TestDraws:
    def test_draws_are_uniform_in_their_range(self) -> None:
        torch.manual_seed(1)
        drawn = uniform(torch.empty(200_000, 1, 1, 1), -3.0, 5.0)
        assert -3 <= drawn.min() < -2.99
        assert 4.99 < drawn.max() <= 5
        assert drawn.mean().item() == pytest.approx(1.0, abs=0.02)
        assert drawn.var().item() == pytest.approx(64 / 12, rel=0.02)

    @pytest.mark.parametrize(
        ("name", "parameters", "entry", "low", "high"),
        [
            ("width_shift", {"fraction": 0.25}, (0, 2), -5, 5),
            ("height_shift", {"fraction": 0.25}, (1, 2), -2.5, 2.5),
            ("zoom", {"fraction": 0.2}, (0, 0), 0.8, 1.2),
            ("zoom", {"fraction": 0.2}, (1, 1), 0.8, 1.2),
            ("rotation", {"degrees": 30.0}, (1, 0), -0.5, 0.5),
            ("shear", {"degrees": 30.0}, (0, 1), -0.5, 0.5),
        ],
    )
    def test_draws_of_a_movement_are_uniform_in_its_range(
        self, name: str, parameters: dict[str, Any], entry: Any, low: float, high: float
    ) -> None:
        """On images of 10 rows and 20 columns; angles by their sine."""
        pixels = torch.empty(20_000, 1, 10, 20)
        movement = augmentations.get(name).function(**parameters).matrices
        torch.manual_seed(2)
        drawn = draw_matrices(pixels, [movement], [])[:, *entry]
        assert low <= drawn.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < drawn.max() <= high
        assert drawn.mean().item() == pytest.approx((low + high) / 2, abs=0.02 * (high - low))

    def test_width_and_height_are_zoomed_independently(self) -> None:
        movement = augmentations.get("zoom").function(fraction=0.5).matrices
        drawn = draw_matrices(torch.empty(5000, 1, 8, 8), [movement], [])
        both = torch.corrcoef(torch.stack([drawn[:, 0, 0], drawn[:, 1, 1]]))
        assert abs(both[0, 1]) < 0.05

    def test_flip_has_its_probability(self) -> None:
        pixels = torch.arange(2.0).expand(20_000, 1, 1, 2)
        flipped = augmented({"horizontal_flip": {"probability": 0.3}}, pixels)[:, 0, 0, 0]
        assert flipped.mean().item() == pytest.approx(0.3, abs=0.015)


class TestMovements:
    def test_rotation_equals_the_rotation_of_pillow(self) -> None:
        """On a smooth picture, away from the border, which Pillow fills with black."""
        y, x = np.mgrid[0:64, 0:64]
        smooth = (127 + 60 * np.sin(x / 7) + 60 * np.cos(y / 9)).clip(0, 255).astype(np.uint8)
        pixels = torch.from_numpy(smooth).float()[None, None]
        for degrees in (-37.0, 10.0, 90.0):
            angle = torch.tensor([np.radians(degrees)], dtype=torch.float32)
            ours = resample(pixels, rotations(angle), padding="zeros")[0, 0].numpy()
            rotated = Image.fromarray(smooth).rotate(degrees, Image.Resampling.BILINEAR)
            theirs = np.asarray(rotated, dtype=np.float32)
            assert np.abs(ours - theirs)[16:-16, 16:-16].max() < 2.5, degrees

    def test_shift_by_whole_pixels_is_exact(self) -> None:
        pixels = pictures(1, 6, 9)
        matrices = torch.eye(3)[None].clone()
        matrices[0, 0, 2], matrices[0, 1, 2] = 2, -1
        moved = resample(pixels, matrices, padding="zeros")
        expected = torch.zeros_like(pixels)
        expected[:, :, 1:, :-2] = pixels[:, :, :-1, 2:]
        assert torch.allclose(moved, expected, atol=1e-3)

    def test_shear_moves_rows_by_the_sine(self) -> None:
        pixels = torch.zeros(1, 1, 21, 21)
        pixels[0, 0, :, 10] = 255  # a vertical line
        slanted = resample(pixels, shears(torch.tensor([np.pi / 6])), padding="zeros")[0, 0]
        # 8 rows below the centre, the line is where x − 8·½ = 0.
        assert slanted[10, 10] == pytest.approx(255, abs=0.1)
        assert slanted[18, 14] == pytest.approx(255, abs=0.1)

    def test_zoom_factor_above_1_shrinks_the_image(self) -> None:
        pixels = torch.full((1, 1, 20, 20), 255.0)
        matrices = torch.diag(torch.tensor([2.0, 2.0, 1.0]))[None]
        shown = resample(pixels, matrices, padding="zeros")[0, 0]
        assert shown[10, 10] == 255
        assert shown[2, 2] == 0
        assert (shown > 0).float().mean().item() == pytest.approx(0.25, abs=0.06)

    @pytest.mark.parametrize(("name", "axis"), [("horizontal_flip", -1), ("vertical_flip", -2)])
    def test_flip_is_exact_alone_and_with_other_movements(self, name: str, axis: int) -> None:
        pixels = pictures(3, 7, 10)
        always = {name: {"probability": 1.0}}
        assert torch.equal(augmented(always, pixels), pixels.flip(axis))
        moved = augmented({**always, "rotation": {"degrees": 0.0}}, pixels)
        assert torch.allclose(moved, pixels.flip(axis), atol=2e-3)

    def test_empty_areas_are_filled(self) -> None:
        row = torch.tensor([[[[10.0, 20, 30, 40]]]]).expand(1, 1, 4, 4)
        matrices = torch.eye(3)[None].clone()
        matrices[0, 0, 2] = -2
        rows = {
            mode: resample(row, matrices, padding=padding)[0, 0, 1].tolist()
            for mode, padding in PADDING.items()
        }
        assert rows["nearest"] == pytest.approx([10, 10, 10, 20], abs=0.01)
        assert rows["reflect"] == pytest.approx([20, 10, 10, 20], abs=0.01)
        assert rows["constant"] == pytest.approx([0, 0, 10, 20], abs=0.01)

    def test_all_movements_together_take_one_resampling(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[int] = []
        real = torch.nn.functional.grid_sample

        def counted(*args: Any, **kwargs: Any) -> Tensor:
            calls.append(1)
            return real(*args, **kwargs)

        monkeypatch.setattr(torch.nn.functional, "grid_sample", counted)
        augmented(EVERY, pictures())
        assert len(calls) == 1


class TestPhotometry:
    def test_channel_shift_is_an_offset_within_bounds(self) -> None:
        pixels = pictures(200)
        shifted = augmented({"channel_shift": {"most": 100.0}}, pixels)
        inside = (shifted > 0) & (shifted < 255)
        for before, after, where in zip(pixels, shifted, inside, strict=True):
            offsets = (after - before)[where]
            assert offsets.max() - offsets.min() < 1e-3
            assert offsets.abs().max() <= 100

    def test_brightness_is_a_factor_within_bounds(self) -> None:
        pixels = pictures(200).clamp(min=1)
        lit = augmented({"brightness": {"factors": [1.5, 0.5]}}, pixels)
        inside = lit < 255
        ratios = zip(lit / pixels, inside, strict=True)
        factors = torch.stack([ratio[where].mean() for ratio, where in ratios])
        assert 0.5 <= factors.min() < 0.55
        assert 1.4 < factors.max() <= 1.5
        assert lit.max() <= 255


class TestTraining:
    def _fields(self) -> dict[str, Any]:
        return {"architecture": vgg(), "augmentation": {name: {} for name in EVERY}}

    def test_only_training_images_are_augmented(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[int] = []
        real = Augment.__call__

        def counted(self: Augment, pixels: Tensor) -> Tensor:
            seen.append(len(pixels))
            return real(self, pixels)

        monkeypatch.setattr(Augment, "__call__", counted)
        training = experiment(bundle=data(train=32, validation=18), **self._fields())
        list(fit(training))
        assert sum(seen) == 3 * 32, "each training image once per epoch, and no other image"

    def test_resumed_job_has_the_same_draws(self) -> None:
        whole = next(r for r in fit(experiment(**self._fields())) if isinstance(r, Fitted))
        generator = fit(experiment(**self._fields()))
        state = next(r.snapshot() for r in generator if isinstance(r, Stepped) and r.step == 6)
        generator.close()
        training = experiment(**self._fields())
        ended = [r for r in fit(training, state=state) if isinstance(r, EpochEnded)]
        assert ended
        again = experiment(**self._fields())
        for _ in fit(again):
            pass
        for name, tensor in training.model.state_dict().items():
            assert torch.equal(tensor, again.model.state_dict()[name]), name
        assert whole.step == ended[-1].step

    def test_images_differ_between_epochs(self) -> None:
        training = experiment(augmentation={"rotation": {"degrees": 45.0}})
        assert training.augment is not None
        torch.manual_seed(1)
        first = training.augment(pictures())
        assert not torch.equal(first, training.augment(pictures()))
