"""Draws all figures of a report and says what each shows."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from reports.evaluation import Evaluation
from reports.figures.drawing import Drawing, drawn
from reports.figures.performance import difference_forest
from reports.systems.entries import Entry, FigureGroup, class_names
from reports.systems.groups import GroupKey, slugs, titles
from reports.systems.kinds import is_reference
from reports.systems.names import names
from reports.systems.pairs import Pair
from reports.systems.protocols import Comparison
from reports.tables.mistakes import hardest
from reports.values import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_all(evaluation: Evaluation) -> list[Drawing]:
    """Every figure of every group in which a system ran, of all trainings, and of the audits."""
    from reports.figures.crops import crops_in_error
    from reports.figures.performance import auc_forest, confusion_blocks, cost_scatter, roc_panels
    from reports.figures.probabilities import decision_panels, reliability_panels
    from reports.figures.trainings import learning_panels, training_panels

    run = evaluation.run

    def trainings(group: FigureGroup) -> "Figure | None":
        return training_panels(run.history, group)

    def mistakes(group: FigureGroup) -> "Figure | None":
        members = evaluation.close.get(group.entries[0].system.group, [])
        return crops_in_error(run, hardest(run, members))

    plots: dict[str, Callable[[FigureGroup], Figure | None]] = {
        "auc": auc_forest,
        "roc": roc_panels,
        "confusion": confusion_blocks,
        "cost": cost_scatter,
        "reliability": reliability_panels,
        "decision": decision_panels,
        "errors": mistakes,
    }
    main = evaluation.groups
    drawings = [
        *(drawn(kind, group, plot) for group in main if group.ran for kind, plot in plots.items()),
        *(drawn("training", group, trainings) for group in main),
        *(drawn("learning", group, learning_panels) for group in evaluation.curves if group.ran),
        *_audits(evaluation),
    ]
    return [drawing for drawing in drawings if drawing is not None]


def _audits(evaluation: Evaluation) -> Iterator[Drawing | None]:
    """A forest plot a subset and comparison, without reference points; none without an audit."""
    if "leakage_audit" not in evaluation.tables:
        return
    run, rows = evaluation.run, evaluation.tables["leakage_audit"].to_dict("records")
    members: dict[tuple[Comparison, GroupKey], list[tuple[Pair, Mapping[Any, Any]]]] = {}
    for pair, row in zip(evaluation.pairs, rows, strict=True):
        if not is_reference(pair.system):
            members.setdefault((pair.comparison, pair.system.group), []).append((pair, row))
    keys = list(dict.fromkeys(group for _, group in members))
    slug_of, title_of = slugs(keys), titles(keys, run.audits)
    taken = dict.fromkeys(keys, 0)
    for (comparison, key), own in members.items():
        taken[key] += 1
        audited = [pair.system for pair, _ in own]
        group = FigureGroup(
            slug=slug_of[key] if taken[key] == 1 else f"{slug_of[key]}-against-{taken[key]}",
            title=f"{title_of[key]}; {comparison.title(run.audits)}",
            entries=[
                Entry(system, name, row)
                for system, name, (_, row) in zip(audited, names(audited), own, strict=True)
            ],
            **class_names(run, clean(audited[0].identity["subset"])),
            synthetic=run.synthetic,
            audit=True,
        )
        compared = comparison.title(run.audits)
        yield drawn("audit", group, partial(difference_forest, compared=compared))
