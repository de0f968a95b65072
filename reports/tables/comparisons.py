"""The headline comparisons: declared here by fixed rules, before any figure is known.

Which systems are compared with which depends on what they are and on their settings alone, never on
how well they did. The comparisons of one question on one subset under one protocol are a family,
and Holm's correction covers it. Audits have no headlines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.statistics.difference import (
    ALIKE,
    BY_FOLDS,
    HIGHER,
    POWER,
    Difference,
    NotComparable,
    contrast,
    holm,
    with_verdicts,
)
from reports.systems.groups import GroupKey
from reports.systems.hosts import distinct_hosts, join_hosts
from reports.systems.kinds import (
    KERNEL,
    OWN_HEAD,
    fine_tuned,
    frozen,
    hybrid,
    is_network,
    localized,
    network_name,
    own_head,
    pretrained,
    published_or_from_scratch,
    transformer,
)
from reports.systems.pooling import GROUP_COLUMNS, PooledSystem
from reports.systems.schema import HOST
from reports.tables.report_table import ReportTable
from reports.values import missing, number

if TYPE_CHECKING:
    import pandas as pd

MEASURE = "auc"

_SCRATCH_CNN = "cnn_baseline"

# CNNs whose features are the reference, in this order: the first of them that ran. ResNet-50 has
# about as many parameters as the small ViTs.
_CNNS = (
    "torchvision:resnet50",
    "torchvision:resnet101",
    "torchvision:resnet18",
    "torchvision:googlenet",
    "torchvision:alexnet",
    "timm:convnext_tiny",
    "bundled:efficientnet_lite0",
)

_FINETUNED = "+finetuned"


@dataclass(frozen=True)
class Question:
    """A family of headline comparisons.

    Attributes
    ----------
    text : str
        The question in words.
    systems : Callable[[PooledSystem], bool]
        Whether a system is one of those that the question is about.
    references : Callable[[PooledSystem], tuple[tuple[str, str], ...]]
        The systems that one may be compared with, as (extractor, classifier); the first of them
        that ran is taken.
    """

    text: str
    systems: Callable[[PooledSystem], bool]
    references: Callable[[PooledSystem], tuple[tuple[str, str], ...]]


def _features(system: PooledSystem) -> bool:
    """Features of one network with published weights, and the SVM that stands for all."""
    published = is_network(system) and pretrained(system)
    return published and system.identity["classifier"] == KERNEL


def _frozen(system: PooledSystem) -> bool:
    return _features(system) and frozen(system)


def _finetuned(system: PooledSystem) -> bool:
    return _features(system) and fine_tuned(system)


def _own_hybrid(system: PooledSystem) -> bool:
    return hybrid(system) and own_head(system)


def _scratch_cnn(system: PooledSystem) -> tuple[tuple[str, str], ...]:
    return ((_SCRATCH_CNN, OWN_HEAD),)


def _cnn_features(system: PooledSystem) -> tuple[tuple[str, str], ...]:
    return tuple((name, KERNEL) for name in _CNNS)


def _name(system: PooledSystem) -> str:
    return str(system.identity["extractor"])


QUESTIONS = (
    Question(
        "Do pretrained features with an SVM beat a CNN trained from scratch?",
        _frozen,
        _scratch_cnn,
    ),
    Question(
        "Do ViT features with an SVM match CNN features with an SVM?",
        lambda system: _frozen(system) and transformer(system),
        _cnn_features,
    ),
    Question(
        "Do fine-tuned ViT features with an SVM match fine-tuned CNN features with an SVM?",
        lambda system: _finetuned(system) and transformer(system),
        lambda _: tuple((f"{name}{_FINETUNED}", KERNEL) for name in _CNNS),
    ),
    Question(
        "Do small-data hybrids beat a CNN trained from scratch?",
        _own_hybrid,
        _scratch_cnn,
    ),
    Question(
        "Do small-data hybrids reach pretrained CNN features with an SVM?",
        _own_hybrid,
        _cnn_features,
    ),
    Question(
        "Does the localization loss help?",
        lambda system: _own_hybrid(system) and localized(system),
        lambda system: ((network_name(system), OWN_HEAD),),
    ),
)

_GROUP = tuple(name for name in GROUP_COLUMNS if name != "train_fraction")

COLUMNS = (
    "question",
    *_GROUP,
    "extractor",
    "weights",
    "classifier",
    "reference_extractor",
    "reference_classifier",
    "measure",
    "value",
    "reference_value",
    "difference",
    "ci_low",
    "ci_high",
    "test",
    "p",
    "p_holm",
    "comparisons",
    "smallest_difference",
    "verdict",
    "n_runs",
    "reference_n_runs",
    "training_time_s",
    "reference_training_time_s",
    "status",
    "sentence",
)

_COUNTS = ("comparisons", "n_runs", "reference_n_runs")


def comparisons(
    headline: Mapping[GroupKey, Sequence[PooledSystem]], patients: str
) -> "pd.DataFrame":
    """Every declared comparison: a row each, with exactly the columns of COLUMNS.

    difference is `value - reference_value` with its 95 % interval over patients; p is the test's
    own, p_holm Holm's among the `comparisons` of the family, the question's on this subset and
    protocol; smallest_difference is what `comparison.smallest_difference` says. Where times are of
    several machines, a last column `host` has those of each row. verdict is higher,
    lower or not distinguishable, by p_holm. Times are means over folds, in seconds, of all that
    must be spent before the first prediction. A comparison that cannot be made has no figures, and
    its status says why. A question that no system of the run is asked about is one row without a
    sentence.

    headline: from `headline_groups`; patients: what is drawn, as sentences call it.
    """
    import pandas as pd

    rows = [
        row
        for key, members in headline.items()
        for question in QUESTIONS
        for row in _family(question, key, members, patients)
    ]
    several = len(distinct_hosts(row.get(HOST) for row in rows)) > 1
    columns = [*COLUMNS, HOST] if several else list(COLUMNS)
    frame = pd.DataFrame([[row.get(name) for name in columns] for row in rows], columns=columns)
    return frame.astype(dict.fromkeys(_COUNTS, "Int64"))


def declared_pairs(
    headline: Mapping[GroupKey, Sequence[PooledSystem]],
) -> list[tuple[str, GroupKey, PooledSystem, PooledSystem]]:
    """The declared comparisons of systems that ran: question, group, system, reference."""
    return [
        (question.text, key, system, reference)
        for key, members in headline.items()
        for question in QUESTIONS
        for system in members
        if system.ran and _preset(system) and question.systems(system)
        if isinstance(reference := _reference(question, system, members), PooledSystem)
    ]


def _family(
    question: Question, key: GroupKey, members: Sequence[PooledSystem], patients: str
) -> list[dict[str, Any]]:
    """The rows of one question in one group."""
    identity = dict(zip(GROUP_COLUMNS, key, strict=True)) | {"question": question.text}
    asked = [system for system in members if _preset(system) and question.systems(system)]
    if not asked:
        return [identity | {"status": "the run has no such system", "sentence": ""}]
    made = [_compared(system, _reference(question, system, members)) for system in asked]
    known = [found for _, found in made if found is not None]
    adjusted = iter(holm([found.p for found in known]))
    rows = []
    for row, found in made:
        if found is not None:
            row = row | _figures(found, float(next(adjusted)), len(known))
        rows.append(identity | row | {"sentence": _sentence(identity | row, patients)})
    return rows


def _reference(
    question: Question, system: PooledSystem, members: Sequence[PooledSystem]
) -> PooledSystem | str:
    """The declared reference of a system, or the reason why there is none."""
    wanted = question.references(system)
    present = {
        (_name(one), str(one.identity["classifier"])): one for one in members if _preset(one)
    }
    there = [present[pair] for pair in wanted if pair in present and present[pair] is not system]
    ran = [one for one in there if one.ran]
    if ran:
        return ran[0]
    if there:
        return f"the reference {_called(there[0])} did not run: {there[0].status}"
    names = " or ".join(" + ".join(pair).replace("_", " ") for pair in wanted[:1])
    return f"the run has no reference: {names}" + (" or a like" if len(wanted) > 1 else "")


def _preset(system: PooledSystem) -> bool:
    """Weights that are known and not drawn, C of 1 where there is one, and nothing tuned."""
    identity = system.identity
    C = identity["C"]
    return (
        published_or_from_scratch(system)
        and (missing(C) or C == 1)
        and not (not missing(identity["tuned"]) and identity["tuned"])
    )


def _compared(
    system: PooledSystem, reference: PooledSystem | str
) -> tuple[dict[str, Any], Difference | None]:
    """A row without its figures, and the comparison where it could be made."""
    row = {name: system.identity[name] for name in ("extractor", "weights", "classifier")}
    row |= {"measure": MEASURE, "training_time_s": _seconds(system)}
    if isinstance(reference, str):
        return row | {"status": reference}, None
    row |= {
        "reference_extractor": reference.identity["extractor"],
        "reference_classifier": reference.identity["classifier"],
        "reference_training_time_s": _seconds(reference),
        HOST: join_hosts([*system.units[HOST], *reference.units[HOST]]),
    }
    if not system.ran:
        return row | {"status": f"{_called(system)} did not run: {system.status}"}, None
    try:
        found = contrast(system, reference, MEASURE)
    except NotComparable as error:
        return row | {"status": str(error)}, None
    return row | {"status": "ok"}, found


def _figures(found: Difference, p_holm: float, family: int) -> dict[str, Any]:
    return {
        "value": found.value,
        "reference_value": found.reference,
        "comparisons": family,
        **with_verdicts(found, p_holm, family),
        "n_runs": found.runs,
        "reference_n_runs": found.reference_runs,
    }


def _sentence(row: Mapping[str, Any], patients: str) -> str:
    """A headline in words, which claims no more than its row."""
    if row["status"] != "ok":
        return f"Not compared: {row['status']}."
    if not row["verdict"]:
        return "Not compared: too few draws or folds in which the AUC is defined."
    system, reference = (
        f"{row[f'{side}extractor']} + {str(row[f'{side}classifier']).replace('_', ' ')}"
        for side in ("", "reference_")
    )
    where = f"On {row['subset']} under {row['protocol']}"
    values = f"AUC {number(row['value'])} against {number(row['reference_value'])}"
    limits = f"{number(row['ci_low'])} to {number(row['ci_high'])}"
    by_folds = row["test"] == BY_FOLDS
    given = ", given the trained models" if by_folds else ""
    approximately = "approximate " if by_folds else ""
    tested = (
        f"{values}; difference {number(row['difference'])}, 95 % interval {limits}{given}; "
        f"{approximately}p {_p(row['p_holm'])} by Holm among {row['comparisons']}"
    )
    if row["verdict"] == ALIKE:
        seen = number(row["smallest_difference"])
        if row["ci_low"] > 0 or row["ci_high"] < 0:
            tested += (
                f" (the interval, without 0, holds what other {patients} would change; p, which "
                "decides, what other folds and trainings would, too, and is corrected)"
                if by_folds
                else " (the interval is of one comparison; p, which decides, is corrected)"
            )
        return (
            f"{where}, {system} is not distinguishable from {reference}: {tested}. A true "
            f"difference of {seen} or more would have been seen with a probability of "
            f"{100 * POWER:.0f} %."
        )
    side = "above" if row["verdict"] == HIGHER else "below"
    return f"{where}, {system} is {side} {reference}: {tested}."


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else number(value)


def _seconds(system: PooledSystem) -> float | None:
    """The mean over folds of what must be spent before the first prediction."""
    mean = system.units["training_time_s"].astype("float64").mean()
    return None if missing(mean) else float(mean)


def _called(system: PooledSystem) -> str:
    return f"{_name(system)} + {str(system.identity['classifier']).replace('_', ' ')}"


COMPARISONS_TABLE = ReportTable(
    "comparisons",
    lambda pooled, _: comparisons(pooled.headline, pooled.run.patients),
    title="Declared comparisons",
    place="results",
    intro=lambda pooled, _: (
        "Fixed before any figure was seen, question by question, on all training "
        f"{pooled.run.patients} and never under an audit. Difference of AUC, system less "
        "reference, with the 95 % interval of a bootstrap that draws the same "
        f"{pooled.run.patients} for both; p is adjusted by Holm within its "
        "question, subset and protocol. Beside it stands the smallest difference that could have "
        "been seen (power 80 %): not distinguishable does not mean equal."
    ),
    headings={
        "value": "AUC",
        "reference_value": "AUC of the reference",
        "reference_n_runs": "repeats of the reference",
        "reference_training_time_s": "training of the reference (s)",
        "p": "p-value",
        "p_holm": "p-value (Holm)",
        "ci_low": "interval, low",
        "ci_high": "interval, high",
    },
    shown=(
        *("question", "subset", "protocol", "extractor", "classifier", "reference_extractor"),
        *("reference_classifier", "value", "reference_value", "difference", "ci_low", "ci_high"),
        *("p_holm", "smallest_difference", "verdict", "status"),
    ),
)
