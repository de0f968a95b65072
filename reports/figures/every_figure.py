"""All figures of a report, in the order in which they are written."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import NamedTuple

from reports.evaluation import Evaluation
from reports.figures.crops import ERRORS_FIGURE
from reports.figures.data import draw_data
from reports.figures.drawing import Drawing, FigureKind, drawn
from reports.figures.performance import (
    AUC_FIGURE,
    AUDIT_FIGURE,
    CONFUSION_FIGURE,
    COST_FIGURE,
    PRECISION_FIGURE,
    ROC_FIGURE,
    drop_figure,
)
from reports.figures.probabilities import DECISION_FIGURE, RELIABILITY_FIGURE
from reports.figures.processes import drawers
from reports.figures.trainings import LEARNING_FIGURE, TRAINING_FIGURE
from reports.systems.entries import FigureGroup
from reports.systems.pooled_run import PooledRun

# Of each comparison on all training patients. Each is declared in the file that draws it.
_COMPARED = (
    AUC_FIGURE,
    ROC_FIGURE,
    PRECISION_FIGURE,
    CONFUSION_FIGURE,
    COST_FIGURE,
    RELIABILITY_FIGURE,
    DECISION_FIGURE,
    ERRORS_FIGURE,
)
_KINDS = {kind.name: kind for kind in (*_COMPARED, TRAINING_FIGURE, LEARNING_FIGURE, AUDIT_FIGURE)}
# Systems that ran from which on other processes draw faster than this one, with their start.
_MANY_SYSTEMS = 100


class Sheets(NamedTuple):
    """What a process draws of: the run, and each figure as the name of its kind and a group."""

    pooled: PooledRun
    wanted: list[tuple[str, FigureGroup]]


def draw_all(
    evaluation: Evaluation, meanwhile: Callable[[], object] = lambda: None
) -> list[Drawing]:
    """Every figure of the groups in which a system ran, of trainings, audits and the data.

    What else is to be computed is called while other processes draw, or before.
    """
    many = sum(system.ran for system in evaluation.systems) >= _MANY_SYSTEMS
    processes = drawers(len(evaluation.whole), _ready) if many else None
    with processes or nullcontext():
        # Without the tables, which no figure looks at and which may not yet be there.
        bare = PooledRun(evaluation.run, evaluation.systems)
        sheets = Sheets(bare if processes else evaluation, _wanted(evaluation))
        if processes is None:
            meanwhile()
            found = [_draw(sheets, number) for number in range(len(sheets.wanted))]
            data = draw_data(evaluation.run)
        else:
            # The largest first: otherwise one process draws it while the others are done.
            sizes = [len(group.entries) for _, group in sheets.wanted]
            order = sorted(range(len(sizes)), key=lambda number: -sizes[number])
            waiting = processes.submit(_draw, sheets, order)
            meanwhile()
            data = draw_data(evaluation.run)
            found = waiting()
        return [*filter(None, found), *_drops(evaluation), *data]


def _wanted(evaluation: Evaluation) -> list[tuple[str, FigureGroup]]:
    main, curves = evaluation.groups, evaluation.curves
    wanted: list[tuple[FigureKind, FigureGroup]] = [
        *((kind, group) for group in main if group.ran for kind in _COMPARED),
        *((TRAINING_FIGURE, group) for group in main),
        *((LEARNING_FIGURE, group) for group in curves if group.ran),
        *((AUDIT_FIGURE, group) for group in evaluation.audit_groups),
    ]
    return [(kind.name, group) for kind, group in wanted]


def _drops(evaluation: Evaluation) -> Iterator[Drawing]:
    """Of each group that is tested on an external set; they are few, and need its table."""
    table = evaluation.tables.get("external")
    if table is not None:
        kind = drop_figure(table)
        yield from filter(None, (drawn(kind, evaluation, group) for group in evaluation.groups))


def _draw(sheets: Sheets, number: int) -> Drawing | None:
    name, group = sheets.wanted[number]
    return drawn(_KINDS[name], sheets.pooled, group)


def _ready() -> None:
    """Imports what draws, which a process does while the tables are still computed."""
    import matplotlib.figure  # noqa: F401
    import pandas as pd  # noqa: F401
    import seaborn as sns  # noqa: F401

    from reports.figures.fonts import families

    families("")
