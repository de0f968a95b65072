"""Builds the worked example of external test sets again: each of two sets is tested on the other.

    python docs/external_sets.py CBIS-DDSM-FOLDER all-mias.tar.gz

Masses of CBIS-DDSM (a reduced copy) and the lesion crops of mini-MIAS, one frozen backbone that
needs no network and one kernel. Tables and a page in words go to docs/results/external; no image.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from worked_example import RESULTS, Example, named, table, without_times, write_page

from reports.values import missing, number

KEPT = RESULTS / "external"
RUNS = Path("runs")
TABLES = ("summary", "external", "external_sets")


def _example(name: str, title: str, subset: str) -> Example:
    """A run that trains on one set and is tested on the other."""
    return Example(
        name,
        title,
        (
            *("--subset", subset),
            *("--extractors", "bundled:efficientnet_lite0,selected"),
            *("--classifiers", "medium_gaussian,medium_gaussian+platt"),
            *("--protocols", "official,patient-cv", "--repeats", "10"),
        ),
    )


CBIS, MIAS = "cbis-ddsm", "mini-mias"
# Each with the name of the set that is tested on.
EXAMPLES = {
    _example("cbis-to-mias", "CBIS-DDSM masses to mini-MIAS", "mass"): MIAS,
    _example("mias-to-cbis", "mini-MIAS to CBIS-DDSM masses", "crops"): CBIS,
}


def main() -> None:
    """Run, or go on with runs that were cut short, and write the example."""
    if len(sys.argv) != 3:
        sys.exit("usage: python docs/external_sets.py CBIS-DDSM-FOLDER all-mias.tar.gz")
    places = dict(zip((CBIS, MIAS), sys.argv[1:], strict=True))
    folders = {example: RUNS / f"external-{example.name}" for example in EXAMPLES}
    for example, external in EXAMPLES.items():
        (own,) = places.keys() - {external}
        others = ("--external", f"{external}={places[external]}")
        example.run(places[own], folders[example], *others)
    shutil.rmtree(KEPT, ignore_errors=True)
    parts = [part for example, run in folders.items() for part in _kept(run, example)]
    write_page(KEPT, [_HEAD, *parts, _FOOT])


def _kept(run: Path, example: Example) -> list[str]:
    """Copy the tables of a run that are kept; its part of the page."""
    place = KEPT / example.name
    place.mkdir(parents=True)
    tables = {}
    for name in TABLES:
        without_times(run / "tables" / f"{name}.csv").to_csv(place / f"{name}.csv", index=False)
        tables[name] = pd.read_csv(place / f"{name}.csv")
    return [
        f"## {example.title}",
        _rows(tables["external"]),
        _calibration(tables["external"]),
        "How the sets differ:",
        _sets(tables["external_sets"]),
    ]


def _rows(found: pd.DataFrame) -> str:
    columns = ("extractor", "classifier", "internal test", "AUC there", "AUC here", "drop")
    rows = [
        (
            *named(row),
            str(row["internal"]),
            *(_cell(row, name) for name in ("auc", "internal_auc", "auc_drop")),
            *(_cell(row, name) for name in ("sensitivity", "specificity")),
        )
        for row in found.to_dict("records")
    ]
    return table((*columns, "sensitivity there", "specificity there"), rows)


def _calibration(found: pd.DataFrame) -> str:
    names = ("calibration_in_the_large", "calibration_slope", "calibration_intercept")
    rows = [
        (*named(row), *(_cell(row, name) for name in names))
        for row in found[found[names[0]].notna()].to_dict("records")
    ]
    return table(("extractor", "classifier", "in the large", "slope", "intercept"), rows)


def _sets(found: pd.DataFrame) -> str:
    rows = [
        (
            f"{row['title']}, {row['rows']} rows",
            *(str(row[name]) for name in ("crops", "patients")),
            number(row["prevalence"]),
            *(f"{row[f'{one}_50']:.0f} ({row[f'{one}_25']:.0f}, {row[f'{one}_75']:.0f})"
              for one in ("side", "grey")),
            *("" if missing(row[name]) else str(row[name]) for name in ("formats", "views")),
        )
        for row in found.to_dict("records")
    ]  # fmt: skip
    columns = ("set", "crops", "patients", "positive", "side (px)", "grey value", "files", "views")
    return table(columns, rows)


def _cell(row: Mapping[str, Any], name: str) -> str:
    low, high = (number(row[f"{name}_ci_{end}"]) for end in ("low", "high"))
    return f"{number(row[name])} [{low}, {high}]" if low else number(row[name])


_HEAD = """# External test sets: a worked example

**The CBIS-DDSM here is a reduced copy: figures on the originals may differ.**

Each of two sets of lesion crops, benign against malignant, is trained on and tested on the other:
the masses of CBIS-DDSM (full mammograms of 800 × 800 pixels, from which the crops are cut) and the
lesions of mini-MIAS, which are of all kinds. Features are those of one frozen backbone with
ImageNet weights, the classifier a medium Gaussian SVM. Nothing is fitted on the set that is tested
on: weights, scaling, threshold and sigmoid come from the training rows. The internal test is the
official split, or, where there is none, five folds by patient, ten times.

`python docs/external_sets.py FOLDER all-mias.tar.gz` builds this folder again. In brackets: 95 %
intervals; of a drop, internal less external, from independent draws of the patients of either
side, given the trained models."""
_FOOT = """## Before anything is concluded

- A drop has no single cause. The sets differ in scanners, in films and digitisation, in how a crop
  was drawn around its lesion, in size and grey values, and in what was sent for biopsy.
- The crop size alone (`shortcut:size`) is transferred, too. Where it does as well as the features,
  they need not have read texture; where it does worse than chance, the crops of the two sets were
  drawn by other rules.
- Intervals hold what other patients would change, not what other trainings or other sets would.

CBIS-DDSM: R. S. Lee et al., *A curated mammography data set for use in computer-aided detection and
diagnosis research*, Scientific Data 4, 170177 (2017), CC BY 3.0. mini-MIAS: J. Suckling et al.,
*The Mammographic Image Analysis Society digital mammogram database*, Excerpta Medica, International
Congress Series 1069, 375-378 (1994), for research only. No image of either is part of this
repository."""

if __name__ == "__main__":
    main()
