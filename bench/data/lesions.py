"""The lesion table: its columns, its rules, and the data set that a loader returns.

One row is one crop. Every loader ends in `finish`, which checks the table and lists what was left
out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data.patients import groups_of
from bench.data.sources import ImageSource, first_that_escapes, path_problem
from bench.errors import UnusableInput

if TYPE_CHECKING:
    import pandas as pd

REQUIRED_COLUMNS = (
    "crop_id",  # unique
    "lesion_id",  # shared by the views of one lesion
    "patient_id",  # see `patients` for the column group_id, which keeps patients together
    "laterality",  # LEFT, RIGHT or empty
    "view",  # CC, MLO, another one of the source, or empty
    "abnormality",  # mass, calc, or the source's own class
    "abnormality_id",
    "pathology",  # as in the source
    "label",  # 1 malignant (or what the subset calls positive)
    "split",  # train, test, none
    "path",  # POSIX, relative to the data root
    "subset",  # the base subset that the row belongs to
)
CLINICAL_COLUMNS = (
    "density",
    "assessment",
    "subtlety",
    "shape",
    "margins",
    "calc_type",
    "calc_distribution",
)
GEOMETRY_COLUMNS = ("centre_row", "centre_column", "half_side")  # pixels of the film at `path`
# A crop around a place or a box shows at least this much around its centre.
SMALLEST_HALF_SIDE = 32
# Sides of a picture and of what was made for it may differ in scale, and the two factors by
# rounding. If they differ by more than this, relatively, another place would be marked.
PROPORTION_TOLERANCE = 0.02
# Where a row's mask and full mammogram lie, like `path`; empty where the data set has none.
FILE_COLUMNS = ("mask_path", "film_path")
# How the column label_from begins where a label is made from a radiologist's assessment.
READING = "BI-RADS"
SPLITS = ("train", "test", "none")
NO_SPLIT = "no official split"
LEFT_OUT_COLUMNS = ("crop_id", "path", "reason")


@dataclass(frozen=True)
class SubsetInfo:
    """A subset of a data set, and what its two labels mean.

    Attributes
    ----------
    parts : tuple[str, ...]
        The base subsets in it.
    positive, negative : str
        The words for label 1 and label 0.
    """

    parts: tuple[str, ...]
    positive: str = "malignant"
    negative: str = "benign"


@dataclass(frozen=True)
class LeftOut:
    """A row that a loader read and does not use, and the reason."""

    crop_id: str
    path: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """A lesion table and all that is needed to read its crops and to report on them.

    Attributes
    ----------
    name : str
        That of its loader, such as "mias"; "phantom" for any synthetic one.
    source : ImageSource
        Reads the bytes of `table.path`; `source.root` is the folder or archive.
    table : pd.DataFrame
        One row a crop, `REQUIRED_COLUMNS` first, index 0 … n - 1.
    left_out : pd.DataFrame
        The rows that are not used: crop_id, path, reason.
    subsets : Mapping[str, SubsetInfo]
        The subsets by name, base subsets first.
    synthetic : bool
        True for the phantom, whose figures mean nothing for mammography.
    patient_ids : bool
        False where nothing says whose an image is, and each counts as a patient of its own.
    licence, citation : str
        One line each; empty for a user's own folder.
    notices : tuple[str, ...]
        What a reader of the results must know of the data, one line each.
    source_tables : Mapping[str, pd.DataFrame]
        Counts of the data set's own tables before any file is looked for, by name (see
        `cbis_ddsm.case_tables.count_tables`); empty where there are none.
    description : Mapping[str, str]
        What `dataset.json` at the data root says: name, derived_from, changed, licence, citation.
    published_figures : bool
        Whether figures published for a data set of this name may stand beside its own.
    organ : str
        What the images show, for the sentences of a report; empty for a user's own folder.
    numbering : str
        What has given out the patient ids: the same ids in data sets whose numberings are known
        and differ are of different patients. Empty for a user's own folder.
    own : bool
        Whether a user has put it together: masks may lie among its pictures, and nothing was
        published of it.
    """

    name: str
    source: ImageSource
    table: "pd.DataFrame"
    left_out: "pd.DataFrame"
    subsets: Mapping[str, SubsetInfo]
    synthetic: bool = False
    licence: str = ""
    citation: str = ""
    notices: tuple[str, ...] = field(default=())
    source_tables: "Mapping[str, pd.DataFrame]" = field(default_factory=dict)
    patient_ids: bool = True
    description: Mapping[str, str] = field(default_factory=dict)
    published_figures: bool = True
    organ: str = ""
    numbering: str = ""
    own: bool = False

    @property
    def title(self) -> str:
        """The name that it gives itself, with the kind of data set; else that kind alone."""
        given = self.description.get("name")
        return f"{given} ({self.name})" if given else self.name

    def rows(self, subset: str) -> "pd.DataFrame":
        """The rows of a subset in table order.

        Parameters
        ----------
        subset : str
            One of `subsets`.

        Returns
        -------
        pd.DataFrame
            The rows, index 0 … n - 1.

        Raises
        ------
        UnusableInput
            If the data set has no such subset.
        """
        return select(self.table, self.subsets, subset)


def select(table: "pd.DataFrame", subsets: Mapping[str, SubsetInfo], subset: str) -> "pd.DataFrame":
    """The rows of `table` that belong to a subset, in table order, index 0 … n - 1."""
    if subset not in subsets:
        raise UnusableInput(f"subset {subset!r}: this data set has {', '.join(subsets)}")
    return table[table["subset"].isin(subsets[subset].parts)].reset_index(drop=True)


def unusable(where: object, reason: str) -> UnusableInput:
    """The exception to raise; its message is one line even if a path or a cell has line breaks."""
    return UnusableInput(" ".join(f"{where}: {reason}".split()))


def finish(
    dataset: str,
    source: ImageSource,
    rows: "pd.DataFrame | list[dict[str, Any]]",
    left_out: Iterable[LeftOut],
    subsets: Mapping[str, SubsetInfo],
    *,
    licence: str = "",
    citation: str = "",
    notices: Iterable[str] = (),
    source_tables: "Mapping[str, pd.DataFrame] | None" = None,
    patient_ids: bool = True,
    organ: str = "",
    own: bool = False,
) -> Dataset:
    """Check a loader's rows and make the data set; raises UnusableInput as `validate` does."""
    import pandas as pd

    unused = left_out_table(left_out)
    root = source.root
    table = pd.DataFrame(rows)
    if table.empty and len(unused):
        path, reason = unused["path"].iloc[0], unused["reason"].iloc[0]
        first = f"{path}: {reason}" if path else reason
        raise unusable(
            root, f"no usable crop; all {len(unused)} rows are left out, the first one: {first}"
        )
    checked = validate(table, root, source.follow_links)
    present = set(checked["subset"])
    kept = {name: info for name, info in subsets.items() if present.issuperset(info.parts)}
    return Dataset(
        name=dataset,
        source=source,
        table=checked,
        left_out=unused,
        subsets=kept,
        licence=licence,
        citation=citation,
        notices=(*notices, *_one_class(checked, kept)),
        source_tables=source_tables or {},
        patient_ids=patient_ids,
        organ=organ,
        own=own,
        # A user's own table may hold patients of any set.
        numbering="" if own else dataset,
    )


