"""Augmentation: recovered from the images themselves, against the stated ranges and scipy."""

import random

import numpy as np
import pytest
import torch
from scipy import ndimage

from extractors.errors import BackboneError
from extractors.recipes import STRONG_AUGMENTATION, THESIS_AUGMENTATION, Augmentation
from extractors.training.augmentation import make_augmentation

SIDE = 65
CENTRE = SIDE // 2
COUNT = 256
NAMED = pytest.mark.parametrize(
    "augmentation", [THESIS_AUGMENTATION, STRONG_AUGMENTATION], ids=["thesis", "strong"]
)


def augmented(augmentation: Augmentation, pixels: torch.Tensor, seed: int = 0) -> torch.Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_augmentation(augmentation)(pixels)


def textured(count: int, seed: int = 0) -> torch.Tensor:
    """(count, 1, SIDE, SIDE): the same smooth image, without symmetry, from 0.25 to 0.75."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((SIDE, SIDE)), 2)
    noise = 0.25 + 0.5 * (noise - noise.min()) / np.ptp(noise)
    return torch.from_numpy(noise).float().expand(count, 1, SIDE, SIDE).contiguous()


def maps(augmentation: Augmentation) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """What COUNT draws did: from output to input places, as matrices and offsets about the centre.

    Rows and columns come first and second. Read off two channels that hold each pixel's own place,
    near the centre, where nothing is mirrored; the third channel is a texture.
    """
    places = torch.stack(torch.meshgrid(*[torch.arange(SIDE) / SIDE] * 2, indexing="ij"))
    pixels = torch.cat([places.expand(COUNT, -1, -1, -1), textured(COUNT)], 1)
    out = augmented(augmentation, pixels)
    near = out[:, :2].double().numpy() * SIDE
    middle = near[:, :, CENTRE, CENTRE]
    down = near[:, :, CENTRE + 2, CENTRE] - near[:, :, CENTRE - 2, CENTRE]
    across = near[:, :, CENTRE, CENTRE + 2] - near[:, :, CENTRE, CENTRE - 2]
    return np.stack([down, across], -1) / 4, middle - CENTRE, out[:, 2]


def assert_fills(values: np.ndarray, low: float, high: float, slack: float = 1e-3) -> None:
    """Within [low, high] and near both ends, centred, and no image left as it was."""
    assert len(np.unique(values.round(6))) > 0.95 * len(values)
    assert values.min() > low - slack
    assert values.max() < high + slack
    span = high - low
    assert values.min() < low + 0.05 * span
    assert values.max() > high - 0.05 * span
    # Six standard deviations of the mean of uniform draws.
    assert abs(values.mean() - (low + high) / 2) < 6 * span / np.sqrt(12 * values.size)


@NAMED
def test_at_strength_0_the_pixels_come_back_and_nothing_is_drawn(augmentation) -> None:
    pixels = torch.rand(8, 1, 32, 32)
    before = torch.get_rng_state()
    off = Augmentation(**{**vars(augmentation), "strength": 0.0})
    assert torch.equal(make_augmentation(off)(pixels), pixels)
    assert torch.equal(torch.get_rng_state(), before)


@NAMED
def test_shape_type_and_range_are_kept(augmentation) -> None:
    extremes = torch.stack([torch.zeros(1, 32, 32), torch.ones(1, 32, 32)]).repeat(32, 1, 1, 1)
    for pixels in (extremes, torch.rand(64, 1, 33, 33), torch.rand(1, 1, 16, 16)):
        copy = pixels.clone()
        out = augmented(augmentation, pixels)
        assert out.shape == pixels.shape
        assert out.dtype == torch.float32
        assert 0 <= out.min() <= out.max() <= 1  # which NaN would fail
        assert torch.equal(pixels, copy)
        assert not out.requires_grad


@NAMED
def test_every_image_and_every_call_has_its_own_draw(augmentation) -> None:
    augment = make_augmentation(augmentation)
    pixels = textured(16)
    both = torch.cat([augment(pixels), augment(pixels)]).flatten(1)
    nearest = torch.cdist(both, both).fill_diagonal_(torch.inf)
    assert nearest.min() > 0.1


@NAMED
def test_the_seed_alone_decides_and_other_generators_are_left_alone(augmentation) -> None:
    pixels = textured(16)
    numpy_before, python_before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    first, again = augmented(augmentation, pixels, 3), augmented(augmentation, pixels, 3)
    assert torch.equal(first, again)
    assert not torch.equal(first, augmented(augmentation, pixels, 4))
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    assert random.getstate() == python_before


def test_under_autocast_placements_are_not_rounded_to_bfloat16() -> None:
    pixels = textured(8)
    plain = augmented(STRONG_AUGMENTATION, pixels)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augmented(STRONG_AUGMENTATION, pixels), plain)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_turns_zooms_and_shifts_fill_their_ranges(strength) -> None:
    matrices, offsets, _ = maps(Augmentation(rotation=0.02, zoom=0.2, shift=0.1, strength=strength))
    # An image that is zoomed along its own axes and then turned: diag(extents) times a rotation.
    extents = np.linalg.norm(matrices, axis=2)
    assert_fills(extents[:, 0], 1 - 0.2 * strength, 1 + 0.2 * strength)
    assert_fills(extents[:, 1], 1 - 0.2 * strength, 1 + 0.2 * strength)
    assert abs(np.corrcoef(extents.T)[0, 1]) < 0.3
    turns = matrices / extents[:, :, None]
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(2), atol=1e-3)
    assert np.allclose(np.linalg.det(turns), 1, atol=1e-3)
    angles = np.arctan2(turns[:, 0, 1], turns[:, 0, 0]) / (2 * np.pi)
    assert_fills(angles, -0.02 * strength, 0.02 * strength)
    # Where the input's centre went, in shares of the side.
    moved = -np.einsum("nij,nj->ni", np.linalg.inv(matrices), offsets) / SIDE
    for axis in (0, 1):
        assert_fills(moved[:, axis], -0.1 * strength, 0.1 * strength)


def test_strong_augmentation_turns_to_any_angle_about_the_centre() -> None:
    matrices, offsets, _ = maps(Augmentation(rotation=STRONG_AUGMENTATION.rotation))
    assert_fills(np.arctan2(matrices[:, 0, 1], matrices[:, 0, 0]), -np.pi, np.pi)
    assert np.abs(offsets).max() < 1e-3


def test_resampling_is_bilinear_and_mirrors_at_the_border_as_scipy_does() -> None:
    settings = Augmentation(rotation=0.5, zoom=0.2, shift=0.1)
    matrices, offsets, out = maps(settings)
    image = textured(1)[0, 0].double().numpy()
    centre = np.full(2, CENTRE)
    for matrix, offset, seen in zip(matrices[:16], offsets, out, strict=False):
        start = centre + offset - matrix @ centre
        wanted = ndimage.affine_transform(image, matrix, start, order=1, mode="reflect")
        assert np.abs(seen.numpy() - wanted).max() < 2e-3


@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize(("field", "axis"), [("flip_horizontal", 3), ("flip_vertical", 2)])
def test_half_of_the_images_are_mirrored(field, axis, strength) -> None:
    pixels = textured(COUNT)
    out = augmented(Augmentation(**{field: True}, strength=strength), pixels)
    same = [torch.equal(a, b) for a, b in zip(out, pixels, strict=True)]
    mirrored = [torch.equal(a, b) for a, b in zip(out, pixels.flip(axis), strict=True)]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    # Four standard deviations of a share of COUNT.
    assert abs(np.mean(mirrored) - 0.5 * strength) < 4 * 0.5 / np.sqrt(COUNT)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_brightness_is_added_to_every_value_and_clipped(strength) -> None:
    pixels = torch.full((COUNT, 1, 4, 4), 0.5)
    pixels[:, :, 0, 0], pixels[:, :, 0, 1] = 0.0, 1.0
    out = augmented(Augmentation(brightness=0.1, strength=strength), pixels)
    added = (out[:, 0, 3, 3] - 0.5).double()
    assert_fills(added.numpy(), -0.1 * strength, 0.1 * strength, slack=1e-6)
    assert torch.allclose(out[:, 0, 0, 0].double(), added.clamp(min=0), atol=1e-6)
    assert torch.allclose(out[:, 0, 0, 1].double(), 1 + added.clamp(max=0), atol=1e-6)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_contrast_scales_about_the_mean_of_each_image(strength) -> None:
    """kornia before 0.9 took the mean over the batch: here the images' means differ."""
    means = torch.linspace(0.3, 0.7, COUNT)[:, None, None, None]
    pixels = means + torch.linspace(-0.1, 0.1, 16).reshape(1, 1, 4, 4)
    out = augmented(Augmentation(contrast=0.2, strength=strength), pixels)
    assert torch.allclose(out.mean((1, 2, 3)), means.flatten(), atol=1e-5)
    factors = ((out - means) / (pixels - means)).flatten(1).double()
    assert factors.std(1).max() < 1e-4
    assert_fills(factors.mean(1).numpy(), 1 - 0.2 * strength, 1 + 0.2 * strength)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_erasing_blanks_one_rectangle_of_the_stated_area(strength) -> None:
    side = 128
    out = augmented(Augmentation(erase=0.5, strength=strength), torch.ones(COUNT, 1, side, side))
    shares = []
    for blank in (out[:, 0] == 0).numpy():
        if blank.any():
            rows, columns = np.flatnonzero(blank.any(1)), np.flatnonzero(blank.any(0))
            assert blank[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            shares.append(blank.mean())
    assert ((out == 0) | (out == 1)).all()
    assert abs(len(shares) / COUNT - 0.5 * strength) < 4 * 0.5 / np.sqrt(COUNT)
    # Sides are whole pixels: half a pixel more or less of each.
    assert 0.015 < min(shares) < 0.05
    assert 0.17 < max(shares) < 0.21


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"zoom": 1.0}, "zoom is 1.0, wants 0 to 0.9"),
        ({"brightness": -0.1}, "brightness is -0.1"),
        ({"erase": 1.5}, "erase is 1.5"),
        ({"rotation": float("nan")}, "rotation is nan"),
        ({"flip_vertical": True, "strength": 2.0}, "strength is 2.0"),
    ],
)
def test_senseless_settings_are_named(setting, message) -> None:
    with pytest.raises(BackboneError, match=message):
        make_augmentation(Augmentation(**setting))
