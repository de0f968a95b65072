"""What the benchmark compares by default, and how much work its presets do."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from extractors.networks import NETWORKS

# The pretrained backbones of the default comparison.
DEFAULT_EXTRACTORS: tuple[str, ...] = (
    "torchvision:alexnet",
    "torchvision:googlenet",
    "torchvision:resnet18",
    "torchvision:resnet50",
    "torchvision:resnet101",
    "timm:vit_tiny_patch16_224",
    "timm:vit_small_patch16_224",
    "timm:vit_base_patch16_224",
    "timm:deit_small_patch16_224",
    "timm:swin_tiny_patch4_window7_224",
    "timm:convnext_tiny",
    "timm:vit_small_patch14_dinov2",
    "bundled:efficientnet_lite0",
)

# In every fold the extractor and the classifier that do best inside the training rows.
SELECTED = "selected"

# The protocol of external sets.
EXTERNAL = "external"


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How much work a run does where its options do not say otherwise.

    Attributes
    ----------
    description : str
        One line for people.
    protocols : tuple[str, ...]
        Names of protocols.
    repeats : int
        Repeats of the protocols that are drawn anew.
    extractors : tuple[str, ...]
        Names of extractors.
    network_seeds : int
        Trainings of each network where a protocol has one split only.
    network_repeats : int
        Repeats of `patient-cv` in which networks are trained.
    """

    description: str
    protocols: tuple[str, ...]
    repeats: int
    extractors: tuple[str, ...]
    network_seeds: int
    network_repeats: int


# Published as fine-tuned on this data, and a ViT to compare them with.
_FINETUNED = tuple(
    f"{name}+finetuned"
    for name in DEFAULT_EXTRACTORS
    if name.startswith("torchvision:") or name == "timm:vit_small_patch16_224"
)
_LOCALIZED = tuple(f"{n}+drloc" for n, known in NETWORKS.items() if known.localization_weight)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "quick": Preset(
            description="the official split, one seed, networks trained for 10 epochs: "
            "minutes on the phantom",
            protocols=("official",),
            repeats=1,
            extractors=(*DEFAULT_EXTRACTORS, *NETWORKS, "swin_t+drloc", SELECTED),
            network_seeds=1,
            network_repeats=1,
        ),
        "thesis": Preset(
            description="the official split with 3 network seeds, and patient-cv repeated 10 times "
            "(once for networks), the thesis' networks trained as it says, the hybrids for the "
            "published number of epochs",
            protocols=("official", "patient-cv"),
            repeats=10,
            extractors=(*DEFAULT_EXTRACTORS, *NETWORKS, *_LOCALIZED, *_FINETUNED, SELECTED),
            network_seeds=3,
            network_repeats=1,
        ),
        "full": Preset(
            description="as thesis, with patient-cv repeated 3 times for networks, trained longer "
            "with strong augmentation",
            protocols=("official", "patient-cv"),
            repeats=10,
            extractors=(
                *DEFAULT_EXTRACTORS,
                *NETWORKS,
                *_LOCALIZED,
                *(f"{name}+finetuned" for name in DEFAULT_EXTRACTORS),
                SELECTED,
            ),
            network_seeds=3,
            network_repeats=3,
        ),
    }
)