def left_out_table(rows: Iterable[LeftOut]) -> "pd.DataFrame":
    """The rows left out as a table with the columns crop_id, path, reason."""
    import pandas as pd

    cells = [(row.crop_id, row.path, row.reason) for row in rows]
    return pd.DataFrame(cells, columns=list(LEFT_OUT_COLUMNS), dtype=str)


def totals(in_tables: Mapping[str, int], published: Mapping[str, int]) -> "pd.DataFrame":
    """How much the set's own tables hold, beside what was published of them.

    Parameters
    ----------
    in_tables, published : Mapping[str, int]
        Counts of rows, lesions, patients or images; `summary.summarise` adds what is used.

    Returns
    -------
    pd.DataFrame
        Columns of, in_tables, published.
    """
    import pandas as pd

    names = list(dict.fromkeys((*in_tables, *published)))
    cells = [(name, in_tables.get(name), published.get(name)) for name in names]
    return pd.DataFrame(cells, columns=["of", "in_tables", "published"], dtype=object)


def validate(table: "pd.DataFrame", root: Path, follow_links: bool = False) -> "pd.DataFrame":
    """Check a lesion table against every rule.

    Parameters
    ----------
    table : pd.DataFrame
        One row a crop.
    root : Path
        The data root; named in messages.
    follow_links : bool, default False
        Whether symbolic links may lead out of the root.

    Returns
    -------
    pd.DataFrame
        The table with `REQUIRED_COLUMNS` first, index 0 … n - 1.

    Raises
    ------
    UnusableInput
        For a missing column, an empty table, a duplicate crop_id, a lesion of two patients, a
        label outside {0, 1}, a split outside `SPLITS`, a path that may leave `root`, or a geometry
        that is not a square.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in table.columns]
    if missing:
        raise unusable(root, f"the lesion table lacks the column {', '.join(missing)}")
    if table.empty:
        raise unusable(root, "the lesion table is empty")
    _check_identity(table, root)
    _check_values(table, root)
    _check_paths(table, root, follow_links)
    others = [name for name in table.columns if name not in REQUIRED_COLUMNS]
    ordered = table[[*REQUIRED_COLUMNS, *others]].reset_index(drop=True)
    return ordered.astype({"label": "int64"})


def check_classes(table: "pd.DataFrame", root: Path) -> None:
    """Raise UnusableInput if a subset of the table holds one class only.

    For sets that a user has put together: there it is a mistake, not an incomplete download.
    """
    for subset, labels in table.groupby("subset")["label"]:
        if labels.nunique() < 2:
            raise unusable(root, f"subset {subset} holds one class only (label {labels.iloc[0]})")


def _one_class(table: "pd.DataFrame", subsets: Mapping[str, SubsetInfo]) -> list[str]:
    """A notice for every subset with one class, as in an incomplete download."""
    notices = []
    for name, info in subsets.items():
        labels = set(select(table, subsets, name)["label"])
        if len(labels) == 1:
            word = info.positive if labels == {1} else info.negative
            notices.append(f"subset {name} holds one class only ({word}): nothing to be classified")
    return notices


def made_from_reading(table: "pd.DataFrame") -> bool:
    """Whether a label of the table is made from a radiologist's assessment."""
    if "label_from" not in table:
        return False
    return bool(table["label_from"].astype(str).str.startswith(READING).any())


