"""The folder of one run: whose it is, and what is written into it.

The folder belongs to one configuration from its first moment. Everything in it is written whole or
not at all, the manifest last.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.atomic_files import atomic_path, remove_stale, write_atomically
from bench.errors import UnusableInput
from bench.record.pictures import THUMBNAILS_PER_CLASS, VIT_INPUT, write_png

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from bench.data.crops.stack import CropStack


class RunFolder:
    """One run's folder, e.g. `runs/phantom-quick`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest_file = path / "manifest.json"

    def claim(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Take the folder for a configuration, or go on where the same configuration left off.

        Parameters
        ----------
        manifest
            The manifest with every section but the results.

        Returns
        -------
        The manifest, with the time of creation of the first run of this configuration.

        Raises
        ------
        UnusableInput
            If the folder holds the run of another configuration, or something else, or cannot be
            written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UnusableInput(f"{self.path}: is a file, not a folder for a run")
        earlier = self._earlier()
        if earlier is not None:
            _refuse_other(self.path, earlier, manifest)
            manifest["run"]["created"] = earlier["run"]["created"]
            # The manifest that stands there is left until there are results to replace it with.
            remove_stale(self.path)
            return manifest
        if self.path.is_dir() and any(self.path.iterdir()):
            raise UnusableInput(
                f"{self.path}: holds files but no run; name a new or empty folder with --out"
            )
        self.write_manifest(manifest)
        return manifest

    def _earlier(self) -> dict[str, Any] | None:
        if not self.manifest_file.is_file():
            return None
        try:
            earlier = json.loads(self.manifest_file.read_text(encoding="utf-8"))
            earlier["run"]["created"], earlier["configuration"].keys()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise UnusableInput(
                f"{self.manifest_file}: is not the manifest of a run; name a new folder with --out"
            ) from None
        return dict(earlier)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write manifest.json."""
        text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(self.manifest_file, text + "\n")

    def write_table(self, name: str, table: "pd.DataFrame") -> None:
        """Write one Parquet file."""
        with atomic_path(self.path / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)

    def write_thumbnails(self, stack: "CropStack", subsets: Iterable[str]) -> list[dict[str, str]]:
        """Write a few crops of each class of each subset, and list them for the page."""
        import numpy as np

        listed = []
        for subset in subsets:
            positions = stack.positions(subset)
            labels = stack.table["label"].to_numpy()[positions]
            info = stack.subsets[subset]
            for label, name in ((0, info.negative), (1, info.positive)):
                of_class = positions[labels == label]
                places = np.linspace(0, len(of_class) - 1, min(THUMBNAILS_PER_CLASS, len(of_class)))
                for position in dict.fromkeys(int(i) for i in of_class[places.astype(int)]):
                    file = f"images/{stack.digests[position][:16]}.png"
                    write_png(self.path / file, stack.images[position])
                    crop_id = str(stack.table["crop_id"].iloc[position])
                    listed.append(
                        {"file": file, "crop_id": crop_id, "label": name, "subset": subset}
                    )
        return listed

    def write_mistakes(self, stack: "CropStack", crop_ids: Iterable[str]) -> list[dict[str, str]]:
        """Write the crops with the most confident mistakes, and list them for the page."""
        of_id = {str(name): place for place, name in enumerate(stack.table["crop_id"])}
        listed = []
        for crop_id in crop_ids:
            position = of_id[crop_id]
            file = f"images/{stack.digests[position][:16]}.png"
            write_png(self.path / file, stack.images[position])
            listed.append({"file": file, "crop_id": crop_id})
        return listed

    def write_overlay(
        self, pixels: "NDArray[np.uint8]", crop: str, share: "NDArray[np.uint8]", unit: str
    ) -> dict[str, str]:
        """Write a crop and, beside it, its saliency over it; the files of both.

        pixels : of the crop. crop : its digest. share : (S, S), 255 where saliency is highest.
        unit : the key of the unit that is explained.
        """
        import numpy as np
        from PIL import Image

        from reports.page.saliency import overlay

        files = {
            "plain": f"images/{crop[:16]}.png",
            "overlay": f"images/saliency-{crop[:16]}-{unit[:8]}.png",
        }
        grey = np.asarray(Image.fromarray(pixels).resize(share.shape[::-1]))
        write_png(self.path / files["plain"], pixels)
        write_png(self.path / files["overlay"], overlay(grey, share))
        return files

    def write_patch_example(self, stack: "CropStack", subset: str) -> dict[str, str | int]:
        """Write the crop that the page shows cut into patches: the subset's first positive one."""
        position = next(
            int(place) for place in stack.positions(subset) if stack.table["label"].iloc[place] == 1
        )
        file = "images/patches.png"
        write_png(self.path / file, stack.images[position], stack.settings.size)
        return {
            "file": file,
            "crop_id": str(stack.table["crop_id"].iloc[position]),
            "subset": subset,
            "label": stack.subsets[subset].positive,
            **VIT_INPUT,
        }


def _refuse_other(path: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    # Through JSON and back, so that a tuple is compared as the list that it was written as.
    wanted = json.loads(json.dumps(now["configuration"]))
    kept = earlier["configuration"]
    # Options come before the crops that they lead to.
    for option in sorted({**kept, **wanted}, key=lambda name: name == "fingerprint"):
        if option == "fingerprint" and kept.get(option) != wanted.get(option):
            raise UnusableInput(
                f"{path}: holds a run on other crops of {kept.get('dataset')} than those of now; "
                "name a new folder with --out"
            )
        if kept.get(option) != wanted.get(option):
            raise UnusableInput(
                f"{path}: holds a run with {option} {_shown(kept.get(option))}, this one has "
                f"{_shown(wanted.get(option))}; name a new folder with --out"
            )


def _shown(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
