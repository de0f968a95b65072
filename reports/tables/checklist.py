"""A reporting checklist with what the run can fill in filled in.

Items of CLAIM in the update of 2024 (Tejani et al., Radiology: Artificial Intelligence 6:e240300)
and TRIPOD+AI (Collins et al., BMJ 385:e078378, 2024) by their numbers, in words of our own. An
empty answer is one that only the authors can give; the guidelines' own text is what counts.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from reports.systems.counted import classifiers_counted, extractors_counted
from reports.systems.kinds import (
    OWN_HEAD,
    is_fusion,
    is_selected,
    own_head,
    sees_images,
)
from reports.systems.names import names_svm
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run, manifest_records, section
from reports.tables.report_table import ReportTable
from reports.values import short

if TYPE_CHECKING:
    import pandas as pd

_CLAIM, _TRIPOD = "CLAIM 2024", "TRIPOD+AI 2024"
CHECKLIST_COLUMNS = ("guideline", "item", "asks_for", "run_says", "where")


def checklist(run: Run, systems: list[PooledSystem], tables: Iterable[str]) -> "pd.DataFrame":
    """A row an item: what it asks for, what this run says of it, and where in the report.

    `tables` are the names of the tables that the report has.
    """
    import pandas as pd

    there = set(tables)
    known = _known(run, systems, there)
    rows = []
    for guideline, item, asks, fact, where in _ITEMS:
        says = known.get(fact, "")
        rows.append((guideline, item, asks, says, _places(where, there) if says else ""))
    return pd.DataFrame(rows, columns=list(CHECKLIST_COLUMNS))


def _places(where: str, there: set[str]) -> str:
    """The tables named that the report has; what is no table's name stands as it is."""
    names = [name for name in where.split(", ") if name in there or " " in name or "." in name]
    return ", ".join(names)


# guideline, item, what it asks for, the fact of `_known` that answers, tables or files.
_ITEMS = (
    (_CLAIM, "1-4", "Title, abstract, background, aims", "", ""),
    (_CLAIM, "5", "Prospective or retrospective", "retrospective", "methods.txt"),
    (_CLAIM, "6", "Goal of the study", "", ""),
    (_CLAIM, "7", "Where the data come from", "data", "data, source_tables"),
    (_CLAIM, "8", "Which cases were taken and which not", "exclusions", "left_out"),
    (_CLAIM, "9", "Preprocessing", "preprocessing", "methods.txt"),
    (_CLAIM, "10", "Parts of the data or the images that were used", "region", "methods.txt"),
    (_CLAIM, "11", "De-identification", "", ""),
    (_CLAIM, "12", "Missing data", "exclusions", "left_out"),
    (_CLAIM, "13", "How the images were acquired", "", ""),
    (_CLAIM, "14", "Reference standard", "labels", "source_tables"),
    (_CLAIM, "15-18", "Why that standard, who annotated, the test set's, how they agree", "", ""),
    (_CLAIM, "19", "How cases were assigned to the parts", "split", "methods.txt"),
    (_CLAIM, "20", "Level at which the parts are disjoint", "disjoint", "overlaps"),
    (_CLAIM, "21", "Size of the test set", "sizes", "data"),
    (_CLAIM, "22", "The models", "models", "costs, recipes"),
    (_CLAIM, "23", "Software", "software", "provenance"),
    (_CLAIM, "24", "Initial weights", "weights", "costs"),
    (_CLAIM, "25", "Training", "training", "recipes, trainings"),
    (_CLAIM, "26", "How the final model was chosen", "choice", "tuning, candidates"),
    (_CLAIM, "27", "Ensembles", "ensembles", "costs"),
    (_CLAIM, "28", "Measures", "measures", "summary, further_measures"),
    (_CLAIM, "29", "Uncertainty and significance", "uncertainty", "summary, comparisons"),
    (_CLAIM, "30", "Robustness", "robustness", "subgroups, learning_curves"),
    (_CLAIM, "31", "Explanation of decisions", "explained", "methods.txt"),
    (_CLAIM, "32", "Test on data from the same source", "internal", "summary"),
    (_CLAIM, "33", "Test on data from elsewhere", "elsewhere", "external, external_sets"),
    (_CLAIM, "34", "Registration as a trial", "", ""),
    (_CLAIM, "35", "Numbers of cases taken and left out", "exclusions", "data, left_out"),
    (_CLAIM, "36", "Characteristics of the cases in each part", "sizes", "data, source_tables"),
    (_CLAIM, "37-38", "Performance with its precision", "measured", "summary"),
    (_CLAIM, "39", "Cases that were classified wrongly", "errors", "errors, confusion"),
    (_CLAIM, "40-41", "Limits, and what it means for practice", "", ""),
    (_CLAIM, "42", "Where the whole protocol is", "settings", "provenance"),
    (_CLAIM, "43", "Where software, models and data are", "available", "provenance"),
    (_CLAIM, "44", "Funding", "", ""),
    (_TRIPOD, "1-4", "Title, abstract, background, aims", "", ""),
    (_TRIPOD, "5a", "Sources of data", "data", "data, source_tables"),
    (_TRIPOD, "6b", "Eligibility", "exclusions", "left_out"),
    (_TRIPOD, "7", "Preparation of the data", "preprocessing", "methods.txt"),
    (_TRIPOD, "8a", "The outcome", "labels", "source_tables"),
    (_TRIPOD, "10", "Sample size", "sizes", "data"),
    (_TRIPOD, "11", "Missing data", "exclusions", "left_out"),
    (_TRIPOD, "12a", "How the data were used and split", "split", "methods.txt"),
    (_TRIPOD, "12b", "How predictors were handled", "standardised", "methods.txt"),
    (_TRIPOD, "12c", "Type of model, tuning, internal validation", "models", "recipes, tuning"),
    (_TRIPOD, "12e", "Measures of performance", "measures", "summary, calibration"),
    (_TRIPOD, "13", "Class imbalance", "imbalance", "data"),
    (_TRIPOD, "14", "Fairness", "", ""),
    (_TRIPOD, "15", "Output of the model and thresholds", "thresholds", "operating_points"),
    (_TRIPOD, "17", "Ethical approval", "", ""),
    (_TRIPOD, "18a-18d", "Funding, conflicts, protocol, registration", "", ""),
    (_TRIPOD, "18e", "Availability of the data", "licence", "methods.txt"),
    (_TRIPOD, "18f", "Availability of the code", "software", "provenance"),
    (_TRIPOD, "19", "Involvement of patients and public", "", ""),
    (_TRIPOD, "20a", "Flow of participants", "exclusions", "data, left_out"),
    (_TRIPOD, "21", "Participants and events in each analysis", "sizes", "data, summary"),
    (_TRIPOD, "22", "The whole model, for others to use", "settings", "provenance"),
    (_TRIPOD, "23a", "Performance with intervals, subgroups too", "measured", "summary, subgroups"),
    (_TRIPOD, "24-27", "Updating, interpretation, limits, use", "", ""),
)


