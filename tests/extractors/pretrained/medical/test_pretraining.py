"""Where pretraining may have seen test images, the report says so; where not, nothing is said."""

import pytest

from extractors import BackboneInfo
from extractors.pretrained.medical.pretraining import pretraining, pretraining_notices


def info(name: str, source: str | None, weights: str = "hub", origin: str = "pretrained", **more):
    kind = name.partition(":")[0]
    return BackboneInfo(name, kind, name, weights, origin, source=source, **more)  # type: ignore[arg-type]


RAD_DINO = info("hf:microsoft/rad-dino", "microsoft/rad-dino")
BIOMEDCLIP = info("open_clip:hf-hub:x", "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224")
MAMMO_CLIP = info(
    "medical:mammo-clip-b5",
    "shawn24/Mammo-CLIP",
    "mammo-clip-b5",
    download_files=("Pre-trained-checkpoints/b5-model-best-epoch-7.tar",),
)
IMAGENET = info("torchvision:resnet18", "https://x", "IMAGENET1K_V1")
MINE = info("mine", None, "file:0123", "file")
DRAWN = info("random:timm:resnet18", None, "random", "random")


def notices(*infos: BackboneInfo, on: str = "mias") -> list[str]:
    return pretraining_notices({one.name: one for one in infos}, {on}, own_images=on == "folder")


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (IMAGENET, "ImageNet-1k"),
        (DRAWN, "nothing"),
        (MINE, "not known"),
        (RAD_DINO, "LVD-142M, public chest X-rays (BRAX, CheXpert, MIMIC-CXR, NIH-CXR, PadChest)"),
    ],
)
def test_the_column_says_what_is_known(one, said) -> None:
    assert pretraining(one) == said


def test_nothing_is_said_of_weights_that_cannot_have_seen_the_images() -> None:
    for on in ("mias", "cbis-ddsm", "folder"):
        assert notices(IMAGENET, DRAWN, on=on) == []
    assert notices(RAD_DINO, on="mias") == []


def test_an_overlap_is_said() -> None:
    (said,) = notices(MAMMO_CLIP, on="vindr")
    assert "medical:mammo-clip-b5 was pretrained on images of a data set that is tested" in said
    assert "perhaps VinDr-Mammo" in said
    assert notices(MAMMO_CLIP, on="mias") == []


def test_what_cannot_be_known_is_one_line() -> None:
    (said,) = notices(MINE, BIOMEDCLIP, IMAGENET)
    assert said.endswith(f"{MINE.name}, {BIOMEDCLIP.name}")
    assert "not known whether they have seen test images" in said


def test_a_users_own_images_may_be_among_medical_ones() -> None:
    (said,) = notices(RAD_DINO, on="folder")
    assert "make sure that the tested ones are not among them" in said
    assert "PadChest" in said
