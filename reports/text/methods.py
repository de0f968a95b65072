"""A methods section written from the manifest: what was done, for a paper to start from.

Only what the run folder tells is said. What a paper must say besides stands in checklist.py.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from reports.evaluation import Evaluation
from reports.statistics.bootstrap import DRAWS
from reports.systems.kinds import is_reference, is_selected
from reports.systems.pooling import PooledSystem
from reports.systems.protocols import methods_words
from reports.systems.run_folder import Run, listing, manifest_records, section
from reports.text.references import statistics
from reports.values import missing, short


def methods(evaluation: Evaluation) -> list[str]:
    """Paragraphs of plain text: data, protocols, systems, statistics, software.

    In square brackets stand the keys of references.bib.
    """
    run, systems = evaluation.run, evaluation.systems
    paragraphs = [
        _data(run),
        _crops(run),
        _protocols(run, systems),
        _systems(run, systems),
        _statistics(systems, statistics(evaluation)),
        _software(run),
    ]
    # Names may hold line breaks, which would end a paragraph.
    return [" ".join(" ".join(said).split()) for said in paragraphs if said]


def _data(run: Run) -> list[str]:
    data = section(run.manifest, "data")
    said = []
    if data.get("dataset"):
        cited = f" ({data['citation']})" if data.get("citation") else ""
        said.append(f"Data set: {data.get('title') or data['dataset']}{cited}.")
        if data.get("derived_from"):
            said.append(f"It is derived from {data['derived_from']}.")
        if data.get("changed"):
            said.append(f"Changed: {data['changed']}.")
    if run.synthetic:
        said.append("The images are synthetic; no figure says anything of mammography.")
    for subset, info in section(data, "subsets").items():
        counts = [
            row for row in manifest_records(data, "counts") if str(row.get("subset")) == subset
        ]
        parts = [_counted(row) for row in counts]
        positive = info.get("positive", "") if isinstance(info, dict) else ""
        called = f", positive class {positive}" if positive else ""
        said += [f"Subset {subset}{called}: {'; '.join(parts)}."] if parts else []
    return said + _left_out(run)


def _counted(row: dict[str, Any]) -> str:
    named = " ".join(str(row.get(name)) for name in ("split", "label") if row.get(name) != "none")
    counts = [f"{row[name]} {name}" for name in ("crops", "lesions", "patients") if row.get(name)]
    return f"{named} {', '.join(counts)}"


def _left_out(run: Run) -> list[str]:
    reasons = Counter(
        str(row.get("reason", "")) for row in manifest_records(run.manifest, "left_out")
    )
    if not reasons:
        return ["No row of the data set was left out."]
    told = "; ".join(f"{n} × {reason}" for reason, n in reasons.most_common())
    return [f"Left out were {reasons.total()} rows: {told}."]


def _crops(run: Run) -> list[str]:
    options = section(run.manifest, "configuration")
    if not options.get("size"):
        return []
    shape = "stretched to a square" if options.get("fit") == "stretch" else "padded with zeros"
    window = {"own": "; grey values scaled by each crop's own minimum and maximum", "": ""}
    chosen = str(options.get("window") or "")
    grey = window.get(chosen, f"; grey window {chosen}")
    return [
        f"Each crop (region: {options.get('region', 'crop')}) was read once as one 8-bit channel, "
        f"{shape}, its longest side {options['size']} pixels{grey}.",
        "It was then resized to each network's own input (bicubic, antialiased) and its channel "
        "repeated.",
    ]


def _protocols(run: Run, systems: list[PooledSystem]) -> list[str]:
    said = []
    words = methods_words(run)
    for name in dict.fromkeys(str(system.identity["protocol"]) for system in systems):
        repeats = max(
            (len(s.repeats) for s in systems if s.identity["protocol"] == name), default=0
        )
        times = f", {repeats} repeats" if repeats > 1 else ""
        said.append(f"Protocol {name}: {words.get(name, 'as configured')}{times}.")
    if run.audits:
        said.append("Audits have patients on both sides on purpose and estimate no performance.")
    said.append(
        "Outside audits nothing was fitted or chosen on test rows: no scaler, no component, no "
        "threshold, no epoch."
    )
    shares = listing(section(run.manifest, "configuration"), "train_fraction")
    if len(shares) > 1:
        told = ", ".join(short(share) for share in shares)
        said.append(f"Learning curves used nested shares of the training patients: {told}.")
    return said


def _systems(run: Run, systems: list[PooledSystem]) -> list[str]:
    said = []
    frozen = _named(s for s in systems if not (s.trained or is_reference(s) or is_selected(s)))
    if frozen:
        said.append(f"Extractors with frozen weights: {', '.join(frozen)}.")
    for recipe in manifest_records(run.manifest, "recipes"):
        told = [f"{n.replace('_', ' ')} {short(v)}" for n, v in recipe.items() if _worth(n, v)]
        said.append(f"{recipe.get('extractor')} was trained with {', '.join(told)}.")
    references = _named(s for s in systems if is_reference(s))
    if references:
        said.append(f"Reference points without a network: {', '.join(references)}.")
    if any(map(is_selected, systems)):
        said.append(
            "The row selected is, in every fold, the system out of the frozen extractors with "
            "plain SVM kernels that has the highest mean AUC on five inner folds of the training "
            "rows, stratified by label and grouped by patient."
        )
    named = (s for s in systems if not is_selected(s))
    classifiers = list(dict.fromkeys(str(s.identity["classifier"]) for s in named))
    if classifiers:
        said.append(f"Classifiers: {', '.join(name.replace('_', ' ') for name in classifiers)}.")
    boxes = sorted({short(s.identity["C"]) for s in systems} - {""})
    if boxes:
        said.append(
            "Support vector machines work on features standardised by the training rows; box "
            f"constraint C {', '.join(boxes)}; kernel scale from the number of features."
        )
    return said


def _named(systems: Any) -> list[str]:
    pairs = ((str(s.identity["extractor"]), short(s.identity["weights"])) for s in systems)
    return [f"{name} ({of} weights)" if of else name for name, of in dict.fromkeys(pairs)]


def _worth(name: str, value: Any) -> bool:
    """Whether a field of a recipe says something in a sentence."""
    return name != "extractor" and not missing(value) and value not in ("", 0, False)


def _statistics(systems: list[PooledSystem], keys: Mapping[str, str]) -> list[str]:
    """keys : from `references.statistics`."""
    said = [
        "Measures: accuracy, AUC, sensitivity, specificity and Matthews correlation; the folds of "
        "a repeat are pooled, and the AUC compares rows of one fold only.",
        f"95 % intervals are percentile intervals of {DRAWS:,} bootstrap draws of patients, the "
        f"same draws for all systems on the same patients [{keys['bootstrap']}].",
    ]
    if any(len(set(system.units["fold"])) > 1 for system in systems):
        said.append(
            "Under cross-validation the intervals hold given the trained models: what training "
            "again would change is not in them."
        )
    if any(len(system.repeats) > 1 for system in systems):
        said.append("± is the standard deviation over repeats.")
    said += [text.format(keys[name]) for name, text in _FURTHER.items() if name in keys]
    return said


# A statistic that not every run needs -> what is said of it with the keys of its papers.
_FURTHER = {
    "folds": "Declared comparisons over folds use the corrected resampled t-test [{}].",
    "holm": "P-values of declared comparisons are adjusted by Holm's procedure within a question, "
    "subset and protocol [{}].",
    "platt": "Scores of machines marked platt became probabilities by a sigmoid fitted on inner "
    "folds [{}].",
    "brier": "Probabilities are judged by the Brier score [{}] and the calibration error in ten "
    "bins.",
    "decision": "Net benefit is that of decision curves [{}].",
}


def _software(run: Run) -> list[str]:
    suite, machine = section(run.manifest, "suite"), section(run.manifest, "environment")
    packages = section(machine, "packages")
    said = []
    if suite.get("name"):
        said.append(f"Software: {suite['name']} {suite.get('version', '')}".rstrip() + ".")
    if packages:
        told = ", ".join(f"{name} {version}" for name, version in packages.items())
        said.append(f"Python {machine.get('python', '')} with {told}.")
    device = machine.get("device_name") or machine.get("cpu")
    if device:
        said.append(f"Device: {machine.get('device', '')} ({device}).")
    seed = section(run.manifest, "configuration").get("seed")
    if seed is not None:
        said.append(f"Seed: {seed}.")
    return said
