"""The six questions that a run is made to answer, in words and figures, for the head of the page.

Every sentence is about systems that fixed rules pick, gives ranges and medians and never a winner:
which system is best was not declared, and the largest of many estimates is too large. Where a run
lacks what a question takes, the answer says so, with the command that runs it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from reports.evaluation import Evaluation
from reports.systems.groups import titles
from reports.systems.hosts import hosts_note
from reports.systems.kinds import (
    FINE_TUNED,
    FROM_SCRATCH,
    KERNEL,
    cnn,
    counts,
    family,
    fine_tuned,
    from_scratch,
    frozen,
    hybrid,
    is_fusion,
    is_network,
    is_reference,
    localized,
    network_name,
    of_unknown_weights,
    own_head,
    pretrained,
    trained_as,
    transformer,
)
from reports.systems.names import names_svm
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run
from reports.systems.schema import HOST
from reports.text.declared import declared
from reports.text.external_sets import drops
from reports.text.leakage_audit import differences, limits
from reports.text.proposed import command_for, proposed
from reports.text.table_sentences import curve_sentences, shared_mistakes, subgroup_sentences
from reports.values import by_size, missing, number

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
Tables = Mapping[str, "pd.DataFrame"]


class AnsweredQuestion(NamedTuple):
    """A question with its answer.

    Attributes
    ----------
    question : str
        What is asked.
    lines : list[str]
        Sentences, the first for the first screen.
    missing : list[tuple[str, str]]
        What the run lacks for an answer, and the command that runs it.
    links : list[tuple[str, str]]
        Text and anchor of where more stands.
    """

    question: str
    lines: list[str]
    missing: list[tuple[str, str]]
    links: list[tuple[str, str]]


class AnswerGroup(NamedTuple):
    """One comparison: its title, and the summary rows of the systems looked at closely."""

    title: str
    members: list[tuple[PooledSystem, Row]]

    def those(self, *tests: Callable[[PooledSystem], bool]) -> list[tuple[PooledSystem, Row]]:
        """The members that pass all tests, with their rows."""
        return [pair for pair in self.members if all(test(pair[0]) for test in tests)]


def answers(evaluation: Evaluation) -> list[AnsweredQuestion]:
    """The answers to the six questions, in the order of the page."""
    run, tables = evaluation.run, evaluation.tables
    title = titles(evaluation.close, run)
    groups = [
        AnswerGroup(title[key], [(system, evaluation.rows[id(system)]) for system in members])
        for key, members in evaluation.close.items()
    ]
    return [
        _scratch_or_pretrained(run, groups, tables),
        _hybrids(run, groups, tables),
        _costs(run, groups, tables),
        _how_few(run, tables),
        _protocol(run, tables),
        _failures(evaluation),
    ]


# Of a plugin's weights, and of those of a file, nobody knows here what they have seen.
_UNKNOWN = "features of weights from a plugin or a file + SVM"

# The SVM that stands for all, as it is called in sentences.
_SVMS = f"{KERNEL.replace('_', ' ')} SVMs"


def _svm(system: PooledSystem) -> bool:
    return str(system.identity["classifier"]) == KERNEL


def _scratch_or_pretrained(run: Run, groups: list[AnswerGroup], tables: Tables) -> AnsweredQuestion:
    lines, whole = [], False
    for group in groups:
        features, scratch = group.those(pretrained, _svm), group.those(from_scratch, own_head)
        parts = [
            *(_spread(f"{name} + SVM", members) for name, members in _pretrained_by_kind(group)),
            _spread(_UNKNOWN, group.those(of_unknown_weights, _svm, counts)),
            *(_spread(name, members) for name, members in _scratch_by_kind(group)),
            *_reference_points(group),
        ]
        if features or scratch:
            lines.append(f"{group.title}: {'; '.join(filter(None, parts))}.")
        whole |= bool(features and scratch)
        for how, name in ((frozen, "frozen "), (fine_tuned, "fine-tuned ")):
            one_network = [pair for pair in features if is_network(pair[0]) and how(pair[0])]
            vits, cnns = ([p for p in one_network if kind(p[0])] for kind in (transformer, cnn))
            if vits and cnns:
                both = (
                    _spread(f"{name}ViT features + SVM", vits),
                    _spread(f"{name}CNN features + SVM", cnns),
                )
                lines.append(f"{group.title}: {'; '.join(both)}; {_times(vits, cnns)}.")
                lines += _hosts([*vits, *cnns])
    counted, sentences = declared(tables, of_hybrids=False)
    pair = f"own heads of networks from scratch beside {_SVMS} of pretrained features"
    lacking = [] if whole else [(pair, "--preset thesis")]
    return _answer(
        run,
        "Do pretrained features + SVM beat a network trained from scratch, and do ViT features "
        "match CNN features in less time?",
        [*counted, *lines, *sentences],
        lacking,
        [("Results", "results"), ("AUC with intervals", "auc")],
    )


Members = list[tuple[PooledSystem, Row]]


def _pretrained_by_kind(group: AnswerGroup) -> list[tuple[str, Members]]:
    """SVMs on pretrained features: how the weights were trained on, one network or several."""
    kinds: dict[str, Members] = {}
    for system, row in group.those(pretrained, _svm):
        if is_fusion(system):
            name = "fusions of pretrained features"
        elif frozen(system):
            name = "pretrained features"
        else:
            name = "fine-tuned features" if fine_tuned(system) else "partly fine-tuned features"
        kinds.setdefault(name, []).append((system, row))
    return list(kinds.items())


def _scratch_by_kind(group: AnswerGroup) -> list[tuple[str, Members]]:
    """Own heads of networks from scratch: hybrids with and without the loss, others by family."""
    kinds: dict[str, Members] = {}
    for system, row in group.those(from_scratch, own_head):
        if hybrid(system):
            name = _LOCALIZED if localized(system) else _HYBRIDS
        else:
            name = f"{_FAMILIES.get(family(system), 'other networks')} from scratch, own head"
        kinds.setdefault(name, []).append((system, row))
    return list(kinds.items())


_HYBRIDS = "small-data hybrids, own head"
_LOCALIZED = "small-data hybrids with the localization loss, own head"
_FAMILIES = {"CNN": "CNNs", "transformer": "ViTs"}


def _reference_points(group: AnswerGroup) -> list[str]:
    """Each with its own figure: the size of a crop and radiologists are not of one kind."""
    found = []
    for system, row in group.those(is_reference):
        if not missing(row["auc"]):
            notes = f" ({row['notes']})" if row["notes"] else ""
            limits = _limits(row)
            found.append(f"{system.identity['extractor']}: AUC {number(row['auc'])}{limits}{notes}")
    return found


def _limits(row: Row) -> str:
    low, high = row["auc_ci_low"], row["auc_ci_high"]
    return "" if missing(low) else f" [{number(low)}, {number(high)}]"


def _spread(name: str, members: Sequence[tuple[PooledSystem, Row]]) -> str:
    """'3 networks …: AUC 0.55 to 0.61, median 0.58 (95 % intervals about ±0.05)'."""
    values = _known(row["auc"] for _, row in members)
    if not values:
        return ""
    if len(values) == 1:
        (row,) = (row for _, row in members if not missing(row["auc"]))
        return f"{name} (1 system): AUC {number(values[0])}{_limits(row)}"
    halves = _known(
        (row["auc_ci_high"] - row["auc_ci_low"]) / 2
        for _, row in members
        if not missing(row["auc_ci_low"])
    )
    wide = f" (95 % intervals about ±{median(halves):.2f})" if halves else ""
    low, high = number(min(values)), number(max(values))
    middle = number(median(values))
    return f"{name} ({len(values)} systems): AUC {low} to {high}, median {middle}{wide}"


def _known(values: Iterable[Any]) -> list[float]:
    return [float(value) for value in values if not missing(value)]


def _times(
    vits: Sequence[tuple[PooledSystem, Row]], cnns: Sequence[tuple[PooledSystem, Row]]
) -> str:
    both = [_known(row["training_time_s"] for _, row in members) for members in (vits, cnns)]
    if not all(both):
        return "their times were not measured"
    return "median time to the first prediction {} and {}".format(*(_time(median(t)) for t in both))


def _hosts(members: Iterable[tuple[PooledSystem, Row]]) -> list[str]:
    """A word where the times of these systems are of several machines."""
    note = hosts_note(name for system, _ in members for name in system.units[HOST])
    return [note] if note else []


def _time(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _hybrids(run: Run, groups: list[AnswerGroup], tables: Tables) -> AnsweredQuestion:
    lines, with_loss = [], False
    for group in groups:
        hybrids = group.those(hybrid, own_head)
        if not hybrids:
            continue
        parts = [
            *(_spread(name, members) for name, members in _scratch_by_kind(group)),
            *_pairs(hybrids),
        ]
        with_loss |= any(localized(system) for system, _ in hybrids)
        lines.append(f"{group.title}: {'; '.join(filter(None, parts))}.")
    wanted = "--extractors cnn_baseline,cvt_13,cvt_13+drloc,swin_t,swin_t+drloc"
    lacking = [] if lines and with_loss else [("hybrids with and without the loss", wanted)]
    counted, sentences = declared(tables, of_hybrids=True)
    lines = [*counted, *lines, *sentences]
    question = "Do small-data hybrids and the localization loss close the gap?"
    return _answer(run, question, lines, lacking, [("Trained networks", "training")])


def _pairs(hybrids: Sequence[tuple[PooledSystem, Row]]) -> list[str]:
    """'cvt_13: 0.581 without, 0.601 with the localization loss', for every pair."""
    without = {network_name(s): row["auc"] for s, row in hybrids if not localized(s)}
    return [
        f"{name}: {number(without[name])} without, {number(row['auc'])} with the localization loss"
        for system, row in hybrids
        if localized(system) and (name := network_name(system)) in without
    ]


def _costs(run: Run, groups: list[AnswerGroup], tables: Tables) -> AnsweredQuestion:
    lines = []
    for group in groups:
        seen = _once_a_network(group)
        as_they_came = [pair for pair in seen if not pair[0].trained]
        svms = all(names_svm(str(system.identity["classifier"])) for system, _ in as_they_came)
        named = [(f"frozen features + {'SVM' if svms else 'classifier'}", as_they_came)]
        for how, name in (
            (FINE_TUNED, "fine-tuned networks"),
            (FROM_SCRATCH, "networks from scratch"),
        ):
            named.append((name, [pair for pair in seen if trained_as(pair[0], how)]))
        parts = [_time_range(name, members) for name, members in named]
        if any(parts):
            lines.append(f"{group.title}: {'; '.join(filter(None, parts))}.")
            lines += _hosts(pair for _, members in named for pair in members)
    if "trainings" in tables:
        sizes = [str(size) for size in tables["trainings"]["smallest_gpu_gb"] if str(size)]
        ordered = sorted(set(sizes), key=by_size)
        counted = ", ".join(f"{_gigabytes(size)} for {sizes.count(size)}" for size in ordered)
        held = "Smallest usual GPU that holds a training, networks and protocols counted"
        lines += [f"{held}: {counted}."] if counted else []
    lacking = (
        [] if "trainings" in tables else [("trained networks and their memory", "--preset thesis")]
    )
    links = [("Costs", "costs")]
    return _answer(run, "What does each system cost?", lines, lacking, links)


def _gigabytes(size: str) -> str:
    """'4 GB (estimated)' of '4 (estimated)'."""
    value, *rest = size.split(" (")
    return " (".join([f"{value} GB", *rest])


def _once_a_network(group: AnswerGroup) -> Members:
    """One row an extractor, the first: a trained network's own head, else a classifier."""
    found: dict[tuple[str, ...], tuple[PooledSystem, Row]] = {}
    for system, row in group.those(counts):
        key = tuple(str(system.identity[name]) for name in ("extractor", "weights", "recipe"))
        found.setdefault(key, (system, row))
    return list(found.values())


