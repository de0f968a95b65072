"""The six answers as cards: a small picture, one short sentence, and the sentences behind it."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from reports.evaluation import Evaluation
from reports.page.families import FAMILIES, PLACES
from reports.page.lead import counted
from reports.page.sketches import bars, curves, slopes, strips
from reports.systems.kinds import (
    KERNEL,
    drawn,
    from_scratch,
    hybrid,
    is_reference,
    own_head,
    pretrained,
    sees_images,
)
from reports.systems.pooling import PooledSystem
from reports.text.answers import answers
from reports.values import missing, number

if TYPE_CHECKING:
    from markupsafe import Markup

# A card has no more words than this under its picture.
MOST_WORDS = 25

_GREEN, _BLUE, _BROWN = (FAMILIES[PLACES[key]].colour for key in ("scratch", "cnn", "hybrid"))

Members = Sequence[tuple[PooledSystem, Any]]


class AnswerCard(NamedTuple):
    """A question with what the run says about it.

    Attributes
    ----------
    question : str
        What is asked.
    text : str
        At most MOST_WORDS words; empty where sentences alone answer it.
    picture : Markup | str
        A small SVG; empty where there is nothing to draw.
    lines : list[str]
        The sentences behind it.
    links : list[tuple[str, str]]
        Text and anchor of where more stands.
    """

    question: str
    text: str
    picture: "Markup | str"
    lines: list[str]
    links: list[tuple[str, str]]


class Sketched(NamedTuple):
    """The short sentence of a card and its picture."""

    text: str = ""
    picture: "Markup | str" = ""


def cards(evaluation: Evaluation) -> tuple[list[AnswerCard], list[tuple[str, str]]]:
    """The cards that have something to say, and what the run lacks, each with its command."""
    sketched: tuple[Callable[[Evaluation, Members], Sketched], ...] = (
        _weights,
        _hybrids,
        _costs,
        _shares,
        _protocols,
        _failures,
    )
    first: Members = [
        (system, evaluation.rows[id(system)])
        for members in list(evaluation.close.values())[:1]
        for system in members
        if not drawn(system)
    ]
    found, lacking = [], []
    for answer, make in zip(answers(evaluation), sketched, strict=True):
        lacking += answer.missing
        if answer.lines:
            text, picture = make(evaluation, first)
            found.append(AnswerCard(answer.question, text, picture, answer.lines, answer.links))
    return found, list(dict.fromkeys(lacking))


def _aucs(members: Members) -> list[float]:
    return [float(row["auc"]) for _, row in members if not missing(row["auc"])]


def _range(values: Sequence[float], shown: Callable[[float], str] = number) -> str:
    low, high = shown(min(values)), shown(max(values))
    return low if low == high else f"{low} to {high}"


def _two(rows: Sequence[tuple[str, list[float], str]]) -> Sketched:
    """A sentence and a strip for each of the sets of AUCs that hold something."""
    there = [(name, values, colour) for name, values, colour in rows if values]
    if not there:
        return Sketched()
    parts = [f"{name} ({len(values)}): {_range(values)}" for name, values, _ in there]
    return Sketched(f"AUC, {'; '.join(parts)}.", strips(there, "AUC by kind of system"))


def _weights(evaluation: Evaluation, members: Members) -> Sketched:
    svm = [m for m in members if pretrained(m[0]) and m[0].identity["classifier"] == KERNEL]
    scratch = [m for m in members if from_scratch(m[0]) and own_head(m[0])]
    return _two(
        [
            ("pretrained backbones with an SVM", _aucs(svm), _BLUE),
            ("networks from scratch, own head", _aucs(scratch), _GREEN),
        ]
    )


def _hybrids(evaluation: Evaluation, members: Members) -> Sketched:
    heads = [m for m in members if from_scratch(m[0]) and own_head(m[0])]
    small = [m for m in heads if hybrid(m[0])]
    return _two(
        [
            ("small-data hybrids", _aucs(small), _BROWN),
            ("other networks from scratch", _aucs([m for m in heads if m not in small]), _GREEN),
        ]
    )


def _costs(evaluation: Evaluation, members: Members) -> Sketched:
    frozen = [m for m in members if sees_images(m[0]) and not m[0].trained]
    # A network counts once, however many classifiers stand on its features.
    heads = [m for m in members if m[0].trained and own_head(m[0])]
    there = [
        (name, [float(r["training_time_s"]) for _, r in some if r["training_time_s"] > 0], colour)
        for name, some, colour in (("frozen", frozen, _BLUE), ("trained here", heads, _GREEN))
    ]
    there = [row for row in there if row[1]]
    if not there:
        return Sketched()
    parts = [f"{name}: {_range(values, _seconds)}" for name, values, _ in there]
    text = f"Time to the first prediction, {'; '.join(parts)}."
    return Sketched(text, strips(there, "times on a logarithmic axis", logarithmic=True))


def _seconds(value: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s"


def _shares(evaluation: Evaluation, members: Members) -> Sketched:
    table = evaluation.tables.get("learning_curves")
    if table is None:
        return Sketched()
    shown = table[table["auc"].notna() & table["classifier"].isin((KERNEL, "softmax"))]
    lines = [
        sorted(zip(rows["train_fraction"].astype(float), rows["auc"].astype(float), strict=True))
        for _, rows in shown.groupby(["subset", "protocol", "extractor", "classifier"], sort=False)
    ]
    lines = [line for line in lines if len(line) > 1]
    if not lines:
        return Sketched()
    least = min(line[0][0] for line in lines)
    text = (
        f"AUC of {counted(len(lines), 'system')} on {100 * least:g} % to 100 % of the training "
        f"{evaluation.run.patients}: {_range([line[0][1] for line in lines])} becomes "
        f"{_range([line[-1][1] for line in lines])}."
    )
    return Sketched(text, curves(lines, "AUC by share of the training rows"))


def _protocols(evaluation: Evaluation, members: Members) -> Sketched:
    found = audit_slopes(evaluation)
    if not found:
        return Sketched()
    (audit, twin), pairs = found[0]
    moved = [second - first for first, second in pairs]
    systems = counted(len(moved), "system")
    text = f"AUC under {audit} (audit) less {twin}: {_range(moved)} over {systems}."
    return Sketched(text, slopes(pairs, (twin, audit), f"AUC under {twin} and under {audit}"))


Slopes = list[tuple[tuple[str, str], list[tuple[float, float]]]]


def audit_slopes(evaluation: Evaluation) -> Slopes:
    """By audit and twin, the AUC of each system under the twin and under the audit."""
    table = evaluation.tables.get("leakage_audit")
    if table is None:
        return []
    apart = {
        str(one.identity["extractor"])
        for one in evaluation.systems
        if drawn(one) or is_reference(one)
    }
    rows = table[~table["extractor"].astype(str).isin(apart)]
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows.to_dict("records"):
        if row["rows"] == row["twin_rows"] and not missing(row["auc_difference"]):
            pair = (float(row["twin_auc"]), float(row["auc"]))
            found.setdefault((str(row["audit"]), str(row["twin"])), []).append(pair)
    return list(found.items())


def _failures(evaluation: Evaluation, members: Members) -> Sketched:
    wrong = wrong_crops(evaluation, [system for system, _ in members if sees_images(system)])
    if wrong is None:
        return Sketched()
    by_crop, systems, tested = wrong
    counts = Counter(by_crop.values())
    text = (
        f"{counts[systems]} of {counted(tested, 'test crop')} are wrong in all {systems} network "
        "systems looked at closely."
    )
    heights = [counts[n] for n in range(1, systems + 1)]
    ends = ("wrong in 1 system", f"in all {systems}")
    return Sketched(text, bars(heights, ends, "crops by the number of systems that err"))


def wrong_crops(
    evaluation: Evaluation, systems: Sequence[PooledSystem]
) -> tuple[dict[str, int], int, int] | None:
    """By crop, how many of the systems get it wrong in most repeats; the systems; the crops.

    None for fewer than two systems.
    """
    ran = [system for system in systems if system.ran]
    if len(ran) < 2:
        return None
    ids = evaluation.run.predictions["crop_id"].to_numpy()
    by_crop: Counter[str] = Counter()
    everyone: set[str] = set()
    for system in ran:
        wrong: Counter[str] = Counter()
        tested: Counter[str] = Counter()
        for rows, places in zip(system.repeats, system.places, strict=True):
            crops = ids[places].astype(str)
            tested.update(crops.tolist())
            wrong.update(crops[rows.called != rows.positive].tolist())
        everyone |= set(tested)
        by_crop.update(crop for crop, times in wrong.items() if 2 * times > tested[crop])
    return dict(by_crop), len(ran), len(everyone)
