"""What the page's script draws: every comparison of a run with its systems, as plain values."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.evaluation import Evaluation
from reports.page.details import crop_numbers, declared_pairs, subgroups_of
from reports.page.families import FAMILIES, PLACES, family_key
from reports.page.lead import RULE, facts_of, few_rows, reference_word
from reports.page.packed import often_wrong, packed_roc
from reports.page.uncertainty import MOST_SYSTEMS, pair_figures
from reports.page.within_family import selected_rows
from reports.statistics.bootstrap import bootstrap, observed
from reports.statistics.intervals import bounded_interval
from reports.systems.entries import Entry, FigureGroup
from reports.systems.hosts import hosts_note, hosts_of
from reports.systems.kinds import KERNEL, OWN_HEAD, drawn, is_reference, is_selected
from reports.systems.rows import ScoredRows
from reports.tables.published import PUBLISHED
from reports.values import missing, short

# Name, title and lowest value of each measure, in the order of the page.
MEASURES = (
    ("auc", "AUC", 0),
    ("accuracy", "Accuracy", 0),
    ("sensitivity", "Sensitivity", 0),
    ("specificity", "Specificity", 0),
    ("mcc", "MCC", -1),
)
_NAMES = tuple(name for name, *_ in MEASURES)


def overview(evaluation: Evaluation) -> dict[str, Any]:
    """The whole of it, ready for JSON."""
    run = evaluation.run
    return {
        "measures": MEASURES,
        "families": [vars(family) for family in FAMILIES],
        "declared": RULE,
        "words": {"unit": "crop", "units": "crops", "drawn": run.patients},
        "hosts": hosts_note(hosts_of(run)),
        "groups": [_group(evaluation, group) for group in evaluation.groups],
    }


def _group(evaluation: Evaluation, group: FigureGroup) -> dict[str, Any]:
    backbones = backbone_labels(group)
    declared = declared_places(group, backbones)
    systems = [entry.system for entry in group.entries]
    keys = system_keys(group)
    crops, numbers = crop_numbers(evaluation.run, systems)
    detailed = len(group.ran) <= MOST_SYSTEMS
    found = []
    for place, (entry, backbone) in enumerate(zip(group.entries, backbones, strict=True)):
        told = _system(evaluation, entry) | {"k": keys[place], "e": backbone}
        if place in declared and not _apart(entry):
            told["d"] = 1
        if entry.system.ran and (detailed or place in declared):
            told["roc"] = packed_roc(entry.system)
            if crops:
                told["wrong"] = often_wrong(entry.system, numbers[place], len(crops))
        found.append(told)
    rules = dict.fromkeys(e.name.classifier for e in group.entries if not _apart(e))
    views = {"declared": _views(group, declared)}
    views |= {rule: _views(group, _of_rule(group, rule)) for rule in rules}
    return {
        "key": group.slug,
        "title": group.title,
        "audit": group.audit,
        "facts": facts_of(group),
        "few": few_rows(group),
        "rules": list(rules),
        "systems": found,
        "selected": _selected(group),
        "published": _published(evaluation, group),
        "declared": declared_pairs(evaluation, group, keys),
        "subgroups": subgroups_of(evaluation, group, keys),
        "crops": crops,
        **pair_figures(systems, views, declared),
    }


def _apart(entry: Entry) -> bool:
    """Whether it has no line of its own kind: a reference point, or the row `selected`."""
    return is_reference(entry.system) or is_selected(entry.system)


def backbone_labels(group: FigureGroup) -> list[str]:
    """What each system's line is called: without its library where it can do without."""
    full = [entry.name.extractor for entry in group.entries]
    bare = {name: name.partition(":")[2] or name for name in full}
    common = [name for name in bare.values() if list(bare.values()).count(name) > 1]
    labels = []
    for entry, name in zip(group.entries, full, strict=True):
        if is_reference(entry.system):
            labels.append(reference_word(name))
        else:
            label = name if bare[name] in common or name.startswith("fusion:") else bare[name]
            suffix = " (random)" if drawn(entry.system) and not is_selected(entry.system) else ""
            labels.append(f"{label.removeprefix('random:')}{suffix}")
    return labels


