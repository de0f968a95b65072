"""BibTeX for what a run used: data set, networks, libraries, methods, and the suite itself."""

import re
from collections.abc import Iterable
from typing import Any

from reports.evaluation import Evaluation
from reports.statistics.difference import BY_BOOTSTRAP, BY_FOLDS
from reports.systems.kinds import parts
from reports.systems.names import names_svm
from reports.systems.run_folder import Run, manifest_records, section
from reports.tables.formats import escape_latex
from reports.text.bibliography import (
    DATA_SETS,
    IMAGENET,
    LIBRARIES,
    LOCALIZATION,
    NETWORKS,
    SALIENCY,
    STATISTICS,
    SVM,
    Reference,
    bibliography,
)


def statistics(evaluation: Evaluation) -> dict[str, str]:
    """The statistics that the report of a run rests on, each with the keys of its papers."""
    tables = evaluation.tables
    compared = tables.get("comparisons")
    used = {
        "bootstrap": True,
        "holm": compared is not None and compared["p_holm"].notna().any(),
        "split": compared is not None and (compared["test"] == BY_BOOTSTRAP).any(),
        "folds": compared is not None and (compared["test"] == BY_FOLDS).any(),
        "platt": any(
            "+platt" in str(system.identity["classifier"])
            for system in evaluation.systems
            if system.ran
        ),
        "brier": "calibration" in tables,
        "decision": "decision_curves" in tables,
    }
    return {name: ", ".join(STATISTICS[name]) for name in used if used[name]}


def references(evaluation: Evaluation) -> list[Reference]:
    """What this run used and its report rests on, each once; the suite last."""
    run, systems = evaluation.run, [system for system in evaluation.systems if system.ran]
    used = [part for system in systems for part in parts(system)]
    # A plugin may have the name of a network and be another one.
    names = [str(part.get("architecture")) for part in used if part.get("library") != "plugin"]
    # The phantom has the layout of a data set, and none of its images.
    dataset = "" if run.synthetic else str(section(run.manifest, "data").get("dataset", ""))
    packages = section(section(run.manifest, "environment"), "packages")
    networks = [
        key for pattern, key in NETWORKS.items() if any(re.search(pattern, name) for name in names)
    ]
    imagenet = any(part.get("weights") == "imagenet" for part in used)
    explained = manifest_records(run.manifest, "saliency")
    kernels = {str(system.identity["classifier"]) for system in systems}
    svm = any(map(names_svm, kernels))
    keys = [
        *DATA_SETS.get(dataset, ()),
        *(key for name in _external_kinds(run) for key in DATA_SETS.get(name, ())),
        *networks,
        *([LOCALIZATION] if any(part.get("localized") for part in used) else []),
        *([IMAGENET] if imagenet else []),
        *(SVM if svm else ()),
        *(key for name, key in LIBRARIES.items() if name in packages),
        *(key for name in statistics(evaluation) for key in STATISTICS[name]),
        *(SALIENCY if any(manifest_records(row, "crops") for row in explained) else ()),
    ]
    listed = [bibliography()[key] for key in dict.fromkeys(keys)]
    return [*_other_data(run), *listed, *_other_backbones(used), _suite(run)]


def _external_kinds(run: Run) -> list[str]:
    """The names of the external sets that are real."""
    sets = manifest_records(run.manifest, "external")
    return [str(one.get("dataset")) for one in sets if not one.get("synthetic")]


def _other_data(run: Run) -> list[Reference]:
    """Data sets that say themselves how they are cited, and have no entry in the file."""
    own = section(run.manifest, "data")
    sets = [own, *manifest_records(run.manifest, "external")]
    return [
        _quoted(f"data_{number}", str(one.get("title") or one.get("dataset")), str(one["citation"]))
        for number, one in enumerate(sets, 1)
        if one.get("citation")
        and not one.get("synthetic")
        and str(one.get("dataset")) not in DATA_SETS
    ]


def _other_backbones(used: Iterable[dict[str, Any]]) -> list[Reference]:
    """Models that are published with a citation of their own, or on the Hub only."""
    cited = {str(part["cite"]): str(part.get("name")) for part in used if part.get("cite")}
    return [
        _quoted(f"backbone_{number}", f"Model {name}", text)
        for number, (text, name) in enumerate(cited.items(), 1)
    ]


def _quoted(key: str, title: str, text: str) -> Reference:
    """An entry whose citation stands in it as somebody has written it."""
    address = re.search(r"https?://[^\s{}\\]+", text)
    url = f"  url = {{{address[0].rstrip('.,;')}}},\n" if address else ""
    lines = f"  title = {{{{{escape_latex(title)}}}}},\n  note = {{{escape_latex(text)}}},\n{url}"
    return Reference(key, f"@misc{{{key},\n{lines}}}\n")


def _suite(run: Run) -> Reference:
    suite = section(run.manifest, "suite")
    name = _plain(suite.get("name", "vit-svm-bench"))
    version, made = str(suite.get("version", "")), section(run.manifest, "run").get("created", "")
    year = str(made)[:4]
    fields = {
        "author": f"{{{name} contributors}}",
        "title": f"{{{name}}}",
        **({"version": _plain(version)} if version else {}),
        **({"year": year} if year.isdigit() else {}),
        "note": "Benchmark software",
    }
    lines = "".join(f"  {field} = {{{value}}},\n" for field, value in fields.items())
    return Reference("vitsvmbench", f"@software{{vitsvmbench,\n{lines}}}\n")


def _plain(text: Any) -> str:
    """Text from a manifest without what BibTeX or LaTeX would act upon."""
    return re.sub(r"[^\w .:+-]", "", str(text)).replace("_", r"\_")


def to_bibtex(entries: Iterable[Reference]) -> str:
    """The entries as a .bib file."""
    return "\n".join(entry.bibtex for entry in entries)
