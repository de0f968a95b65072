"""Weights are called published only where their bytes are known to be."""

from dataclasses import replace
from pathlib import Path

import pytest

from extractors import describe
from extractors.describe import resolve
from extractors.pretrained.library import Published
from extractors.pretrained.provenance import is_published
from extractors.pretrained.weights import checkpoint_digest

TIMM, TORCHVISION = "timm:test_vit", "torchvision:resnet18"
FOLDER = "models--timm--test_vit.r160_in1k"


def published(name: str) -> Published:
    found = resolve(name)
    assert isinstance(found, Published)
    return found


def blob(root: Path, folder: str = FOLDER, name: str | None = None, content: bytes = b"w") -> Path:
    """A file as the Hub's client keeps it: a blob, and a link to it in a snapshot."""
    made = root / folder / "blobs" / "new"
    made.parent.mkdir(parents=True)
    made.write_bytes(content)
    kept = made.rename(made.with_name(name or checkpoint_digest(made)))
    link = root / folder / "snapshots" / "abc123" / "model.safetensors"
    link.parent.mkdir(parents=True)
    link.symlink_to(Path("../../blobs") / kept.name)
    (root / folder / "refs").mkdir()
    (root / folder / "refs" / "main").write_text("abc123")
    return link


@pytest.mark.parametrize("place", ["hf/hub", "weights", "weights/hub"])
def test_the_blob_of_the_hubs_cache_is_published(place: str, tmp_path: Path) -> None:
    link = blob(tmp_path / place)
    (tmp_path / "weights").mkdir(exist_ok=True)
    info = describe(TIMM, tmp_path / "weights")
    assert (info.weights_path, info.weights, info.origin) == (link, "r160_in1k", "pretrained")


@pytest.mark.parametrize(
    "wrong", [{"name": "a" * 64}, {"name": "a" * 40}, {"folder": "models--me--mine"}]
)
def test_a_blob_of_other_bytes_or_another_repository_is_not(
    wrong: dict[str, str], tmp_path: Path
) -> None:
    link = blob(tmp_path, **wrong)
    assert not is_published(published(TIMM), link, checkpoint_digest(link))


@pytest.mark.parametrize("name", ["resnet18-f37072fd.pth", "resnet18.pth", "hub/checkpoints/{}"])
def test_the_hash_in_the_name_is_checked(name: str, tmp_path: Path) -> None:
    path = tmp_path / name.format("resnet18-f37072fd.pth")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"fine-tuned on the same patients")
    info = describe(TORCHVISION, tmp_path)
    assert info.weights_path == path
    assert (info.weights, info.origin) == (f"file:{checkpoint_digest(path)[:12]}", "file")
    # The same bytes under a URL that names their hash are the published ones, called as they may.
    known = published(TORCHVISION)
    digest = checkpoint_digest(path)
    assert is_published(replace(known, url=f"https://host/r-{digest[:8]}.pth"), path, digest)
    assert not is_published(replace(known, url="https://host/resnet18.pth"), path, digest)


def test_the_bundled_weights_are_those_of_the_table() -> None:
    info = describe("bundled:efficientnet_lite0")
    assert (info.weights, info.origin) == ("imagenet", "pretrained")
    known = published("bundled:efficientnet_lite0")
    assert not is_published(known, Path("efficientnet.pth"), "0" * 64)


def test_weights_that_are_not_there_are_called_by_what_would_be_fetched() -> None:
    assert (describe(TORCHVISION).weights, describe(TORCHVISION).cached) == ("IMAGENET1K_V1", False)
