"""Builds the worked example on mini-MIAS again: the run, and what is kept here of its report.

    python docs/mini_mias.py all-mias.tar.gz

Tables, figures and a page in words go to docs/results/mini-mias. No film does, nor a crop of one:
the set may be used for research only. Nor do times, which are the machine's: every other figure is
the same when the example is built again with the same versions.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from reports.answers import answers
from reports.formats import estimate, missing
from reports.pooling import pool
from reports.run_folder import Run, read_run
from reports.tables import every_table

KEPT = Path(__file__).parent / "results" / "mini-mias"
RUN = Path("runs/mini-mias-example")
HONEST = "patient-cv"
PROTOCOLS = (
    *(HONEST, "image-cv", "reused-network"),
    *("rotated-by-patient", "rotated-holdout", "rotated-image-cv"),
)
OPTIONS = (
    *("--dataset", "mias"),
    *("--extractors", "bundled:efficientnet_lite0,cnn_baseline,vit_128_p16,selected"),
    *("--protocols", ",".join(PROTOCOLS)),
)
TABLES = (
    *("summary", "protocols_side_by_side", "leakage_audit", "comparisons", "ranks", "candidates"),
    *("further_measures", "confusion", "operating_points", "levels", "subgroups", "recipes"),
)
# Figures that are drawn from scores alone.
FIGURES = ("auc", "roc", "audit", "calibration")
TASKS = {
    "films": "Whole films: normal against abnormal",
    "crops": "Lesion crops: benign against malignant",
}


def main() -> None:
    """Run, or go on with a run that was cut short, and write the example."""
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/mini_mias.py FOLDER-OR-ARCHIVE")
    command = [sys.executable, "-m", "bench", "all", "--data", sys.argv[1], *OPTIONS]
    if code := subprocess.run([*command, "--out", str(RUN)], check=False).returncode:
        sys.exit(code)
    run = read_run(RUN)
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True)
    for name in TABLES:
        _without_times(RUN / "tables" / f"{name}.csv").to_csv(KEPT / f"{name}.csv", index=False)
    for figure in _figures(run):
        shutil.copy(figure, KEPT)
    (KEPT / "README.md").write_text(_page(run), encoding="utf-8")


def _without_times(table: Path) -> pd.DataFrame:
    found = pd.read_csv(table, dtype=str, keep_default_na=False)
    return found[[name for name in found if not name.endswith("_time_s")]]


def _figures(run: Run) -> list[Path]:
    return [p for kind in FIGURES for p in sorted((run.folder / "figures").glob(f"{kind}*.svg"))]


def _page(run: Run) -> str:
    systems = pool(run)
    tables = every_table(run, systems)
    parts = [_HEAD.format(command=_command())]
    for subset, title in TASKS.items():
        parts += [f"## {title}", _sizes(tables["summary"], subset), _honest(tables, subset)]
        parts += _pictures(run, f"auc-{subset}-{HONEST}", f"{title}, {HONEST}: AUC with intervals")
        parts += ["### Under every protocol", _protocols(tables, subset)]
        parts += _pictures(run, f"audit-{subset}", "What each audit gave, with intervals")
    parts += ["## The six questions, as the report answers them", *_answered(run, systems, tables)]
    return "\n\n".join([*parts, _FOOT]) + "\n"


def _command() -> str:
    options = [f"    {' '.join(OPTIONS[at : at + 2])}" for at in range(0, len(OPTIONS), 2)]
    lines = ["python -m bench all --data all-mias.tar.gz", *options]
    return " \\\n".join(lines)


def _sizes(summary: pd.DataFrame, subset: str) -> str:
    row = summary[(summary["subset"] == subset) & (summary["protocol"] == HONEST)].iloc[0]
    return f"{row['n_test']} rows of {row['n_patients']} patients; five folds by patient, once."


def _honest(tables: dict[str, pd.DataFrame], subset: str) -> str:
    summary = tables["summary"]
    own = summary[(summary["subset"] == subset) & (summary["protocol"] == HONEST)]
    measures = ("auc", "accuracy", "sensitivity", "specificity", "mcc")
    rows = [
        (
            f"`{row['extractor']}`",
            str(row["classifier"]).replace("_", " "),
            *(estimate(row, name) for name in measures),
        )
        for row in own.to_dict("records")
    ]
    return _table(("extractor", "classifier", "AUC", *measures[1:]), rows)


def _protocols(tables: dict[str, pd.DataFrame], subset: str) -> str:
    beside = tables["protocols_side_by_side"]
    own = beside[(beside["subset"] == subset) & (beside["measure"] == "auc")]
    shown = [name for name in own if name.removesuffix(" (audit)") in PROTOCOLS]
    rows = [
        (
            f"`{row['extractor']}`",
            str(row["classifier"]).replace("_", " "),
            *("" if missing(row[name]) else str(row[name]) for name in shown),
        )
        for row in own.to_dict("records")
    ]
    return "AUC.\n\n" + _table(("extractor", "classifier", *shown), rows)


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _pictures(run: Run, beginning: str, words: str) -> list[str]:
    found = [path.name for path in _figures(run) if path.name.startswith(beginning)]
    return [f"![{words}]({name})" for name in found]


def _answered(run: Run, systems: list, tables: dict[str, pd.DataFrame]) -> list[str]:
    parts = []
    for answer in answers(run, systems, tables):
        # Times are told in sentences, too, and are the machine's.
        if answer.question == "What does each system cost?":
            continue
        said = [f"- {sentence}" for sentence in answer.said] or ["- Not asked in this run."]
        parts.append("\n".join([f"**{answer.question}**", "", *said]))
    return parts


_HEAD = """# mini-MIAS: a worked example

Real films, one pretrained backbone that needs no network, a CNN and a ViT trained from scratch,
every protocol that a set without an official split allows, and what a careful reader can
conclude: little, and the tables say so.

```
{command}
```

`python docs/mini_mias.py all-mias.tar.gz` (or `tox -e docs -- all-mias.tar.gz`) builds this
folder again. The networks are trained by the recipe of `--preset quick`, ten epochs: that shows
that they run, not what they can do. Figures are mean ± standard deviation over repeats (there is
one: no ±) [95 % interval, bootstrap over patients, given the trained models]. An empty cell is
undefined, or the protocol has no such row. **Audits put patients on both sides on purpose; their
figures are no estimates of performance.** Here a patient is two films, or one or two crops of
them: what crops of a patient share is little beside what four turned copies of one crop share.
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