def system_keys(group: FigureGroup) -> list[str]:
    """What each system is called in the address of a view; no two alike."""
    keys: list[str] = []
    for entry in group.entries:
        key = "~".join((entry.name.extractor, entry.name.classifier.replace(" ", "_")))
        taken = sum(other.partition("~~")[0] == key for other in keys)
        keys.append(f"{key}~~{taken + 1}" if taken else key)
    return keys


def declared_places(group: FigureGroup, backbones: Sequence[str]) -> list[int]:
    """The system of each backbone that a fixed rule takes; reference points and `selected` too."""
    chosen: dict[str, tuple[int, int]] = {}
    places = []
    for place, (entry, backbone) in enumerate(zip(group.entries, backbones, strict=True)):
        if _apart(entry):
            places.append(place)
            continue
        classifier = str(entry.system.identity["classifier"])
        merit = {KERNEL: 2, OWN_HEAD: 1}.get(classifier, 0)
        if backbone not in chosen or merit > chosen[backbone][0]:
            chosen[backbone] = (merit, place)
    return sorted([*places, *(place for _, place in chosen.values())])


def _of_rule(group: FigureGroup, rule: str) -> list[int]:
    return [
        place
        for place, entry in enumerate(group.entries)
        if _apart(entry) or entry.name.classifier == rule
    ]


def _views(group: FigureGroup, places: Sequence[int]) -> tuple[list[int], list[int]]:
    """These systems without random weights, and with them."""
    known = [p for p in places if _apart(group.entries[p]) or not drawn(group.entries[p].system)]
    return known, list(places)


def _system(evaluation: Evaluation, entry: Entry) -> dict[str, Any]:
    system, row = entry.system, entry.row
    told: dict[str, Any] = {
        "x": short(system.identity["extractor"]),
        "c": "" if _apart(entry) else entry.name.classifier,
        "w": short(system.identity["weights"]),
        "f": PLACES[family_key(system)],
        "n": short(row["notes"]),
        "s": "" if system.ran else system.status,
    }
    if is_reference(system):
        told |= {"o": "reference", "void": _void(entry)}
    elif is_selected(system):
        told |= {"o": "selected", "f": PLACES["reference"]}
    elif drawn(system):
        told["random"] = True
    if system.ran:
        ends = ("", "_ci_low", "_ci_high", "_std")
        told["v"] = [[plain(row[f"{name}{end}"]) for end in ends] for name in _NAMES]
        told["t"] = plain(row["training_time_s"])
    return {name: value for name, value in told.items() if value is not False and value != ""}


def plain(value: Any) -> float | None:
    """The number as it stands in the CSV files; None where there is none."""
    return None if missing(value) else float(short(float(value)))


def _void(entry: Entry) -> bool:
    """A reading that separates the labels without a mistake: the labels were made from it."""
    name = str(entry.system.identity["extractor"])
    value = entry.row["auc"]
    return name.startswith("reader:") and not missing(value) and float(value) >= 1


def _selected(group: FigureGroup) -> dict[str, list[list[float | None]]]:
    """By family, of what is chosen within it, each measure with its interval."""
    found = selected_rows([entry.system for entry in group.entries])
    return {key: _measured(rows) for key, rows in found.items()}


def _measured(repeats: tuple[ScoredRows, ...]) -> list[list[float | None]]:
    values = observed(repeats, _NAMES)
    drawn_values = bootstrap([repeats], _NAMES)[0]
    return [
        [plain(float(value)), *map(plain, bounded_interval(draws, name, repeats))]
        for name, value, draws in zip(_NAMES, values, drawn_values, strict=True)
    ]


def _published(evaluation: Evaluation, group: FigureGroup) -> list[dict[str, Any]]:
    """Published accuracies, where these are the mass crops that they were measured on."""
    run = evaluation.run
    first: Mapping[str, Any] = group.entries[0].system.identity
    place = tuple(str(first[name]) for name in ("dataset", "subset", "region"))
    if run.synthetic or not run.has_published_figures or place != ("cbis-ddsm", "mass", "crop"):
        return []
    return [
        {"label": f"{one.system} ({one.source})", "value": one.figures["accuracy"]}
        for one in PUBLISHED
        if "accuracy" in one.figures
    ]
