"""A methods section written from the manifest: what was done, for a paper to start from.

Only what stands in the run folder is said. What a paper must say besides is in tables/checklist.py.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from reports.evaluation import Evaluation
from reports.statistics.bootstrap import DRAWS
from reports.systems.hosts import hosts_note, hosts_of
from reports.systems.kinds import (
    is_reference,
    is_selected,
    networks_run,
    parts,
    sees_images,
)
from reports.systems.pooling import PooledSystem
from reports.systems.protocols import methods_words
from reports.systems.run_folder import Run, listing, manifest_records, section
from reports.text.external_sets import external_sentences
from reports.text.fits import grouped, machines, own_classifiers
from reports.text.making import imported_features, precisions, rules_obeyed
from reports.text.references import statistics
from reports.values import missing, short


def methods(evaluation: Evaluation) -> list[str]:
    """Paragraphs of plain text: data, protocols, systems, statistics, software.

    In square brackets stand the keys of references.bib.
    """
    run, systems = evaluation.run, evaluation.systems
    paragraphs = [
        _data(run),
        _crops(run, systems),
        _protocols(run, systems),
        _systems(run, systems),
        _statistics(run, systems, statistics(evaluation)),
        _software(run),
    ]
    # Names may hold line breaks, which would end a paragraph.
    return [" ".join(" ".join(sentences).split()) for sentences in paragraphs if sentences]


def _data(run: Run) -> list[str]:
    data = section(run.manifest, "data")
    sentences = []
    if data.get("dataset"):
        cited = f" ({data['citation']})" if data.get("citation") else ""
        sentences.append(f"Data set: {data.get('title') or data['dataset']}{cited}.")
        if data.get("derived_from"):
            sentences.append(f"It is derived from {data['derived_from']}.")
        if data.get("changed"):
            sentences.append(f"Changed: {data['changed']}.")
    if run.synthetic:
        sentences.append("The images are synthetic; no figure says anything of mammography.")
    for subset, info in section(data, "subsets").items():
        counts = [
            row for row in manifest_records(data, "counts") if str(row.get("subset")) == subset
        ]
        parts = [_counted(row, run) for row in counts]
        positive = info.get("positive", "") if isinstance(info, dict) else ""
        called = f", positive class {positive}" if positive else ""
        sentences += [f"Subset {subset}{called}: {'; '.join(parts)}."] if parts else []
    if not run.patient_ids:
        together = "group_id" in run.lesions.columns
        but = ", but images that are kept together (copies, or of one lesion) count as one"
        sentences.append(
            f"There are no patient ids: every image counts as a patient of its own{but * together}."
        )
    return sentences + external_sentences(run) + _left_out(run)


def _counted(row: dict[str, Any], run: Run) -> str:
    named = " ".join(str(row.get(name)) for name in ("split", "label") if row.get(name) != "none")
    known = {"crops": True, "lesions": run.lesion_ids, "patients": run.patient_ids}
    counts = [f"{row[name]} {name}" for name in known if known[name] and row.get(name)]
    return f"{named} {', '.join(counts)}"


def _left_out(run: Run) -> list[str]:
    reasons = Counter(
        str(row.get("reason", "")) for row in manifest_records(run.manifest, "left_out")
    )
    if not reasons:
        return ["No row of the data set was left out."]
    listed = "; ".join(f"{n} × {reason}" for reason, n in reasons.most_common())
    total = reasons.total()
    return [f"Left out {'was 1 row' if total == 1 else f'were {total} rows'}: {listed}."]


# How grey values become 8 bits, by the run's setting.
_SCALED = (
    "8-bit grey values are kept as they are, others are scaled to 8 bits by each crop's own "
    "minimum and maximum"
)
_GREY = {
    "own": _SCALED,
    "voi": "grey values of DICOM files go through the file's own VOI table or window; where it has "
    f"none, and in other formats, {_SCALED}",
}


def _crops(run: Run, systems: list[PooledSystem]) -> list[str]:
    options = section(run.manifest, "configuration")
    size = options.get("size")
    if not size:
        return []
    stretched = options.get("fit") == "stretch"
    shape = (
        f"stretched to a square of {size} pixels (bilinear)"
        if stretched
        else f"its longest side brought to {size} pixels (bilinear), and padded to a square with "
        "zeros"
    )
    chosen = str(options.get("window") or "")
    grey = _GREY.get(chosen, f"grey window {chosen}") if chosen else ""
    sentences = [
        f"Each crop (region: {options.get('region', 'crop')}) was read as one 8-bit channel"
        f"{f' ({grey})' if grey else ''}, {shape}."
    ]
    sentences += _of_files(run)
    if any(s.ran and networks_run(s) for s in systems):
        sentences.append(
            "It was then resized to the input of each network where that has another size "
            "(bicubic, antialiased), and its channel repeated for networks that take several."
        )
    return sentences


def _of_files(run: Run) -> list[str]:
    """What was done with colours, further pages and orientations of files."""
    return [f"{line}." for line in map(str, listing(section(run.manifest, "data"), "decoding"))]


def _protocols(run: Run, systems: list[PooledSystem]) -> list[str]:
    sentences = []
    words = methods_words(run)
    for name in dict.fromkeys(str(system.identity["protocol"]) for system in systems):
        repeats = max(
            (len(s.repeats) for s in systems if s.identity["protocol"] == name), default=0
        )
        times = f", {repeats} repeats" if repeats > 1 else ""
        sentences.append(f"Protocol {name}: {words.get(name, 'as configured')}{times}.")
    sentences += _rows_used(systems) + _taken_out(run)
    audited = {str(system.identity["protocol"]) for system in systems} & set(run.audits)
    if audited:
        sentences.append(
            "Audits do not keep patients apart, on purpose, and estimate no performance."
            if run.patient_ids
            else "Audits estimate no performance."
        )
    sentences.append(
        f"{'Outside audits nothing' if audited else 'Nothing'} was fitted or chosen on test rows: "
        "no scaler, no component, no threshold, no epoch."
    )
    shares = listing(section(run.manifest, "configuration"), "train_fraction")
    if len(shares) > 1:
        listed = ", ".join(short(share) for share in shares)
        sentences.append(
            f"Learning curves used nested shares of the training {run.patients}: {listed}."
        )
    return sentences


def _rows_used(systems: list[PooledSystem]) -> list[str]:
    """How many rows systems were trained and tested on, by subset and protocol."""
    found: dict[tuple[str, str], list[PooledSystem]] = {}
    for system in systems:
        if system.ran and system.whole:
            place = str(system.identity["subset"]), str(system.identity["protocol"])
            found.setdefault(place, []).append(system)
    sentences = []
    for (subset, protocol), members in found.items():
        train = _range([n for system in members for n in system.units["n_train"].dropna()])
        test = _range([len(rows.score) for system in members for rows in system.repeats])
        folds = max(system.units["fold"].nunique() for system in members) > 1
        if train:
            sentences.append(
                f"Subset {subset} under {protocol}: {train} training rows"
                f"{' in a fold' if folds else ''}, {test} test rows"
                f"{' in all folds together' if folds else ''}."
            )
    return sentences


def _range(values: Iterable[Any]) -> str:
    """'149', or '95 to 97'."""
    found = sorted({int(value) for value in values})
    return (
        " to ".join(str(value) for value in dict.fromkeys((found[0], found[-1]))) if found else ""
    )


def _taken_out(run: Run) -> list[str]:
    """What could have been trained on, and no system was."""
    of = " of {} patients" if run.patient_ids else ""
    return [
        f"Of the {short(row.get('marked'))} crops "
        f"{'that the data set marks for training ' * (row.get('official') is not False)}in subset "
        f"{row.get('subset')}, {short(row.get('crops'))}{of.format(short(row.get('patients')))} "
        f"were taken out of training under {row.get('protocol')} because of "
        f"{row.get('because_of')}."
        for row in manifest_records(run.manifest, "taken_out")
    ]


def _systems(run: Run, systems: list[PooledSystem]) -> list[str]:
    """What ran; a system that failed has done nothing that could be reported."""
    ran = [system for system in systems if system.ran]
    sentences = []
    frozen = _named(s for s in ran if not s.trained and sees_images(s) and networks_run(s))
    if frozen:
        sentences.append(f"Extractors with frozen weights: {', '.join(frozen)}.")
    sentences += imported_features(run, ran)
    sentences += _trainings(run, ran) + precisions(run, ran) + rules_obeyed(run, ran)
    references = _named(s for s in ran if is_reference(s))
    if references:
        sentences.append(f"Reference points without a network: {', '.join(references)}.")
    if any(map(is_selected, ran)):
        sentences.append(
            "The row selected is, in every fold, the system out of the frozen extractors with "
            "plain SVM kernels that has the highest mean AUC on five inner folds of the training "
            f"rows, stratified by label{grouped(run)}."
        )
    named = (s for s in ran if not is_selected(s))
    classifiers = list(dict.fromkeys(str(s.identity["classifier"]) for s in named))
    if classifiers:
        sentences.append(
            f"Classifiers: {', '.join(name.replace('_', ' ') for name in classifiers)}."
        )
    failed = list(dict.fromkeys(str(s.identity["extractor"]) for s in systems if not s.ran))
    if failed:
        sentences.append(f"Not every system with these ran to its end: {', '.join(failed)}.")
    return sentences + own_classifiers(run, classifiers) + machines(run, ran)


def _trainings(run: Run, ran: list[PooledSystem]) -> list[str]:
    # The networks of a fusion have no row of their own, but a recipe.
    names = {str(part.get("name")) for system in ran for part in parts(system)}
    sentences = []
    for recipe in manifest_records(run.manifest, "recipes"):
        if str(recipe.get("extractor")) not in names:
            continue
        listed = [f"{n.replace('_', ' ')} {short(v)}" for n, v in recipe.items() if _worth(n, v)]
        sentences.append(
            f"{recipe.get('extractor')} was trained on cross-entropy with {', '.join(listed)}."
        )
    return sentences


def _named(systems: Any) -> list[str]:
    pairs = ((str(s.identity["extractor"]), short(s.identity["weights"])) for s in systems)
    return [f"{name} ({of} weights)" if of else name for name, of in dict.fromkeys(pairs)]


def _worth(name: str, value: Any) -> bool:
    """Whether a field of a recipe says something in a sentence."""
    return name != "extractor" and not missing(value) and value not in ("", 0, False)


def _statistics(run: Run, systems: list[PooledSystem], keys: Mapping[str, str]) -> list[str]:
    """keys : from `references.statistics`."""
    of = run.patients
    folds = any(len(set(system.units["fold"])) > 1 for system in systems)
    pooled = "; the folds of a repeat are pooled, and the AUC compares rows of one fold only"
    sentences = [
        "Measures: accuracy, AUC, sensitivity, specificity and Matthews correlation"
        f"{pooled if folds else ''}.",
        f"95 % intervals are percentile intervals of {DRAWS:,} bootstrap draws of {of}, the same "
        f"draws for all systems on the same {of} [{keys['bootstrap']}]; where a share is 0 or 1, "
        f"Wilson's intervals for as many trials as there are {of} behind it.",
    ]
    if folds:
        sentences.append(
            "Under cross-validation the intervals hold given the trained models: what training "
            "again would change is not in them."
        )
    if any(len(system.repeats) > 1 for system in systems):
        sentences.append("± is the standard deviation over repeats.")
    sentences += [text.format(keys[name]) for name, text in _FURTHER.items() if name in keys]
    return sentences


# A statistic that not every run needs -> its sentence, with room for the keys of its papers.
_FURTHER = {
    "split": "Declared comparisons on a single split divide the difference in AUC by the standard "
    "deviation of its bootstrap draws and take the quotient as a normal deviate [{}].",
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
    sentences = []
    if suite.get("name"):
        sentences.append(f"Software: {suite['name']} {suite.get('version', '')}".rstrip() + ".")
    if packages:
        listed = ", ".join(f"{name} {version}" for name, version in packages.items())
        sentences.append(f"Python {machine.get('python', '')}; installed: {listed}.")
    device = machine.get("device_name") or machine.get("cpu")
    if device:
        sentences.append(f"Device: {machine.get('device', '')} ({device}).")
    if note := hosts_note(hosts_of(run)):
        sentences.append(note)
    if known_by := short(run.manifest.get("configuration_digest")):
        sentences.append(f"Configuration (manifest.json): SHA-256 {known_by}.")
    seed = section(run.manifest, "configuration").get("seed")
    if seed is not None:
        sentences.append(f"Seed: {seed}.")
    return sentences
