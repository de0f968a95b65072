"""Features written into files: a row a crop, with patient, label and split, and a provenance."""

import csv
import io
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench import provenance
from bench.atomic_files import write_atomically
from bench.data.lesions import unusable
from bench.execution.features import Extraction, FeatureRecord
from bench.execution.progress import Reporter
from bench.execution.site import Site
from bench.execution.tasks import attempt
from bench.file_names import clashes, portable
from bench.planning.extractor import Extractor
from bench.store import file_digest
from reports.whole_files import whole_path

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.lesions import Dataset

# What stands beside the features of a crop, before them.
COLUMNS = ("crop_id", "patient_id", "label", "split")
# The label where none is known, in a file that has no empty cells.
NO_LABEL = -1


def check_place(out: Path, names: Sequence[str], kind: str) -> dict[str, Path]:
    """The file of each extractor's features.

    Raises
    ------
    UnusableInput
        If two would have one file, or a file is there that this command has not written.
    """
    if out.exists() and not out.is_dir():
        raise unusable(out, "is a file, not a folder for features")
    places: dict[str, Path] = {}
    taken = set[str]()
    for name in names:
        file = out / f"{portable(name)}.{kind}"
        if clashes(file.name, taken):
            raise unusable(file, "two extractors would have this file; name a folder for each")
        for one in (file, facts_file(file)):
            if one.exists() and not _is_ours(facts_file(file)):
                raise unusable(one, "is there already, and is not replaced; name another --out")
        places[name] = file
    return places


def facts_file(file: Path) -> Path:
    """Where what is known of a file of features stands beside it."""
    return file.with_name(f"{file.name}.json")


def _is_ours(file: Path) -> bool:
    try:
        return "features" in json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


@dataclass(frozen=True)
class Export:
    """Features on their way into files.

    Attributes
    ----------
    site : Site
        Where they are made.
    dataset : Dataset
        Whose crops they are of.
    subsets : Sequence[str]
        The subsets whose crops are written.
    labelled : bool
        Whether labels mean anything.
    command : Sequence[str]
        The command line, for the provenance.
    """

    site: Site
    dataset: "Dataset"
    subsets: Sequence[str]
    labelled: bool
    command: Sequence[str]

    def write(
        self, extractor: Extractor, file: Path, reporter: Reporter
    ) -> tuple[Path | None, str]:
        """Write one extractor's features, and their provenance.

        Parameters
        ----------
        extractor : Extractor
            Frozen.
        file : Path
            From `check_place`; its ending is the format.
        reporter : Reporter
            Told how far the work is.

        Returns
        -------
        tuple[Path | None, str]
            The file, or None where there are no features, and a line for people.
        """
        stack = self.site.stack
        of_subsets = [stack.positions(name) for name in self.subsets]
        rows = np.unique(np.concatenate(of_subsets))
        if not len(rows):
            return None, f"{extractor.name}: none of the crops can be read"

        def made() -> tuple[NDArray[np.floating[Any]], FeatureRecord]:
            with reporter.step(extractor.name, len(stack.table), "crops") as step:
                found = Extraction(self.site).features(extractor, rows, step)
            return found.matrix[rows], found.record

        found, status = attempt(extractor, self.site.store, made)
        if found is None:
            return None, status if status.startswith(extractor.name) else (
                f"{extractor.name}: {status}"
            )
        matrix, record = found
        table = self._beside(stack.table.iloc[rows])
        _WRITERS[file.suffix](file, table, matrix.astype(np.float32))
        facts = self._provenance(extractor, record, file, matrix.shape)
        text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(facts_file(file), text + "\n")
        count, width = matrix.shape
        return file, f"{extractor.name}: {width} features of {count} crops in {file}"

    def _beside(self, table: "pd.DataFrame") -> "pd.DataFrame":
        found = table[list(COLUMNS)].reset_index(drop=True)
        if self.labelled:
            return found
        return found.assign(label=NO_LABEL)

    def _provenance(
        self, extractor: Extractor, record: FeatureRecord, file: Path, shape: tuple[int, ...]
    ) -> dict[str, Any]:
        stack, rules = self.site.stack, self.site.rules
        known = ("weights_digest", "precision", "input", "parameters")
        return {
            "features": {
                "file": file.name,
                "sha256": file_digest(file),
                "rows": shape[0],
                "columns": shape[1],
                "label": "1 is the positive class" if self.labelled else "not known",
            },
            "extractor": {
                **extractor.facts(),
                **{name: record.profile.get(name) for name in known},
            },
            "data": {
                "dataset": self.dataset.name,
                "title": self.dataset.title,
                "synthetic": self.dataset.synthetic,
                "fingerprint": stack.fingerprint,
                "subset": list(self.subsets),
                **stack.settings.as_key(),
                "patient_ids": self.dataset.patient_ids,
                "left_out": stack.left_out.to_dict("records"),
            },
            "rules": asdict(rules),
            "suite": {
                "name": provenance.DISTRIBUTION,
                "version": provenance.suite_version(),
                "command": shlex.join(self.command),
            },
            "packages": provenance.packages(),
        }


def _write_parquet(file: Path, table: "pd.DataFrame", matrix: NDArray[np.float32]) -> None:
    import pandas as pd

    columns = pd.DataFrame(matrix, columns=[f"f{i}" for i in range(matrix.shape[1])])
    label = table["label"].astype("Int64").mask(table["label"] == NO_LABEL)
    whole = pd.concat([table.assign(label=label), columns], axis=1)
    with whole_path(file) as temporary:
        whole.to_parquet(temporary, index=False)


def _write_npz(file: Path, table: "pd.DataFrame", matrix: NDArray[np.float32]) -> None:
    arrays = {
        "ids": table["crop_id"].to_numpy(dtype=str),
        "X": matrix,
        "patient_id": table["patient_id"].to_numpy(dtype=str),
        "label": table["label"].to_numpy(dtype=np.int64),
        "split": table["split"].to_numpy(dtype=str),
    }
    with whole_path(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def _write_csv(file: Path, table: "pd.DataFrame", matrix: NDArray[np.float32]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"f{i}" for i in range(matrix.shape[1]))])
    for beside, row in zip(table.itertuples(index=False, name=None), matrix, strict=True):
        cells = ["" if cell == NO_LABEL else cell for cell in beside]
        # The shortest text that reads back as the same float32.
        writer.writerow([*cells, *map(str, row)])
    write_atomically(file, text.getvalue())


_WRITERS = {".parquet": _write_parquet, ".npz": _write_npz, ".csv": _write_csv}
