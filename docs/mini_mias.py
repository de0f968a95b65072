"""Builds the worked example on mini-MIAS again: the run, and what is kept here of its report.

    python docs/mini_mias.py all-mias.tar.gz

Tables, figures and a page in words go to docs/results/mini-mias. No film does, nor a crop of one:
the set may be used for research only. Nor do times, which are the machine's: other
figures are the same when it is built again with the same versions and as many threads.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reports.evaluation import Evaluation
from reports.systems.run_folder import Run, read_run
from reports.text.answers import answers
from reports.values import estimate, missing

KEPT = Path(__file__).parent / "results" / "mini-mias"
RUNS = Path("runs")
EXTRACTORS = "bundled:efficientnet_lite0,cnn_baseline,vit_128_p16,selected"
HONEST = "patient-cv"
PROTOCOLS = (
    *(HONEST, "image-cv", "reused-network"),
    *("rotated-by-patient", "rotated-holdout", "rotated-image-cv"),
)


@dataclass(frozen=True)
class Example:
    """A run on one subset of the data, and its title in the example."""

    subset: str
    title: str

    @property
    def folder(self) -> Path:
        return RUNS / f"mini-mias-{self.subset}"

    @property
    def options(self) -> tuple[str, ...]:
        return (
            *("--dataset", "mias", "--subset", self.subset),
            *("--extractors", EXTRACTORS),
            *("--protocols", ",".join(PROTOCOLS)),
        )


# 88 trainings; those of the CNN on whole films take the longest.
EXAMPLES = (
    Example("films", "Whole films: normal against abnormal"),
    Example("crops", "Lesion crops: benign against malignant"),
)
TABLES = (
    *("summary", "protocols_side_by_side", "leakage_audit", "comparisons", "ranks", "candidates"),
    *("further_measures", "confusion", "operating_points", "levels", "subgroups", "recipes"),
)
# Figures that are drawn from scores alone.
FIGURES = ("auc", "roc", "audit", "calibration")


def main() -> None:
    """Run, or go on with a run that was cut short, and write the example."""
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/mini_mias.py FOLDER-OR-ARCHIVE")
    for example in EXAMPLES:
        command = [sys.executable, "-m", "bench", "all", "--data", sys.argv[1], *example.options]
        ended = subprocess.run([*command, "--out", str(example.folder)], check=False)
        if ended.returncode:
            sys.exit(ended.returncode)
    shutil.rmtree(KEPT, ignore_errors=True)
    parts = [_HEAD.format(commands="\n".join(map(_command, EXAMPLES)))]
    for example in EXAMPLES:
        parts += _kept(example)
    (KEPT / "README.md").write_text("\n\n".join([*parts, _FOOT]) + "\n", encoding="utf-8")


def _kept(example: Example) -> list[str]:
    """Copy what is kept of an example's run; its part of the page."""
    run = read_run(example.folder)
    place = KEPT / example.subset
    place.mkdir(parents=True)
    for file in (example.folder / "tables" / f"{name}.csv" for name in TABLES):
        _without_times(file).to_csv(place / file.name, index=False)
    for figure in _figures(run):
        shutil.copy(figure, place)
    evaluation = Evaluation.of(run)
    tables = evaluation.tables
    return [
        f"## {example.title}",
        _sizes(tables["summary"]),
        _honest(tables["summary"]),
        *_pictures(run, example, f"auc-{example.subset}-{HONEST}", f"{HONEST}: AUC with intervals"),
        "### Under every protocol",
        _protocols(tables["protocols_side_by_side"]),
        *_pictures(run, example, "audit-", "What an audit gave, with intervals"),
        "### The report's questions",
        *_answered(evaluation),
    ]


def _without_times(table: Path) -> pd.DataFrame:
    found = pd.read_csv(table, dtype=str, keep_default_na=False)
    return found[[name for name in found if not name.endswith("_time_s")]]


