"""Rotated crops: the pixels of np.rot90, keys of their own, features of the rotated picture."""

import numpy as np
import pandas as pd
import pytest

from bench.data.crops.rotated import rotated, rotated_positions, rotation_of
from bench.data.crops.settings import CropSettings
from bench.data.crops.stack import CropStack
from bench.execution.features import Extraction
from bench.execution.site import Site
from bench.planning.extractor import Extractor
from bench.store import Store
from extractors import create_backbone, describe, extract

NAME = "bundled:efficientnet_lite0"
N = 6


@pytest.fixture
def stack():
    images = np.random.default_rng(0).integers(0, 256, (N, 24, 24), dtype=np.uint8)
    images[:, :8] //= 4  # dark above: no picture is its own turn
    table = pd.DataFrame(
        {
            "crop_id": [f"c{i}" for i in range(N)],
            "subset": ["mass"] * 4 + ["calc"] * 2,
            "crop_height": np.arange(N) + 10,
            "crop_width": np.arange(N) + 50,
        }
    )
    digests = tuple(f"{i:064x}" for i in range(N))
    return CropStack(images, table, table[:0], digests, "f", {}, CropSettings(size=24))


def test_every_picture_is_rotated_anticlockwise_when_it_is_read(stack):
    before = stack.images.copy()
    images = rotated(stack).images
    for positions in (np.arange(4 * N), np.array([23, 0, 7, 8, 13])):
        found = images[positions]
        assert found.dtype == np.uint8
        for pixels, position in zip(found, positions, strict=True):
            expected = np.rot90(stack.images[position % N], position // N)
            np.testing.assert_array_equal(pixels, expected)
    assert np.array_equal(stack.images, before)


def test_rows_tell_their_turn_and_a_lying_crop_has_changed_its_sides(stack):
    table = rotated(stack).table
    assert rotation_of(table).tolist() == [d for d in (0, 90, 180, 270) for _ in range(N)]
    assert rotation_of(stack.table).tolist() == [0] * N
    assert list(table["crop_id"]) == [f"c{i}" for i in range(N)] * 4
    for position, row in enumerate(table.itertuples()):
        sides = (position % N + 10, position % N + 50)
        lying = position // N in (1, 3)
        assert (row.crop_height, row.crop_width) == (sides[::-1] if lying else sides)
    assert "rotation" not in stack.table


def test_a_crop_keeps_its_digest_and_its_turns_have_others(stack):
    digests = rotated(stack).digests
    assert digests[:N] == stack.digests
    assert len(set(digests)) == 4 * N


def test_features_of_a_rotated_crop_are_those_of_the_rotated_picture(stack, tmp_path):
    extractor = Extractor(NAME, describe(NAME), "imagenet")
    extraction = Extraction(Site(rotated(stack), Store(tmp_path)))
    wanted = np.array([0, 2, 5])
    positions = rotated_positions(wanted, N)
    found = extraction.features(extractor, positions, lambda _: None).matrix
    backbone = create_backbone(NAME, device="cpu")
    for turn in range(4):
        pictures = np.rot90(stack.images[wanted], turn, axes=(1, 2)).copy()
        np.testing.assert_allclose(
            found[wanted + N * turn], extract(backbone, pictures, precision="float32"), atol=1e-4
        )
    assert not np.allclose(found[wanted], found[wanted + N], atol=1e-2)
    unused = np.setdiff1d(np.arange(4 * N), positions)
    assert np.isnan(found[unused]).all()


def test_crops_as_they_are_share_their_features_with_other_protocols(stack, tmp_path):
    """A run under `official` before, or after, extracts no upright crop a second time."""
    store = Store(tmp_path)
    extractor = Extractor(NAME, describe(NAME), "imagenet")
    Extraction(Site(stack, store)).features(extractor, np.arange(N), lambda _: None)
    before = set((tmp_path / "features").rglob("*.safetensors"))
    everything = np.arange(4 * N)
    Extraction(Site(rotated(stack), store)).features(extractor, everything, lambda _: None)
    added = set((tmp_path / "features").rglob("*.safetensors")) - before
    # One chunk for each of the two base subsets and three turns.
    assert (len(before), len(added)) == (2, 6)
