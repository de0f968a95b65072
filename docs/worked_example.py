"""What the worked examples share: how runs are made, and what is kept of their reports.

An example is built from run folders: tables and figures without times, which are the machine's, a
page in words, and of each run the three files from which every figure can be computed again. No
image is kept.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reports.evaluation import Evaluation
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run, read_run
from reports.text.answers import answers
from reports.values import estimate, missing

RESULTS = Path(__file__).parent / "results"
TABLES = (
    *("summary", "protocols_side_by_side", "leakage_audit", "comparisons", "ranks", "candidates"),
    *("further_measures", "confusion", "operating_points", "levels", "subgroups", "recipes"),
)
# Of the figures that are drawn from scores alone those that a page shows.
FIGURES = ("auc", "audit", "learning")
MEASURES = ("auc", "accuracy", "sensitivity", "specificity", "mcc")


@dataclass(frozen=True)
class Example:
    """One run of a worked example.

    Attributes
    ----------
    name : str
        Of what is kept of it, and part of its run folder's name.
    title : str
        Its heading on the page.
    options : tuple[str, ...]
        Of `python -m bench all`, besides data and run folder.
    """

    name: str
    title: str
    options: tuple[str, ...]

    def command(self, data: str) -> str:
        """What a reader types to make the run."""
        pairs = [self.options[at : at + 2] for at in range(0, len(self.options), 2)]
        lines = [f"python -m bench all --data {data}", *("    " + " ".join(p) for p in pairs)]
        return " \\\n".join(lines)

    def run(self, data: str, folder: Path, *more: str) -> None:
        """Make the run, or go on with one that was cut short; leave with its status if it fails.

        `more` are options that name places of this machine.
        """
        command = [sys.executable, "-m", "bench", "all", "--data", data, *self.options, *more]
        ended = subprocess.run([*command, "--out", str(folder)], check=False)
        if ended.returncode:
            sys.exit(ended.returncode)


class Kept:
    """A run, what is kept of it, and parts of the page that show it.

    Parameters
    ----------
    example : Example
        What the run is.
    folder : Path
        Its run folder.
    place : Path
        The folder of the whole example; what is kept goes to a folder in it.
    """

    def __init__(self, example: Example, folder: Path, place: Path) -> None:
        self.example = example
        self.run: Run = read_run(folder)
        self.evaluation = Evaluation.of(self.run)
        self.summary: pd.DataFrame = self.evaluation.tables["summary"]
        kept = place / example.name
        kept.mkdir(parents=True)
        for file in (folder / "tables" / f"{name}.csv" for name in TABLES):
            if file.exists():
                without_times(file).to_csv(kept / file.name, index=False)
        self.figures = [
            path for kind in FIGURES for path in sorted((folder / "figures").glob(f"{kind}*.svg"))
        ]
        for figure in self.figures:
            shutil.copy(figure, kept)
        _keep_run(folder, kept / "run")

    def summary_of(self, system: PooledSystem) -> Mapping[str, Any]:
        """The row of a system in the summary."""
        return self.evaluation.rows[id(system)]

    def estimate(self, system: PooledSystem, measure: str) -> str:
        """A measure of a system with its interval."""
        return estimate(self.summary_of(system), measure)

    def training_minutes(self, extractor: str) -> float:
        """How long the networks of an extractor were trained."""
        units = self.run.units
        return float(units.loc[units["extractor"] == extractor, "network_time_s"].max()) / 60

    def systems(self, protocol: str) -> str:
        """The measures of every system on all training patients under a protocol."""
        found = self.summary[
            (self.summary["protocol"] == protocol) & (self.summary["train_fraction"] == 1)
        ]
        rows = [
            (*named(row), *(estimate(row, name) for name in MEASURES))
            for row in found.to_dict("records")
        ]
        return table(("extractor", "classifier", "AUC", *MEASURES[1:]), rows)

    def protocols(self, names: Sequence[str]) -> str:
        """The AUC of every system under several protocols, side by side."""
        beside = self.evaluation.tables["protocols_side_by_side"]
        shown = [name for name in beside if name.removesuffix(" (audit)") in names]
        rows = [
            (*named(row), *("" if missing(row[name]) else str(row[name]) for name in shown))
            for row in beside[beside["measure"] == "auc"].to_dict("records")
        ]
        return "AUC.\n\n" + table(("extractor", "classifier", *shown), rows)

    def pictures(self, beginning: str, words: str) -> list[str]:
        """The kept figures whose names begin so."""
        place = self.example.name
        return [
            f"![{self.example.title}. {words}]({place}/{path.name})"
            for path in self.figures
            if path.name.startswith(beginning)
        ]

    def answered(self) -> list[str]:
        """The report's questions with its answers, without those that no system was run for."""
        parts = []
        for answer in answers(self.evaluation):
            # Its sentences have times, which are the machine's.
            if answer.question == "What does each system cost?" or not answer.lines:
                continue
            sentences = [f"- {sentence}" for sentence in answer.lines]
            parts.append("\n".join([f"**{answer.question}**", "", *sentences]))
        return parts


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def named(row: dict[str, Any]) -> tuple[str, str]:
    """The extractor and the classifier of a row, as the page writes them."""
    return f"`{row['extractor']}`", str(row["classifier"]).replace("_", " ")


def write_page(place: Path, parts: Sequence[str]) -> None:
    """Write the page of an example."""
    (place / "README.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _keep_run(folder: Path, kept: Path) -> None:
    """Keep what every figure can be computed from, without paths of this machine.

    Scores on parts of the training patients are left out: they are most of them.
    """
    kept.mkdir()
    units = pd.read_parquet(folder / "units.parquet")
    units = units[units["train_fraction"] == 1].assign(host="")
    units.to_parquet(kept / "units.parquet", index=False)
    scores = pd.read_parquet(folder / "predictions.parquet")
    scores = scores[scores["unit"].isin(units["unit"])]
    scores.to_parquet(kept / "predictions.parquet", index=False, compression="zstd")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["data"]["thumbnails"], manifest["saliency"] = [], []
    options = manifest.get("options", {})
    manifest["options"] = {n: options[n] for n in options if n not in ("data", "cache", "out")}
    # units.parquet has them.
    del manifest["units"]
    for row in (manifest["run"], *manifest["not_run"]):
        row["command"] = _ABSOLUTE.sub(r"\1", row["command"])
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
    (kept / "manifest.json").write_text(text + "\n", encoding="utf-8")


# A path from the root of the disk, and its last part.
_ABSOLUTE = re.compile(r"(?<![\w.])/(?:[^\s/]+/)*([^\s/]+)")


def without_times(table_file: Path) -> pd.DataFrame:
    """A table of a report as text, without what is of the machine."""
    found = pd.read_csv(table_file, dtype=str, keep_default_na=False)
    return found[[name for name in found if not name.endswith("_time_s") and name != "host"]]
