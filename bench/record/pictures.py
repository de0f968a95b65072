"""The pictures of a run folder; what each function returns goes into the manifest for the page."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.execution.explanations import Explanation
from reports.whole_files import whole_path

if TYPE_CHECKING:
    from bench.data.crops.stack import CropStack

THUMBNAILS_PER_CLASS = 4

# What the usual ViT sees: its input and its patches, in pixels.
VIT_INPUT = {"input": 224, "patch": 16}


def write_thumbnails(
    folder: Path, stack: "CropStack", subsets: Iterable[str]
) -> list[dict[str, str]]:
    """Write a few crops of each class of each subset."""
    listed = []
    for subset in subsets:
        positions = stack.positions(subset)
        labels = stack.table["label"].to_numpy()[positions]
        info = stack.subsets[subset]
        for label, name in ((0, info.negative), (1, info.positive)):
            of_class = positions[labels == label]
            places = np.linspace(0, len(of_class) - 1, min(THUMBNAILS_PER_CLASS, len(of_class)))
            for position in dict.fromkeys(int(i) for i in of_class[places.astype(int)]):
                file = _write_crop(folder, stack, position)
                crop_id = str(stack.table["crop_id"].iloc[position])
                listed.append({"file": file, "crop_id": crop_id, "label": name, "subset": subset})
    return listed


def write_mistakes(
    folder: Path, stack: "CropStack", crop_ids: Iterable[str]
) -> list[dict[str, str]]:
    """Write the crops with the most confident mistakes."""
    of_id = {str(name): place for place, name in enumerate(stack.table["crop_id"])}
    return [
        {"file": _write_crop(folder, stack, of_id[crop_id]), "crop_id": crop_id}
        for crop_id in crop_ids
    ]


def write_patch_example(folder: Path, stack: "CropStack", subset: str) -> dict[str, str | int]:
    """Write the crop that the page shows cut into patches: the subset's first positive one."""
    position = next(
        int(place) for place in stack.positions(subset) if stack.table["label"].iloc[place] == 1
    )
    file = "images/patches.png"
    _write_png(folder / file, stack.images[position], stack.settings.size)
    return {
        "file": file,
        "crop_id": str(stack.table["crop_id"].iloc[position]),
        "subset": subset,
        "label": stack.subsets[subset].positive,
        **VIT_INPUT,
    }


def write_explanation(folder: Path, stack: "CropStack", explanation: Explanation) -> dict[str, Any]:
    """Write each explained crop and, beside it, its saliency over it; why not, where not."""
    wanted, maps = explanation.wanted, explanation.maps
    unit = wanted.unit
    columns = ("subset", "protocol", "extractor", "weights", "classifier")
    row: dict[str, Any] = {
        **{name: str(unit[name]) for name in columns},
        **{name: int(unit[name]) for name in ("repeat", "fold")},
        "unit": str(unit["unit"]),
        "kind": wanted.kind,
        "inner_auc": wanted.inner_auc,
    }
    if maps is None:
        return row | {"problem": explanation.problem, "crops": []}
    from reports.page.saliency import coloured

    names = stack.subsets[row["subset"]]
    peaks = [float(peak) for peak in maps.arrays["peak"]]
    crops = []
    for crop, position, share, peak, colour in zip(
        wanted.crops,
        explanation.positions,
        maps.arrays["share"],
        peaks,
        coloured(peaks),
        strict=True,
    ):
        label = int(stack.table["label"].iloc[position])
        crops.append(
            {
                **crop._asdict(),
                "label": names.positive if label == 1 else names.negative,
                "peak": peak,
                **_write_overlay(folder, stack, position, share * colour, row["unit"]),
            }
        )
    return row | {"layer": maps.meta["layer"], "problem": None, "crops": crops}


def _write_overlay(
    folder: Path, stack: "CropStack", position: int, share: NDArray[np.uint8], unit: str
) -> dict[str, str]:
    from PIL import Image

    from reports.page.saliency import overlay

    # A rotated stack makes its pictures when it is read, and takes positions alone.
    (pixels,) = stack.images[np.array([position])]
    crop = stack.digests[position][:16]
    files = {
        "plain": f"images/{crop}.png",
        "overlay": f"images/saliency-{crop}-{unit[:8]}.png",
    }
    grey = np.asarray(Image.fromarray(pixels).resize(share.shape[::-1]))
    _write_png(folder / files["plain"], pixels)
    _write_png(folder / files["overlay"], overlay(grey, share))
    return files


def _write_crop(folder: Path, stack: "CropStack", position: int) -> str:
    file = f"images/{stack.digests[position][:16]}.png"
    _write_png(folder / file, stack.images[position])
    return file


def _write_png(file: Path, pixels: NDArray[np.uint8], side: int = 128) -> None:
    from PIL import Image

    with whole_path(file) as temporary:
        image = Image.fromarray(pixels)
        image.thumbnail((side, side))
        image.save(temporary, format="PNG")


def without_images(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a run folder that has no pictures."""
    data = {**manifest["data"], "thumbnails": [], "mistakes": []}
    data.pop("patches", None)
    return {**manifest, "data": data, "saliency": [], "images": False}


def remove_images(folder: Path) -> None:
    """Remove the pictures of a run folder, which an earlier run has written."""
    images = folder / "images"
    if images.is_symlink():
        images.unlink()
    elif images.is_dir():
        shutil.rmtree(images)
