"""What a run has found, in a few rows at its end; the report has all of it."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands.printing import print_table, say, say_wrapped

if TYPE_CHECKING:
    import pandas as pd

# Stands between a mean and its standard deviation.
SPREAD = "±"
# Networks with a classifier that are shown of a subset and protocol, the highest AUC first. A run
# with no more extractors than this shows the highest row of each besides.
SHOWN = 5


def print_results(run: Path) -> None:
    """Print the AUC of systems with its interval and their time, by subset and protocol.

    Reference points and the row `selected` are always among them, audits and learning curves never;
    a run of few extractors shows each of them.

    Parameters
    ----------
    run : Path
        A run folder with its tables.
    """
    import pandas as pd

    from reports.systems.schema import SELECTION

    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    summary = pd.read_csv(run / "tables" / "summary.csv", encoding="utf-8")
    measured = summary[
        summary["auc"].notna()
        & ~summary["protocol"].isin(manifest["audits"])
        & (summary["train_fraction"] == 1)
    ]
    plain, selection = _plain_systems(manifest), _of_role(manifest, SELECTION)
    rows, left, chosen_inside = [], 0, False
    for _, group in measured.groupby(["subset", "protocol"], sort=False):
        shown = _chosen(group, plain)
        left += len(group) - len(shown)
        chosen_inside |= bool(shown["extractor"].isin(selection).any())
        rows += [_row(one) for one in shown.to_dict("records")]
    if not rows:
        return
    say("")
    print_table("", ("subset", "protocol", "system", "weights", "AUC [95 %]", "time"), rows)
    repeats = any(SPREAD in cell for row in rows for cell in row)
    for line in _remarks(manifest, left, repeats, chosen_inside):
        say_wrapped(line, "  ")


def _plain_systems(manifest: Mapping[str, Any]) -> set[str]:
    """The extractors that are neither reference points nor chosen inside the training rows."""
    from reports.systems.schema import REFERENCE, SELECTION

    every = {str(one["name"]) for one in manifest["extractors"]}
    return every - _of_role(manifest, REFERENCE) - _of_role(manifest, SELECTION)


def _of_role(manifest: Mapping[str, Any], role: str) -> set[str]:
    return {str(one["name"]) for one in manifest["extractors"] if one["role"] == role}


def _chosen(group: "pd.DataFrame", plain: set[str]) -> "pd.DataFrame":
    """The rows of one subset and protocol that are shown, the highest AUC first."""
    ranked = group.sort_values("auc", ascending=False, kind="stable")
    competing = ranked["extractor"].isin(plain)
    shown = ~competing | (competing.cumsum() <= SHOWN)
    if ranked.loc[competing, "extractor"].nunique() <= SHOWN:
        shown |= ~ranked["extractor"].duplicated()
    return ranked[shown]


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    from reports.values import estimate, short

    return (
        *(str(row[name]) for name in ("subset", "protocol")),
        f"{row['extractor']} {row['classifier']}",
        short(row["weights"]),
        estimate(row, "auc"),
        _seconds(row["training_time_s"]),
    )


def _seconds(seconds: float) -> str:
    """The time of a fold before its first prediction; empty where nobody knows it."""
    from bench.execution.progress import duration

    if math.isnan(seconds):
        return ""
    return duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"


def _remarks(
    manifest: Mapping[str, Any], left: int, repeats: bool, chosen_inside: bool
) -> Iterator[str]:
    if manifest["data"]["synthetic"]:
        yield "synthetic: these figures mean nothing for mammography"
    yield (
        f"AUC: {f'mean {SPREAD} standard deviation over repeats ' if repeats else ''}[95 % "
        f"interval over {'patients' if manifest['data']['patient_ids'] else 'images'}]; time: "
        "features and fit of one fold, with the training of its network"
    )
    if left:
        rows = "1 further row stands" if left == 1 else f"{left} further rows stand"
        not_so = (
            "the row `selected` is not."
            if chosen_inside
            else "`selected` as one more of --extractors adds a row that is not."
        )
        yield (
            f"{rows} in the report. The highest of many is chosen on the test crops, and is too "
            f"high; {not_so}"
        )
