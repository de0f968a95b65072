"""`bench compare`: prints what two runs give for the systems that both have."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.atomic_files import write_atomically
from bench.commands.printing import print_table, say
from bench.errors import UnusableInput

if TYPE_CHECKING:
    from reports.two_runs import TwoRuns

# Systems of one run only that are named; the others are counted.
NAMED = 5
# What a system is known by.
COLUMNS = ("subset", "protocol", "extractor", "classifier")


def compare(
    first: Annotated[Path, typer.Argument(help="A run's folder.")],
    second: Annotated[Path, typer.Argument(help="The folder of another one.")],
    measure: Annotated[
        str, typer.Option(help="auc, accuracy, sensitivity, specificity, mcc, ...")
    ] = "auc",
    out: Annotated[Path | None, typer.Option(help="CSV file to write as well.")] = None,
) -> None:
    """Compare the systems that two runs have in common, on the same crops.

    Runs that were tested on other crops or under other splits are refused.
    """
    from bench.record.folder import output_file
    from reports.statistics.difference import NotComparable
    from reports.statistics.measures import MEASURES
    from reports.systems.run_folder import RunFolderError, read_run
    from reports.tables.formats import to_csv
    from reports.two_runs import compare_runs

    if measure not in MEASURES:
        raise UnusableInput(f"--measure {measure!r} is unknown; known are {', '.join(MEASURES)}")
    out = out and output_file(out)
    try:
        found = compare_runs(read_run(first), read_run(second), measure)
    except NotComparable as error:
        raise UnusableInput(f"{first} and {second} cannot be compared: {error}") from error
    except RunFolderError as error:
        raise UnusableInput(str(error)) from error
    if out is not None:
        write_atomically(out, to_csv(found.table))
    _show(found, measure)


def _show(found: "TwoRuns", measure: str) -> None:
    from reports.values import missing, number

    rows = []
    for row in found.table.to_dict("records"):
        low, high = number(row["ci_low"]), number(row["ci_high"])
        limits = f" [{low}, {high}]" if low else ""
        p = "" if missing(row["p_holm"]) else number(row["p_holm"])
        rows.append(
            (
                *(row[name] for name in COLUMNS),
                *(number(row[name]) for name in ("first", "second")),
                f"{number(row['difference'])}{limits}",
                p,
                row["verdict"],
                number(row["smallest_difference"]),
                row["differs"],
            )
        )
    columns = (*COLUMNS, f"{measure}, first", "second")
    further = (
        "second - first [95 %]",
        "p, Holm",
        "verdict",
        "visible from",
        "settings that differ",
    )
    print_table("", (*columns, *further), rows)
    say("")
    if found.table["first"].equals(found.table["second"]):
        say(f"both runs have the same {measure} in every row")
    say(
        f"[ ] is a percentile interval over {found.drawn}, the same draws for both runs, given the "
        "trained models. The verdict goes by p after Holm's correction among the systems of a "
        "subset and protocol; a true difference of `visible from` is seen with a probability of "
        "80 %."
    )
    for reason in dict.fromkeys(reason for _, reason in found.left_out):
        names = [name for name, why in found.left_out if why == reason]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        say(f"not compared, {reason}: {'; '.join(names[:NAMED])}{more}")
