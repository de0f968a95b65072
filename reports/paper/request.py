"""What a paper shows: which systems, under which names, in which form; and how they are found."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reports.statistics.measures import MEASURES
from reports.systems.kinds import KERNEL, OWN_HEAD, from_scratch
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run
from reports.values import missing, short

DEFAULT_MEASURES = ("auc", "sensitivity", "specificity")


class NotInRun(ValueError):
    """The run has no such system, subset, protocol or measure; the message is one line."""


@dataclass(frozen=True)
class PaperRequest:
    """What is shown, and in which form.

    Attributes
    ----------
    systems : tuple[str, ...]
        Extractors, or EXTRACTOR/CLASSIFIER.
    subset, protocol : str
        Empty for the first of the run that is no audit.
    measures : tuple[str, ...]
        Columns of the table; the first is that of the forest.
    names : Mapping[str, str]
        What a system, as it stands in `systems`, is called.
    width : float
        Of a column, in inches.
    font_size : float
        In points.
    decimal : str
        A point or a comma.
    """

    systems: tuple[str, ...]
    subset: str = ""
    protocol: str = ""
    measures: tuple[str, ...] = DEFAULT_MEASURES
    names: Mapping[str, str] = field(default_factory=dict)
    width: float = 3.5
    font_size: float = 8.0
    decimal: str = "."

    def checked(self) -> None:
        """Raise NotInRun for a value that cannot be used."""
        if not self.systems:
            raise NotInRun("--systems names no system")
        for name in self.measures:
            _known(name, MEASURES, "--measures")
            if self.measures.count(name) > 1:
                raise NotInRun(f"--measures names {name} twice")
        if not self.measures:
            raise NotInRun("--measures names no measure")
        for name in self.names:
            _known(name, self.systems, "--names")
        if not 1 <= self.width <= 20:
            raise NotInRun(f"--width {self.width:g} is no width of a figure in inches (1 to 20)")
        if not 4 <= self.font_size <= 24:
            raise NotInRun(f"--font-size {self.font_size:g} is no size in points (4 to 24)")
        if self.decimal not in (".", ","):
            raise NotInRun(f"--decimal {self.decimal!r} is neither a point nor a comma")


def place_of(
    run: Run, systems: Sequence[PooledSystem], request: PaperRequest
) -> tuple[str, str, list[PooledSystem]]:
    """Subset and protocol that are shown, and the systems there on all training patients."""
    whole = [system for system in systems if system.whole]
    subsets = list(dict.fromkeys(str(system.identity["subset"]) for system in whole))
    subset = request.subset or (subsets[0] if subsets else "")
    _known(subset, subsets, "--subset")
    there = [system for system in whole if str(system.identity["subset"]) == subset]
    protocols = list(dict.fromkeys(str(system.identity["protocol"]) for system in there))
    honest = [name for name in protocols if name not in run.audits]
    protocol = request.protocol or (honest or protocols)[0]
    _known(protocol, protocols, "--protocol")
    return subset, protocol, [s for s in there if str(s.identity["protocol"]) == protocol]


def chosen(members: Sequence[PooledSystem], wanted: str) -> PooledSystem:
    """The system that EXTRACTOR or EXTRACTOR/CLASSIFIER names.

    Without a classifier it is the network's own head if it was trained from scratch here, else the
    medium Gaussian SVM, else the only one there is.
    """
    extractors = list(dict.fromkeys(str(system.identity["extractor"]) for system in members))
    extractor, classifier = wanted, ""
    if wanted not in extractors and "/" in wanted:
        # A name from the Hub holds slashes itself.
        extractor, _, classifier = wanted.rpartition("/")
    _known(extractor, extractors, "--systems")
    found = [system for system in members if str(system.identity["extractor"]) == extractor]
    classifiers = list(dict.fromkeys(str(system.identity["classifier"]) for system in found))
    if classifier:
        _known(classifier, classifiers, f"--systems {extractor}")
    else:
        rule = (OWN_HEAD, KERNEL) if from_scratch(found[0]) else (KERNEL, OWN_HEAD)
        classifier = next((name for name in rule if name in classifiers), classifiers[0])
        if classifier not in rule and len(classifiers) > 1:
            raise NotInRun(
                f"--systems {wanted}: name a classifier, {wanted}/NAME, out of "
                f"{', '.join(classifiers)}"
            )
    found = [system for system in found if str(system.identity["classifier"]) == classifier]
    # Of several box constraints the preset stands for all, as in the declared comparisons.
    preset = [s for s in found if missing(s.identity["C"]) or s.identity["C"] == 1] or found
    if len(preset) > 1:
        raise NotInRun(f"--systems {wanted}: the run has {len(preset)} of them, {_apart(preset)}")
    if not preset[0].ran:
        raise NotInRun(f"--systems {wanted}: it did not run: {preset[0].status}")
    return preset[0]


def _known(value: str, known: Sequence[str], option: str) -> None:
    if value in known:
        return
    near = difflib.get_close_matches(value, known, n=1, cutoff=0.3)
    inside = [name for name in known if value and value.lower() in name.lower()]
    hint = f"; the nearest is {(inside or near)[0]}" if inside or near else ""
    some = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
    raise NotInRun(f"{option}: unknown {value!r}{hint}; there are {some or 'none'}")


def _apart(systems: Sequence[PooledSystem]) -> str:
    """The settings in which systems differ, with their values."""
    differ = {
        name: list(dict.fromkeys(short(system.identity[name]) for system in systems))
        for name in systems[0].identity
    }
    return "; ".join(f"{n} {', '.join(v)}" for n, v in differ.items() if len(v) > 1)
