"""`bench cache`: what lies in the store, and removing what is no longer wanted."""

import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import WholeSentences
from bench.commands.printing import print_json, print_table, say
from bench.errors import UnusableInput

app = typer.Typer(
    cls=WholeSentences,
    help="The store: what lies in it, and removing some of it.",
    no_args_is_help=True,
)

_Cache = Annotated[Path | None, typer.Option(help="Folder of the store; else $BENCH_CACHE.")]
_UNITS = {"h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}


@app.command()
def info(
    cache: _Cache = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, sizes in bytes.")] = False,
) -> None:
    """Print how much of each kind lies in the store, and how old it is."""
    from bench.inventory import AGES, KINDS, TEMPORARY, take_stock
    from bench.store import Store, cache_folder

    root = cache_folder(cache)
    found = take_stock(Store(root))
    if as_json:
        names = [f"younger_than_{end}d" for end in AGES] + ["older"]
        rows = [asdict(one) | dict(zip(names, one.by_age, strict=True)) for one in found]
        for row in rows:
            del row["by_age"]
        print_json({"store": str(root), "free": _free(root), "kinds": rows})
        return
    ages = [f"under {end} d" for end in AGES] + ["older"]
    told = {**KINDS, TEMPORARY: "left by writers that were killed"}
    table = [
        (one.kind, told[one.kind], one.files, _size(one.size), *map(_cell, one.by_age))
        for one in found
    ]
    sums = [sum(one.by_age[i] for one in found) for i in range(len(ages))]
    table.append(("all", "", sum(one.files for one in found), _size(sum(sums)), *map(_cell, sums)))
    print_table("", ("kind", "what it is", "files", "size", *ages), table)
    say(f"store {root}: {_size(_free(root))} free on its disk")


@app.command()
def prune(
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Of files at the least: 12h, 30d, 8w.")
    ] = "30d",
    kinds: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B,...", help="Kinds of `cache info`; all by default."),
    ] = None,
    keep: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUN", help="Run folder whose artifacts stay; several times."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; else it is only said.")] = False,
    cache: _Cache = None,
) -> None:
    """Say what would be removed from the store; with --yes remove it.

    What is removed is computed again where a run needs it. What killed writers have left goes, too.
    """
    from bench.inventory import KINDS, prunable, remove_entries, totals_of
    from bench.planning.config import check_names
    from bench.record.folder import artifacts_of
    from bench.store import Store, cache_folder

    chosen = tuple(name.strip() for text in kinds or () for name in text.split(",") if name.strip())
    check_names("kinds", chosen, tuple(KINDS))
    seconds = _seconds(older_than)
    kept = {address for run in keep or () for address in artifacts_of(run)}
    store = Store(cache_folder(cache))
    entries = prunable(store, chosen or tuple(KINDS), seconds, kept)
    rows = [(one.kind, one.files, _size(one.size)) for one in totals_of(entries)]
    if rows:
        print_table("", ("kind", "files", "size"), rows)
    size = sum(entry.size for entry in entries)
    exactly = f" ({size:,} bytes)" if size >= 1000 else ""
    whole = f"{len(entries)} files, {_size(size)}{exactly}"
    if not yes:
        say(f"store {store.root}: would remove {whole}" + "; --yes removes them" * bool(entries))
        return
    remove_entries(entries)
    say(f"store {store.root}: removed {whole}")


def _seconds(age: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([hdw])", age.strip())
    if not found:
        raise UnusableInput(f"--older-than {age!r} is not an age such as 12h, 30d or 8w")
    return int(found[1]) * _UNITS[found[2]]


def _free(folder: Path) -> int:
    from bench.inventory import nearest

    return shutil.disk_usage(nearest(folder)).free


def _size(count: int) -> str:
    from rich.filesize import decimal

    return decimal(count)


def _cell(count: int) -> str:
    """A size as a cell of a table, which is narrow."""
    return _size(count) if count else "0"
