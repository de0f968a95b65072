"""The choices that change the pixels of a crop."""

from dataclasses import asdict, dataclass
from typing import Any

from bench.data.crops.regions import REGIONS
from bench.data.images.decoding import WINDOWS
from bench.errors import UnusableInput

FITS = ("pad", "stretch")

DEFAULT_MARGIN = 1.5


@dataclass(frozen=True)
class CropSettings:
    """How a lesion becomes a square.

    Attributes
    ----------
    size : int, default 256
        Side in pixels, 8 to 4096.
    fit : str, default "pad"
        "pad" (proportions are kept, zeros fill the rest) or "stretch".
    region : str, default "crop"
        "crop", "context" (around the lesion in the full mammogram) or "full" (the whole
        mammogram).
    margin : float, default 1.5
        Side of the context relative to the longer side of the mask's bounding box, 1 to 20.
    window : str, default "own"
        "own" (16-bit pixels are scaled by their own minimum and maximum) or "voi" (by the window
        of the DICOM file, where it has one).

    Raises
    ------
    UnusableInput
        If a value is out of range or not one of those.
    """

    size: int = 256
    fit: str = "pad"
    region: str = "crop"
    margin: float = DEFAULT_MARGIN
    window: str = "own"

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 4096:
            raise UnusableInput(f"size {self.size}: the working size is 8 to 4096 pixels")
        for name, known in (("fit", FITS), ("region", REGIONS), ("window", WINDOWS)):
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise UnusableInput(f"{name} {value!r} is not one of {', '.join(known)}")
        if not 1 <= self.margin <= 20:
            raise UnusableInput(f"margin {self.margin}: a context is 1 to 20 times the lesion")

    def as_key(self) -> dict[str, Any]:
        """The settings that change pixels, for a cache key.

        Returns
        -------
        dict[str, Any]
            By name; without the margin where the region is not "context".
        """
        settings = asdict(self)
        if self.region != "context":
            del settings["margin"]
        return settings

    @property
    def region_name(self) -> str:
        """The region as tables name it: a context with its margin."""
        return f"context:{self.margin:g}" if self.region == "context" else self.region
