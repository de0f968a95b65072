"""`bench data`: look at a data set, write a synthetic one, download one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.options import WholeSentences
from bench.commands.printing import print_json, print_table, say, say_wrapped
from bench.errors import INTERRUPTED
from bench.planning.config import COLUMNS_HELP, Configuration, option_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from bench.data.crops.stack import CropStack
    from bench.data.lesions import Dataset

app = typer.Typer(
    cls=WholeSentences, help="Look at a data set, or write a synthetic one.", no_args_is_help=True
)

# Left-out rows that are printed one by one; the report lists all of them.
LISTED_ROWS = 20


@app.command("info")
def info(
    path: Annotated[Path, typer.Argument(help="Folder, archive or manifest.")],
    dataset: Annotated[str, typer.Option(help=option_of("dataset").help)] = "auto",
    tables: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Folder of the case tables.")
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(help="The positive class of a folder or CSV; by default the names say it."),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of the store; else $BENCH_CACHE.")
    ] = None,
    columns: Annotated[list[str] | None, typer.Option(metavar="A,B,...", help=COLUMNS_HELP)] = None,
    follow_links: Annotated[
        bool,
        typer.Option(
            "--follow-links", help="Follow symbolic links that lead out of the data root."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object in place of tables.")
    ] = False,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Python file that registers data sets."),
    ] = None,
) -> None:
    """Report what a folder holds and what is wrong with it; every crop is decoded once."""
    from bench.data import CropSettings, build_stack, load_lesions
    from bench.execution.progress import Progress
    from bench.plugins.files import load_plugins
    from bench.store import cache_folder

    load_plugins(plugin or ())
    place = cache_folder(cache)
    options = {} if columns is None else {"columns": columns}
    named = Configuration.checked(options).named_columns()
    with Progress() as progress:
        with progress.step("image files", None, "headers read") as step:
            found = load_lesions(
                path,
                dataset,
                tables,
                positive=positive,
                columns=named,
                follow_links=follow_links,
                cache=place,
                progress=step,
            )
        with (
            progress.step("crops", len(found.table), "decoded") as decoded,
            progress.step("copies", 2 * len(found.table), "steps") as compared,
        ):
            stack = build_stack(found, CropSettings(), place, decoded, compared)
    if as_json:
        print_json(as_object(found, stack))
    else:
        print_dataset(found, stack)


@app.command("phantom")
def phantom(
    folder: Annotated[Path, typer.Argument(help="Where to write it; must be empty or new.")],
    patients: Annotated[int, typer.Option(help="Number of patients.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the images.")] = 0,
    difficulty: Annotated[float, typer.Option(help="0 (classes far apart) to 1 (the same).")] = 0.5,
    layout: Annotated[str, typer.Option(help="kaggle, nbia, uid or png.")] = "kaggle",
) -> None:
    """Write a synthetic set of lesion crops as CBIS-DDSM lies on disks."""
    from bench.data import load_lesions, write_phantom

    write_phantom(folder, patients=patients, seed=seed, difficulty=difficulty, layout=layout)
    print_dataset(load_lesions(folder, "phantom"))


@app.command("download")
def download(
    folder: Annotated[Path, typer.Argument(help="Where to put it.")],
    source: Annotated[
        str, typer.Option(help="kaggle (JPEG, about 6 GB) or idc (DICOM, about 164 GB).")
    ] = "kaggle",
) -> None:
    """Fetch CBIS-DDSM; the same command goes on with a download that was interrupted."""
    from bench.data.cbis_ddsm.download import download as fetch

    try:
        fetch(source, folder, typer.echo)
    except KeyboardInterrupt:
        # The libraries' progress bars leave the cursor in the middle of their line.
        typer.echo(
            "\ninterrupted; what has come is kept: the same command goes on from it", err=True
        )
        raise typer.Exit(INTERRUPTED) from None


def as_object(dataset: "Dataset", stack: "CropStack") -> dict[str, Any]:
    """All that `data info` tells of a data set, with every row left out, as JSON has it."""
    from bench.data.summary import summarise

    tables = {**summarise(dataset, stack), "rows_left_out": stack.left_out}
    return {
        "dataset": dataset.name,
        "title": dataset.title,
        "root": str(dataset.source.root),
        "synthetic": dataset.synthetic,
        "patient_ids": dataset.patient_ids,
        "licence": dataset.licence,
        "citation": dataset.citation,
        "notices": _notices(dataset, stack),
        "subsets": {
            name: {"positive": info.positive, "negative": info.negative}
            for name, info in dataset.subsets.items()
        },
        # Through pandas: it knows what of a cell is a number.
        "tables": {
            name: json.loads(table.to_json(orient="records")) for name, table in tables.items()
        },
    }


def _notices(dataset: "Dataset", stack: "CropStack | None") -> list[str]:
    from bench.data.crops.copies_found import copy_notices
    from bench.data.summary import lost_classes, one_class_notices

    notices = [*dataset.notices]
    if stack is not None:
        notices += [*one_class_notices(stack), *stack.notices, *copy_notices(stack.copies)]
        notices += lost_classes(dataset, stack)
    return notices


def _says_more(name: str, tables: "Mapping[str, pd.DataFrame]") -> bool:
    """Whether a table of a data set says what the counts of its crops do not."""
    counts = tables["counts"]
    if name == "shared_patients":
        return {"train", "test"} <= set(counts["split"])
    if name == "pathology":
        columns = ["subset", "split", "class", "crops"]
        rows = tables[name].itertuples(index=False, name=None)
        return set(rows) != set(counts[columns].itertuples(index=False, name=None))
    return True


def print_dataset(dataset: "Dataset", stack: "CropStack | None" = None) -> None:
    """Print what a data set holds, what was left out of it and why.

    With a stack, crops that cannot be decoded are among what was left out.
    """
    from bench.data.summary import rare_first, summarise

    tables = summarise(dataset, stack)
    synthetic = ", synthetic: its figures mean nothing for mammography" * dataset.synthetic
    crops = len((stack or dataset).table)
    say_wrapped(f"{dataset.title}: {crops} crops at {dataset.source.root}{synthetic}", "  ")
    if dataset.licence:
        say_wrapped(f"licence: {dataset.licence}", "  ")
    if dataset.citation:
        say_wrapped(f"cite: {dataset.citation}", "  ")
    for notice in _notices(dataset, stack):
        say_wrapped(f"note: {notice}", "  ")
    for title, name in (
        ("Totals (images: full mammograms, or files)", "totals"),
        ("Case tables (images: full mammograms)", "source_tables"),
        ("Patients that two tables share", "overlaps"),
        ("Lesions whose views have different pathology", "conflicts"),
        ("Crops", "counts"),
        ("Pathologies", "pathology"),
        ("Longest side of a crop in pixels", "sizes"),
        ("Patients in both splits", "shared_patients"),
        ("Copies of one picture", "copies"),
        ("Left out", "left_out"),
    ):
        if name in tables and len(tables[name]) and _says_more(name, tables):
            table = tables[name].dropna(axis="columns", how="all")
            say("")
            print_table(title, list(table.columns), table.itertuples(index=False))
    left_out = (stack or dataset).left_out
    if len(left_out):
        say("")
        shown = rare_first(left_out).head(LISTED_ROWS).itertuples(index=False)
        print_table("Rows left out", list(left_out.columns), shown)
        if len(left_out) > LISTED_ROWS:
            say(f"... and {len(left_out) - LISTED_ROWS} more; a run's report lists them all")
