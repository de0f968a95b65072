"""`bench features`: writes features into files, which `all --features` takes again."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import INTERRUPTED, UnusableInput
from bench.planning.config import Configuration

if TYPE_CHECKING:
    from bench.execution.progress import Progress
    from bench.planning.extractor import Extractor

# The options of `all` that features depend on, and where they go.
FIELDS = (
    *("data", "dataset", "tables", "positive", "columns", "follow_links", "subset", "region"),
    *("margin", "fit", "window", "size", "extractors", "plugin", "weights_dir", "device"),
    *("precision", "threads", "cache", "checkpoint", "offline"),
)


class Format(StrEnum):
    """The formats of files of features."""

    parquet = "parquet"
    npz = "npz"
    csv = "csv"


def features(
    configuration: Configuration,
    out: Annotated[Path, typer.Option(help="Folder of the files.", rich_help_panel="Output")],
    format: Annotated[
        Format,
        typer.Option(
            help="Of the files; each goes in again with `all --features`.",
            rich_help_panel="Output",
            metavar="parquet|npz|csv",
        ),
    ] = Format.parquet,
) -> None:
    """Write the features of each crop, a file for each extractor, with its provenance beside it.

    A folder or CSV without labels will do.
    """
    from bench.execution.progress import Progress

    if not configuration.extractors:
        raise UnusableInput("--extractors names what makes the features; see `list extractors`")
    with Progress() as progress:
        try:
            failed = _write_all(configuration, out.expanduser(), format, progress)
        except KeyboardInterrupt:
            progress.say("interrupted; the same command goes on from what is done")
            raise typer.Exit(INTERRUPTED) from None
    if failed:
        raise typer.Exit(1)


def _write_all(configuration: Configuration, out: Path, kind: Format, progress: "Progress") -> int:
    """Write the features of all extractors; how many could not be had."""
    from bench.data.crops.stack import build_stack
    from bench.execution.site import Site
    from bench.planning.config import check_names
    from bench.planning.extractor import choose_device, fetch_weights
    from bench.planning.job import load_images
    from bench.planning.known_extractors import known_extractors
    from bench.planning.rules import decide_rules
    from bench.plugins.files import load_plugins
    from bench.record.feature_files import Export, check_place
    from bench.store import Store, cache_folder
    from extractors import use_caches_only

    use_caches_only(configuration.offline)
    load_plugins(configuration.plugin)
    cache = cache_folder(configuration.cache)
    device = choose_device(configuration.device)
    with progress.step("image files", None, "headers read") as step:
        dataset, labelled = load_images(configuration, cache, step)
    subsets = configuration.subset or tuple(dataset.subsets)
    check_names("subset", subsets, tuple(dataset.subsets))
    extractors = known_extractors(configuration, dataset.synthetic, Store(cache))
    _check_frozen(extractors)
    places = check_place(out, [extractor.name for extractor in extractors], kind)
    if not dataset.synthetic:
        extractors = fetch_weights(extractors, progress.say)
    with progress.step("crops", len(dataset.table), "decoded") as decoded:
        stack = build_stack(dataset, configuration.crop_settings(), cache, decoded)
    for notice in (*dataset.notices, *stack.notices):
        progress.say(notice)
    if lost := len(stack.left_out):
        progress.say(f"{lost} images are left out; the JSON files beside the features list them")
    rules = decide_rules(device, configuration)
    site = Site(stack, Store(cache.resolve()), device, rules=rules)
    export = Export(site, dataset, subsets, labelled, ["python", "-m", "bench", *sys.argv[1:]])
    failed = 0
    for extractor in extractors:
        written, status = export.write(extractor, places[extractor.name], progress)
        failed += written is None
        progress.say(status, style="yellow" if written is None else None)
    return failed


def _check_frozen(extractors: "tuple[Extractor, ...]") -> None:
    """Raise UnusableInput for what has no features without training rows."""
    for extractor in extractors:
        if not extractor.runs_network:
            raise UnusableInput(f"--extractors {extractor.name!r}: no network makes its features")
        if extractor.trained:
            raise UnusableInput(
                f"--extractors {extractor.name!r}: it is trained on the training rows of each "
                "fold, and has no features of its own for all crops"
            )
