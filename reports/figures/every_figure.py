"""All figures of groups of systems, in the order in which they are written."""

from reports.evaluation import Evaluation
from reports.figures.crops import ERRORS_FIGURE
from reports.figures.drawing import Drawing, drawn
from reports.figures.performance import (
    AUC_FIGURE,
    AUDIT_FIGURE,
    CONFUSION_FIGURE,
    COST_FIGURE,
    DROP_FIGURE,
    ROC_FIGURE,
)
from reports.figures.probabilities import DECISION_FIGURE, RELIABILITY_FIGURE
from reports.figures.trainings import LEARNING_FIGURE, TRAINING_FIGURE

# Of each comparison on all training patients. Each is declared in the file that draws it.
_COMPARED = (
    AUC_FIGURE,
    ROC_FIGURE,
    CONFUSION_FIGURE,
    COST_FIGURE,
    DROP_FIGURE,
    RELIABILITY_FIGURE,
    DECISION_FIGURE,
    ERRORS_FIGURE,
)


def draw_all(evaluation: Evaluation) -> list[Drawing]:
    """Every figure of every group in which a system ran, of all trainings, and of the audits."""
    main, curves = evaluation.groups, evaluation.curves
    wanted = [
        *((kind, group) for group in main if group.ran for kind in _COMPARED),
        *((TRAINING_FIGURE, group) for group in main),
        *((LEARNING_FIGURE, group) for group in curves if group.ran),
        *((AUDIT_FIGURE, group) for group in evaluation.audit_groups),
    ]
    drawings = (drawn(kind, evaluation, group) for kind, group in wanted)
    return [drawing for drawing in drawings if drawing is not None]
