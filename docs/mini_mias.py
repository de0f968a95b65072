"""Builds the worked example on mini-MIAS again: the run, and what is kept here of its report.

    python docs/mini_mias.py all-mias.tar.gz

Tables, figures and a page in words go to docs/results/mini-mias. No film does, nor a crop of one:
the set may be used for research only. Figures are the same when it is built again with the same
versions and as many threads.
"""

import shutil
import sys
from pathlib import Path

from worked_example import RESULTS, Example, Kept, write_page

KEPT = RESULTS / "mini-mias"
RUNS = Path("runs")
EXTRACTORS = "bundled:efficientnet_lite0,cnn_baseline,vit_128_p16,selected"
HONEST = "patient-cv"
PROTOCOLS = (
    *(HONEST, "image-cv", "reused-network"),
    *("rotated-by-patient", "rotated-holdout", "rotated-image-cv"),
)


def _example(subset: str, title: str) -> Example:
    return Example(
        subset,
        title,
        (
            *("--dataset", "mias", "--subset", subset),
            *("--extractors", EXTRACTORS),
            *("--protocols", ",".join(PROTOCOLS)),
        ),
    )


# 88 trainings; those of the CNN on whole films take the longest.
EXAMPLES = (
    _example("films", "Whole films: normal against abnormal"),
    _example("crops", "Lesion crops: benign against malignant"),
)


def main() -> None:
    """Run, or go on with a run that was cut short, and write the example."""
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/mini_mias.py FOLDER-OR-ARCHIVE")
    folders = {example: RUNS / f"mini-mias-{example.name}" for example in EXAMPLES}
    for example, folder in folders.items():
        example.run(sys.argv[1], folder)
    shutil.rmtree(KEPT, ignore_errors=True)
    commands = "\n".join(example.command("all-mias.tar.gz") for example in EXAMPLES)
    parts = [_HEAD.format(commands=commands)]
    for example, folder in folders.items():
        parts += _section(Kept(example, folder, KEPT))
    write_page(KEPT, [*parts, _FOOT])


def _section(kept: Kept) -> list[str]:
    """The part of the page on one subset."""
    name = kept.example.name
    row = kept.summary[kept.summary["protocol"] == HONEST].iloc[0]
    return [
        f"## {kept.example.title}",
        f"{row['n_test']} rows of {row['n_patients']} patients; five folds by patient, once.",
        kept.systems(HONEST),
        *kept.pictures(f"auc-{name}-{HONEST}", f"{HONEST}: AUC with intervals"),
        "### Under every protocol",
        kept.protocols(PROTOCOLS),
        *kept.pictures("audit-", "What an audit gave, with intervals"),
        "### The report's questions",
        *kept.answered(),
    ]


_HEAD = """# mini-MIAS: a worked example

Real films, one pretrained backbone that needs no network, a CNN and a ViT trained from scratch,
every protocol that a set without an official split allows, and what a careful reader can
conclude: little, and the tables say so.

```
{commands}
```

`python docs/mini_mias.py all-mias.tar.gz` (or `tox -e examples -- all-mias.tar.gz`) builds this
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