def _known(run: Run, systems: list[PooledSystem], there: set[str]) -> dict[str, str]:
    """What the run says, by fact; an empty text where it says nothing."""
    manifest = run.manifest
    data, options = section(manifest, "data"), section(manifest, "configuration")
    suite = section(manifest, "suite")
    ran = [system for system in systems if system.ran]
    networks = [s for s in ran if sees_images(s)]
    protocols = _distinct(system.identity["protocol"] for system in systems)
    left_out = len(manifest_records(manifest, "left_out"))
    return {
        "retrospective": "synthetic images are analysed, of no patient"
        if run.synthetic
        else "a data set that exists is analysed again",
        "data": _joined(data.get("title") or data.get("dataset"), data.get("citation")),
        "exclusions": _joined(
            f"{left_out} rows of the data set left out, each with its reason"
            if left_out
            else "no row of the data set left out",
            *map(_taken_out, manifest_records(manifest, "taken_out")),
            sign="; ",
        ),
        "preprocessing": _joined(
            *(f"{n} {options[n]}" for n in ("size", "fit", "window") if options.get(n))
        ),
        "region": f"region: {options['region']}" if options.get("region") else "",
        "labels": _classes(data),
        "sizes": _joined(*map(_subset_size, manifest_records(data, "counts")), sign="; "),
        "split": protocols,
        "disjoint": _disjoint(run, systems),
        "models": f"{extractors_counted(ran)}; classifiers: {classifiers_counted(ran)}"
        if networks
        else "",
        "software": _joined(suite.get("name"), suite.get("version"), sign=" "),
        "weights": _distinct(system.identity["weights"] for system in networks),
        "training": _distinct(s.identity["recipe"] for s in networks if s.trained),
        "choice": "no system is chosen by its test rows; all that ran are reported"
        + "; `selected` is chosen on inner folds of training rows" * any(map(is_selected, ran)),
        "ensembles": _distinct(s.identity["extractor"] for s in ran if is_fusion(s)) or "none",
        "measures": _measures(ran),
        "uncertainty": f"95 % percentile bootstrap over {run.patients}"
        + "; std over repeats" * any(len(system.repeats) > 1 for system in ran),
        "robustness": _robustness(run, systems, there),
        "elsewhere": "tested on "
        + _distinct(row.get("title") for row in manifest_records(manifest, "external"))
        if "external" in there
        else "",
        "internal": f"tested under {protocols}" if ran else "",
        "explained": "maps of where scores come from (Grad-CAM)"
        if any(manifest_records(row, "crops") for row in manifest_records(manifest, "saliency"))
        else "",
        "available": _joined(
            _joined(suite.get("name"), suite.get("version"), sign=" "),
            f"data: {data['licence']}" if data.get("licence") else "",
            sign="; ",
        ),
        "measured": f"{len(ran)} of {len(systems)} systems measured" if ran else "",
        "errors": f"confusion counts{' and the most confident mistakes' * ('errors' in there)}"
        if ran
        else "",
        "standardised": "features standardised by the training rows"
        + ", but for networks' own heads" * any(map(own_head, networks))
        if any(not own_head(system) for system in networks)
        else "",
        "imbalance": "no class weights"
        + " of the suite's own" * bool(manifest_records(run.manifest, "classifiers"))
        + "; crops of each class in the table of the data"
        if ran
        else "",
        "thresholds": _joined(_thresholds(ran), *_own_thresholds(run, ran)),
        "licence": str(data.get("licence") or ""),
        # Not the command line: it names the folders of one machine.
        "settings": "every setting, version and hash in manifest.json" if options else "",
    }


