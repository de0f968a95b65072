"""What a run is told to do: the validated configuration and the presets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bench.errors import UnusableInput
from extractors.names import DEFAULT_EXTRACTORS, SELECTED
from extractors.networks import NETWORKS

if TYPE_CHECKING:
    from bench.data.crops.settings import CropSettings


@dataclass(frozen=True)
class Preset:
    """How much work a run does where its options do not say otherwise.

    `network_seeds` are the trainings of each network where a protocol has one split only;
    `network_repeats` the repeats of patient-cv in which networks are trained.
    """

    description: str
    protocols: tuple[str, ...]
    repeats: int
    extractors: tuple[str, ...]
    network_seeds: int
    network_repeats: int


# Published as fine-tuned on this data, and the ViTs to set beside them.
_FINETUNED = tuple(
    f"{name}+finetuned"
    for name in DEFAULT_EXTRACTORS
    if name.startswith("torchvision:") or name in ("timm:vit_small_patch16_224",)
)
_LOCALIZED = tuple(f"{n}+drloc" for n, known in NETWORKS.items() if known.localization_weight)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "quick": Preset(
            "the official split, one seed, networks trained for 10 epochs: minutes on the phantom",
            ("official",),
            1,
            (*DEFAULT_EXTRACTORS, *NETWORKS, "swin_t+drloc", SELECTED),
            1,
            1,
        ),
        "thesis": Preset(
            "the official split with 3 network seeds, and patient-cv repeated 10 times (once for "
            "networks), trained as published where that is known",
            ("official", "patient-cv"),
            10,
            (*DEFAULT_EXTRACTORS, *NETWORKS, *_LOCALIZED, *_FINETUNED, SELECTED),
            3,
            1,
        ),
        "full": Preset(
            "as thesis, with patient-cv repeated 3 times for networks, trained longer with strong "
            "augmentation",
            ("official", "patient-cv"),
            10,
            (
                *DEFAULT_EXTRACTORS,
                *NETWORKS,
                *_LOCALIZED,
                *(f"{name}+finetuned" for name in DEFAULT_EXTRACTORS),
                SELECTED,
            ),
            3,
            3,
        ),
    }
)


class Configuration(BaseModel):
    """The options of `python -m bench all`, checked.

    `data` None means the built-in phantom; a field that is None otherwise takes the preset's or the
    data set's default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path | None = None
    dataset: Literal["auto", "cbis-ddsm", "mias", "folder", "phantom"] = "auto"
    tables: Path | None = None
    subset: tuple[str, ...] | None = None
    region: Literal["crop", "context", "full"] = "crop"
    margin: float = Field(1.5, ge=1, le=20)
    fit: Literal["pad", "stretch"] = "pad"
    window: Literal["own", "voi"] = "own"
    size: int = Field(256, ge=8, le=4096)
    preset: Literal["quick", "thesis", "full"] = "quick"
    extractors: tuple[str, ...] | None = None
    classifiers: tuple[str, ...] | None = None
    protocols: tuple[str, ...] | None = None
    repeats: int | None = Field(None, ge=1, le=1000)
    train_fraction: tuple[float, ...] = (1.0,)
    tune: bool = False
    weights_dir: Path | None = None
    cache: Path | None = None
    device: str = "auto"
    seed: int = Field(0, ge=0, le=2**32 - 1)
    jobs: int = Field(0, ge=0, le=256)
    plugin: tuple[Path, ...] = ()
    out: Path | None = None
    strict: bool = False

    @field_validator("train_fraction")
    @classmethod
    def _shares(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < share <= 1 for share in shares):
            raise ValueError("shares of the training patients lie above 0 and up to 1")
        return tuple(sorted(set(shares)))

    @classmethod
    def checked(cls, options: Mapping[str, Any]) -> "Configuration":
        """Make a configuration of options.

        Raises
        ------
        UnusableInput
            With one line that names the option and says what is wrong with it.
        """
        try:
            return cls(**options)
        except ValidationError as error:
            first = error.errors()[0]
            option = str(first["loc"][0]).replace("_", "-")
            given = first["input"]
            shown = ",".join(map(str, given)) if isinstance(given, tuple) else repr(given)
            reason = first["msg"].removeprefix("Value error, ")
            raise UnusableInput(f"--{option} {shown}: {reason}") from error

    def crop_settings(self) -> "CropSettings":
        """How crops are cut and made square."""
        from bench.data.crops.settings import CropSettings

        return CropSettings(self.size, self.fit, self.region, self.margin, self.window)

    def chosen_protocols(self) -> tuple[str, ...]:
        """The protocols asked for, else the preset's."""
        return self.protocols or PRESETS[self.preset].protocols

    def chosen_repeats(self) -> int:
        """The number of repeats asked for, else the preset's."""
        return self.repeats or PRESETS[self.preset].repeats

    def chosen_network_runs(self) -> tuple[int, int]:
        """Trainings of a network on a single split, and repeats of patient-cv for networks."""
        preset = PRESETS[self.preset]
        return self.repeats or preset.network_seeds, self.repeats or preset.network_repeats


def check_names(option: str, asked: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Raise UnusableInput, with the nearest names, where a name is not among the known ones."""
    from difflib import get_close_matches

    for name in asked:
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.4)
            hint = f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(known)}"
            raise UnusableInput(f"--{option} {name!r} is unknown; {hint}")
        if asked.count(name) > 1:
            raise UnusableInput(f"--{option}: {name!r} is named more than once")