def _figures(run: Run) -> list[Path]:
    return [p for kind in FIGURES for p in sorted((run.folder / "figures").glob(f"{kind}*.svg"))]


def _command(example: Example) -> str:
    pairs = [example.options[at : at + 2] for at in range(0, len(example.options), 2)]
    lines = ["python -m bench all --data all-mias.tar.gz", *("    " + " ".join(p) for p in pairs)]
    return " \\\n".join(lines)


def _sizes(summary: pd.DataFrame) -> str:
    row = summary[summary["protocol"] == HONEST].iloc[0]
    return f"{row['n_test']} rows of {row['n_patients']} patients; five folds by patient, once."


def _honest(summary: pd.DataFrame) -> str:
    measures = ("auc", "accuracy", "sensitivity", "specificity", "mcc")
    rows = [
        (*_named(row), *(estimate(row, name) for name in measures))
        for row in summary[summary["protocol"] == HONEST].to_dict("records")
    ]
    return _table(("extractor", "classifier", "AUC", *measures[1:]), rows)


def _protocols(beside: pd.DataFrame) -> str:
    shown = [name for name in beside if name.removesuffix(" (audit)") in PROTOCOLS]
    rows = [
        (*_named(row), *("" if missing(row[name]) else str(row[name]) for name in shown))
        for row in beside[beside["measure"] == "auc"].to_dict("records")
    ]
    return "AUC.\n\n" + _table(("extractor", "classifier", *shown), rows)


def _named(row: dict[str, Any]) -> tuple[str, str]:
    return f"`{row['extractor']}`", str(row["classifier"]).replace("_", " ")


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _pictures(run: Run, example: Example, beginning: str, words: str) -> list[str]:
    names = [path.name for path in _figures(run) if path.name.startswith(beginning)]
    return [f"![{example.title}. {words}]({example.subset}/{name})" for name in names]


def _answered(evaluation: Evaluation) -> list[str]:
    parts = []
    for answer in answers(evaluation):
        # Its sentences have times, which are the machine's.
        if answer.question == "What does each system cost?":
            continue
        lines = [f"- {sentence}" for sentence in answer.lines] or ["- Not asked in this run."]
        parts.append("\n".join([f"**{answer.question}**", "", *lines]))
    return parts


_HEAD = """# mini-MIAS: a worked example

Real films, one pretrained backbone that needs no network, a CNN and a ViT trained from scratch,
every protocol that a set without an official split allows, and what a careful reader can
conclude: little, and the tables say so.

```
{commands}
```

`python docs/mini_mias.py all-mias.tar.gz` (or `tox -e docs -- all-mias.tar.gz`) builds this
folder again. The networks are trained by the recipe of `--preset quick`, ten epochs: that shows
that they run, not what they can do. It was made with one thread (`OMP_NUM_THREADS=1`). Figures
are mean ± standard deviation over repeats (there is one: no ±) [95 % interval, bootstrap over
patients, given the trained models]. An empty cell is undefined, or the protocol has no such
row. **Audits put patients on both sides on purpose; their figures are no estimates of
performance.** Here a patient is two films, or one or two crops of them: what crops of a patient
share is little beside what four rotated copies of one crop share.
"""
_FOOT = """## Before anything is concluded

- The row `shortcut:radius` looks at no pixel: it is the radius of the circle that a radiologist
  has drawn. Crops are cut in proportion to that circle, so its size can be read off a crop, and
  an AUC that does not exceed this row is no evidence that texture was read.
- Intervals hold what other patients would change. What other folds and other trainings would
  change is not in them.
- Nothing here can be set against figures on CBIS-DDSM: other films, other lesions, other labels.

The films are from J. Suckling et al., *The Mammographic Image Analysis Society digital mammogram
database*, Excerpta Medica, International Congress Series 1069, 375–378 (1994), for research
only; no film is part of this repository."""

if __name__ == "__main__":
    main()