def _time_range(name: str, members: Sequence[tuple[PooledSystem, Row]]) -> str:
    times = _known(row["training_time_s"] for _, row in members)
    if not times:
        return ""
    low, middle, high = (_time(reduce(times)) for reduce in (min, median, max))
    return f"{name}: {middle}" if low == high else f"{name}: {low} to {high}, median {middle}"


def _how_few(run: Run, tables: Tables) -> AnsweredQuestion:
    table = tables.get("learning_curves")
    lines = [] if table is None else curve_sentences(run, table)
    shares = "--train-fraction 0.1,0.25,0.5,0.75,1"
    lacking = [] if lines else [(f"parts of the training {run.patients}", shares)]
    question = f"How few training {'lesions' if run.organ else 'images'} are enough?"
    return _answer(
        run, question, lines, lacking, [("Learning curves", "learning")] if lines else []
    )


def _protocol(run: Run, tables: Tables) -> AnsweredQuestion:
    table = tables.get("leakage_audit")
    lines = [] if table is None else differences(run, table)
    if lines:
        lines.append(limits(run))
    lacking = [] if table is not None else proposed(run, "audit", "the leakage audit")
    question = "How much can protocol alone give?"
    return AnsweredQuestion(question, lines, lacking, [("Leakage audit", "audit")] if lines else [])


def _failures(evaluation: Evaluation) -> AnsweredQuestion:
    run, tables = evaluation.run, evaluation.tables
    lines = subgroup_sentences(run, tables["subgroups"]) if "subgroups" in tables else []
    links = [("Subgroups", "table-subgroups")] if lines else []
    if "external" in tables and (dropped := drops(run, tables["external"])):
        lines = [*dropped, *lines]
        links.append(("External sets", "external"))
    if "errors" in tables:
        links.append(("Mistakes", "table-errors"))
        lines += shared_mistakes(run, evaluation.close)
    return _answer(run, "Where does each system fail?", lines, [], links)


def _answer(
    run: Run,
    question: str,
    lines: list[str],
    lacking: list[tuple[str, str]],
    links: list[tuple[str, str]],
) -> AnsweredQuestion:
    return AnsweredQuestion(
        question, lines, [(what, command_for(run, extra)) for what, extra in lacking], links
    )