def _joined(*parts: Any, sign: str = ", ") -> str:
    return sign.join(str(part) for part in parts if part)


def _distinct(values: Iterable[Any]) -> str:
    return _joined(*dict.fromkeys(short(value) for value in values))


def _classes(data: dict[str, Any]) -> str:
    found = [info for info in section(data, "subsets").values() if isinstance(info, dict)]
    named = (f"{info.get('positive')} against {info.get('negative')}" for info in found)
    return _joined(*dict.fromkeys(named))


def _subset_size(row: dict[str, Any]) -> str:
    named = _joined(row.get("subset"), row.get("split"), row.get("label"), sign=" ")
    return f"{named}: {row.get('crops')} crops"


def _taken_out(row: dict[str, Any]) -> str:
    return (
        f"{row.get('crops')} training crops of {row.get('subset')} taken out because of "
        f"{row.get('because_of')}"
    )


def _disjoint(run: Run, systems: list[PooledSystem]) -> str:
    level = "patients" if run.patient_ids else "images: there are no patient ids"
    protocols = {str(system.identity["protocol"]) for system in systems}
    if protocols and protocols <= set(run.audits):
        return "none: all protocols are audits"
    return f"{level}, but for the audits" if protocols & set(run.audits) else level


def _robustness(run: Run, systems: list[PooledSystem], there: set[str]) -> str:
    protocols = {str(system.identity["protocol"]) for system in systems}
    audits = [name for name in run.audits if name in protocols]
    return _joined(
        "subgroups" if "subgroups" in there else "",
        "learning curves" if "learning_curves" in there else "",
        f"audits ({', '.join(audits)})" if audits else "",
    )


def _measures(ran: list[PooledSystem]) -> str:
    """The measures that the test rows of some system allow: most want rows of both classes."""
    if not ran:
        return ""
    every = [rows for system in ran for rows in system.repeats]
    positive = any(rows.positive.any() for rows in every)
    negative = any((~rows.positive).any() for rows in every)
    both = any(len(set(rows.positive[rows.fold == f])) == 2 for rows in every for f in {*rows.fold})
    allowed = {
        "accuracy": True,
        "AUC": both,
        "sensitivity": positive,
        "specificity": negative,
        "MCC": positive and negative,
    }
    return f"{_joined(*(name for name in allowed if allowed[name]))} and those of the tables"


def _thresholds(ran: list[PooledSystem]) -> str:
    """Where each kind of score that some system has is cut."""
    classifiers = {str(system.identity["classifier"]) for system in ran}
    distances = any(names_svm(name) and not name.endswith("+platt") for name in classifiers)
    shares = any(name == OWN_HEAD or name.endswith("+platt") for name in classifiers)
    return _joined(
        "0 for distances to a boundary" if distances else "",
        "0 for log-odds" if {"logistic", "linear_probe"} & classifiers else "",
        "0.5 for probabilities" if shares else "",
        "0.5 for shares of neighbours" if "knn" in classifiers else "",
        "0 for differences of distances" if "nearest_mean" in classifiers else "",
    )


def _own_thresholds(run: Run, ran: list[PooledSystem]) -> list[str]:
    """Where the scores of classifiers that a user has registered are cut."""
    names = {str(one.get("name")) for one in manifest_records(run.manifest, "classifiers")}
    found = {
        f"{short(system.units['threshold'].iloc[0])} for {system.identity['classifier']}": None
        for system in ran
        if system.identity["classifier"] in names
    }
    return list(found)


CHECKLIST_TABLE = ReportTable(
    "checklist",
    lambda pooled, tables: checklist(pooled.run, pooled.systems, tables),
    title="Reporting checklist",
    place="paper",
    intro=(
        "Items of CLAIM (2024) and TRIPOD+AI (2024) in words of our own; the guidelines' text is "
        "what counts. What stands empty only the authors can say."
    ),
    folded=True,
    kept_empty=True,
    headings={
        "asks_for": "asks for",
        "run_says": "this run says",
    },
)
