"""How to read the tables of a run: only what stands in them is explained."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reports.evaluation import Evaluation
from reports.statistics.bootstrap import DRAWS
from reports.statistics.intervals import MAX_UNDEFINED
from reports.systems.kinds import OWN_HEAD, is_reference, is_selected, steps
from reports.systems.names import names_svm
from reports.systems.pooling import FROZEN
from reports.systems.run_folder import Run
from reports.values import in_a_row

if TYPE_CHECKING:
    import pandas as pd

# The name of a reference point -> what it is made of.
_REFERENCES: Mapping[str, Callable[[Run], str]] = {
    "none": lambda _: "a reference point, the majority class",
    "shortcut:size": lambda _: "a reference point, the size and mean brightness of a crop",
    "shortcut:file": lambda _: "a reference point, the format, bit depth and colour mode of a file",
    "shortcut:radius": lambda _: "a reference point, the radius of a lesion",
    "reader:assessment": lambda run: (
        f"a reference point, the {_assessment(run)} that readers wrote down"
    ),
    "reader:description": lambda run: (
        f"a reference point, the {_assessment(run)} that readers wrote down, with their description"
    ),
}


# How a network is trained, as its name says after "+" -> what that is.
_STEPS = {
    "finetuned": "started from the weights named, and trained on",
    "finetuned-last": "started from the weights named; its last layers were trained on",
    "drloc": "trained with the localization loss",
    "drloc-released": "trained with the localization loss as its authors' code has it",
}


def _assessment(run: Run) -> str:
    return "BI-RADS assessment" if run.organ == "breast" else "assessment"


def reading(evaluation: Evaluation) -> tuple[str, list[tuple[str, str]]]:
    """What the figures are, and each name or ending that stands in this run with its meaning."""
    run, systems = evaluation.run, evaluation.systems
    taken = {step for system in systems for step in steps(system)}
    points = {str(s.identity["extractor"]) for s in systems if is_reference(s)}
    heads = any(system.identity["classifier"] == OWN_HEAD for system in systems)
    names = [(name, text(run)) for name, text in _REFERENCES.items() if name in points]
    own = sorted(points - set(_REFERENCES))
    names += [(name, "a reference point of the authors' own, without an image") for name in own]
    meanings = {
        "selected": (
            any(map(is_selected, systems)),
            "in every fold the system that did best inside the training rows, with the time of "
            "judging all of them",
        ),
        OWN_HEAD: (
            heads,
            "a network's own head; the other rows of its extractor are classifiers on the features "
            "that enter that head",
        ),
        **{f"+{step}": (step in taken, text) for step, text in _STEPS.items()},
        FROZEN: (
            any(str(system.identity["recipe"]) == FROZEN for system in systems),
            "a recipe, an extractor as it came",
        ),
    }
    names += [(name, text) for name, (there, text) in meanings.items() if there]
    return _figures(evaluation), names


def _figures(evaluation: Evaluation) -> str:
    run, systems = evaluation.run, evaluation.systems
    folds = any(len(set(system.units["fold"])) > 1 for system in systems)
    pooled = "; in a repeat the test crops of all folds are pooled" if folds else ""
    together = "group_id" in run.lesions.columns
    ids = "there are no ids" + ", but images that are kept together count as one" * together
    drawn = "take patients, not crops" if run.patient_ids else f"take images: {ids}"
    return (
        f"Each figure is the mean over repeats{pooled}. ± is the standard deviation over repeats "
        "and is missing where there is one. [ ] is the 95 % percentile interval of "
        f"{DRAWS:,} bootstrap draws that {drawn}; it is missing where the measure is undefined in "
        f"more than {100 * MAX_UNDEFINED:g} % of them. Where an AUC, an accuracy or a rate is 0 or "
        f"1 it is Wilson's interval, of as many trials as there are {run.patients} behind it. An "
        "empty cell is a measure that is undefined, or belongs to a system that did not run. Rows "
        "stand in the order of the configuration, not of merit; a heading sorts them."
    )


def kinds_of_probabilities(tables: "Mapping[str, pd.DataFrame]") -> str:
    """The classifiers of this run whose scores are probabilities, in words."""
    table = tables.get("calibration")
    names = [] if table is None else [str(name) for name in table["classifier"]]
    there = {
        "a network's own head": OWN_HEAD in names,
        "logistic regression": "logistic" in names,
        "a linear probe": "linear_probe" in names,
        "SVMs with a fitted sigmoid (+platt)": any(
            names_svm(name) and "+platt" in name for name in names
        ),
        "other classifiers with a fitted sigmoid (+platt)": any(
            not names_svm(name) and "+platt" in name for name in names
        ),
    }
    return in_a_row([kind for kind in there if there[kind]] or ["none in this run"])
