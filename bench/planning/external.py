"""External sets: loaded like the data set, and matched with it class by class."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.data.class_words import UnknownClass, normalised
from bench.data.crops.joined import external_name
from bench.data.lesions import Dataset, SubsetInfo, unusable
from bench.errors import UnusableInput
from reports.statistics.intervals import MAX_UNDEFINED

if TYPE_CHECKING:
    import pandas as pd

# Patients of a class below which draws of them say nothing.
_FEWEST = 3

Load = Callable[[str | None], Dataset]


@dataclass(frozen=True)
class ExternalSet:
    """A data set that is tested on and not trained on.

    Attributes
    ----------
    name : str
        As in `--external NAME=PATH`.
    dataset : Dataset
        As it was loaded.
    parts : Mapping[str, tuple[str, ...]]
        For each subset of the run, the base subsets of this set that are tested on.
    """

    name: str
    dataset: Dataset
    parts: Mapping[str, tuple[str, ...]]

    @property
    def tested(self) -> dict[str, tuple[str, ...]]:
        """The same by the names that the base subsets have beside the data set's own."""
        return {
            subset: tuple(external_name(part, self.name) for part in parts)
            for subset, parts in self.parts.items()
        }

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reader must know of it, one line each."""
        lines = [*self.dataset.notices, *self._kinds(), *self._few_patients()]
        return tuple(f"external set {self.name}: {line}" for line in lines)

    def _kinds(self) -> list[str]:
        lines = []
        if self.dataset.synthetic:
            lines.append("synthetic: its figures mean nothing for mammography")
        if not self.dataset.patient_ids:
            lines.append(
                "no patient ids: every image counts as a patient of its own, and only pictures "
                "tell whether a patient was trained on"
            )
        used = {part for parts in self.parts.values() for part in parts}
        unused = sorted(set(self.dataset.table["subset"]) - used)
        if unused:
            lines.append(f"not tested on, of other subsets or classes: {', '.join(unused)}")
        return lines

    def _few_patients(self) -> list[str]:
        """Subsets whose intervals say nothing, or are missing: too many draws hold one class."""
        lines = []
        for subset, parts in self.parts.items():
            rows = self.dataset.table[self.dataset.table["subset"].isin(parts)]
            patients = rows["patient_id"].nunique()
            of_class = [rows.loc[rows["label"] == n, "patient_id"].nunique() for n in (0, 1)]
            undefined = sum((1 - one / patients) ** patients for one in of_class)
            if min(of_class) < _FEWEST or undefined > MAX_UNDEFINED:
                lines.append(
                    f"too few patients for an interval: {of_class[1]} with positive crops and "
                    f"{of_class[0]} with negative ones are tested on under {subset}"
                )
        return lines


def load_all(
    own: Load, others: Mapping[str, Load], positive: str | None
) -> tuple[Dataset, dict[str, Dataset]]:
    """The data set and the external sets; `--positive` is for those of them that have that class.

    Raises
    ------
    UnusableInput
        If a set cannot be used, or no set has a class of that name.
    """
    loads = [("", own), *others.items()]
    found: dict[str, Dataset] = {}
    lacking: list[UnknownClass] = []
    for name, load in loads:
        try:
            found[name] = load(positive)
        except UnknownClass as error:
            lacking.append(error)
        except UnusableInput as error:
            raise _of_set(name, error) from error
    if len(lacking) == len(loads):
        raise lacking[0]
    for name, load in loads:
        if name not in found:
            try:
                found[name] = load(None)
            except UnusableInput as error:
                raise _of_set(name, error) from error
    return found[""], {name: found[name] for name in others}


def _of_set(name: str, error: UnusableInput) -> UnusableInput:
    return UnusableInput(f"external set {name}: {error}") if name else error


def match(
    name: str, external: Dataset, dataset: Dataset, subsets: Sequence[str], positive: str | None
) -> ExternalSet:
    """An external set with what of it each subset is tested on.

    That is the subset of the same name, else all base subsets; of either only what has the same
    positive class, by its name or as `--positive` says.

    Raises
    ------
    UnusableInput
        If it is the data set itself, has no such class, or one class only.
    """
    where = f"external set {name}"
    if os.path.realpath(external.source.root) == os.path.realpath(dataset.source.root):
        raise unusable(where, f"is the data set that is trained on, {dataset.source.root}")
    parts = {}
    for subset in subsets:
        own = dataset.subsets[subset]
        alike = _alike(external, subset)
        fitting = {n: i for n, i in alike.items() if _same_class(own, i, positive)}
        if not fitting:
            words = ", ".join(dict.fromkeys(repr(info.positive) for info in alike.values()))
            raise unusable(
                where,
                f"its positive class is {words}, that of subset {subset} is {own.positive!r}: if "
                f"both mean the same, --positive {next(iter(alike.values())).positive!r} says so"
                + "; --subset leaves subsets out"
                * (len(subsets) > 1),
            )
        parts[subset] = tuple(dict.fromkeys(p for info in fitting.values() for p in info.parts))
        check_classes(where, external.table, subset, parts[subset])
    return ExternalSet(name, external, parts)


def check_classes(where: str, table: "pd.DataFrame", subset: str, parts: Sequence[str]) -> None:
    """Raise UnusableInput unless the rows that are tested on hold both classes."""
    labels = table.loc[table["subset"].isin(list(parts)), "label"]
    if labels.nunique() < 2:
        which = f"one class only (label {labels.iloc[0]})" if len(labels) else "no usable crop"
        raise unusable(where, f"holds {which} to test subset {subset} on")


def _alike(external: Dataset, subset: str) -> dict[str, SubsetInfo]:
    if subset in external.subsets:
        return {subset: external.subsets[subset]}
    return {name: info for name, info in external.subsets.items() if info.parts == (name,)}


def _same_class(own: SubsetInfo, other: SubsetInfo, positive: str | None) -> bool:
    word = normalised(other.positive)
    return word == normalised(own.positive) or (
        positive is not None and word == normalised(positive)
    )