def shared_patients(table: "pd.DataFrame") -> list[str]:
    """The patients with rows in both train and test, sorted; groups, where they make any."""
    groups = groups_of(table)
    train = set(groups[table["split"] == "train"])
    return sorted(train & set(groups[table["split"] == "test"]))


def _check_identity(table: "pd.DataFrame", root: Path) -> None:
    for column in ("crop_id", "lesion_id", "patient_id"):
        empty = table[column].isna() | (table[column] == "")
        if empty.any():
            raise unusable(
                root, f"row {int(empty.argmax()) + 1} of the lesion table has no {column}"
            )
    repeated = table["crop_id"].duplicated()
    if repeated.any():
        raise unusable(
            root, f"crop_id {table.loc[repeated, 'crop_id'].iloc[0]!r} occurs more than once"
        )
    # A lesion id that two patients share would count two lesions as one.
    patients = groups_of(table).groupby([table["subset"], table["lesion_id"]]).nunique()
    if (patients > 1).any():
        raise unusable(
            root, f"lesion_id {patients.idxmax()[1]!r} belongs to more than one patient_id"
        )


def _check_values(table: "pd.DataFrame", root: Path) -> None:
    for column, allowed in (("label", (0, 1)), ("split", SPLITS)):
        wrong = ~table[column].isin(allowed)
        if wrong.any():
            row = table[wrong].iloc[0]
            names = ", ".join(str(value) for value in allowed)
            raise unusable(
                root, f"{column} {str(row[column])!r} of {row['crop_id']!r} is not one of {names}"
            )
    present = [name for name in GEOMETRY_COLUMNS if name in table.columns]
    if present and len(present) < len(GEOMETRY_COLUMNS):
        raise unusable(root, f"the lesion table needs all or none of {', '.join(GEOMETRY_COLUMNS)}")
    if present:
        known = table[list(GEOMETRY_COLUMNS)].notna().sum(axis=1)
        wrong = (known % len(GEOMETRY_COLUMNS) != 0) | (table["half_side"] <= 0)
        if wrong.any():
            raise unusable(
                root, f"the square of {table.loc[wrong, 'crop_id'].iloc[0]!r} is incomplete"
            )


def _check_paths(table: "pd.DataFrame", root: Path, follow_links: bool) -> None:
    named = set(table["path"].unique())
    for column in FILE_COLUMNS:
        if column in table.columns:
            named |= set(table[column].unique()) - {""}
    for path in sorted(named, key=str):
        problem = path_problem(path) if isinstance(path, str) else "is missing"
        if problem:
            raise unusable(root, f"path {path!r} {problem}")
    if follow_links or not root.is_dir():
        return
    outside = first_that_escapes(root, map(str, named))
    if outside is not None:
        raise unusable(
            root,
            f"path {outside!r} leaves the data root through a symbolic link "
            "(--follow-links follows it)",
        )
