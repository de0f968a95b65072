"""The command line: parses options, calls what does the work, prints what came of it."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import UnusableInput, is_disk_error, is_memory_error

app = typer.Typer(
    help="Benchmark of hybrid ViT-plus-SVM classification for medical images with small data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Look at a data set, or write a synthetic one.", no_args_is_help=True)
list_app = typer.Typer(help="List what can be named on the command line.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(list_app, name="list")
plugin_app = typer.Typer(help="Write a backbone of your own, or test one.", no_args_is_help=True)
app.add_typer(plugin_app, name="plugin")

# Status of a process that Ctrl-C ended, by the shells' convention.
INTERRUPTED = 130


@app.command("all")
def run_all(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder, archive or manifest; else $BENCH_DATA, else the phantom."),
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="auto, cbis-ddsm, mias, folder or phantom.")
    ] = "auto",
    tables: Annotated[
        Path | None, typer.Option(help="Folder of the case tables, if not beside the images.")
    ] = None,
    subset: Annotated[
        list[str] | None, typer.Option(help="Subsets, separated by commas; all by default.")
    ] = None,
    region: Annotated[
        str,
        typer.Option(help="What is shown: crop, context (around it in the mammogram) or full."),
    ] = "crop",
    margin: Annotated[
        float, typer.Option(help="Side of the context, in sides of the lesion's mask.")
    ] = 1.5,
    fit: Annotated[
        str, typer.Option(help="How a crop becomes square: pad (zeros) or stretch.")
    ] = "pad",
    window: Annotated[
        str,
        typer.Option(help="Grey values of DICOM: own (minimum to maximum) or voi (its window)."),
    ] = "own",
    size: Annotated[int, typer.Option(help="Side of the stored crops in pixels.")] = 256,
    preset: Annotated[str, typer.Option(help="quick, thesis or full.")] = "quick",
    extractors: Annotated[
        list[str] | None,
        typer.Option(help="Names, separated by commas; see `list extractors`."),
    ] = None,
    classifiers: Annotated[
        list[str] | None,
        typer.Option(help="Names, separated by commas; see `list classifiers`."),
    ] = None,
    protocols: Annotated[
        list[str] | None,
        typer.Option(
            help="official, patient-cv, rotated-by-patient, and the audits pooled-official, "
            "image-cv, rotated-holdout, rotated-image-cv, reused-network; by default the preset's."
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            help="Repeats of protocols that are drawn anew, and seeds of networks; by default the "
            "preset's."
        ),
    ] = None,
    train_fraction: Annotated[
        list[str] | None,
        typer.Option(help="Shares of the training patients, separated by commas; 1 by default."),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Besides each SVM, one with C and scale chosen in training."),
    ] = False,
    weights_dir: Annotated[
        Path | None, typer.Option(help="Folder of checkpoint files, looked at first.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of the store; else $BENCH_CACHE.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of the splits and of networks.")] = 0,
    jobs: Annotated[int, typer.Option(help="Threads for the SVMs; 0 is one a core.")] = 0,
    plugin: Annotated[
        list[Path] | None, typer.Option(help="Python file that registers backbones.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; by default runs/<dataset>-<preset>.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop before any work if weights are missing.")
    ] = False,
) -> None:
    """Run everything, to the report."""
    from bench.planning.config import Configuration

    options: dict[str, Any] = {
        "data": data,
        "dataset": dataset,
        "tables": tables,
        "subset": _names("subset", subset),
        "region": region,
        "margin": margin,
        "fit": fit,
        "window": window,
        "size": size,
        "preset": preset,
        "extractors": _names("extractors", extractors),
        "classifiers": _names("classifiers", classifiers),
        "protocols": _names("protocols", protocols),
        "repeats": repeats,
        "train_fraction": _names("train-fraction", train_fraction) or ("1",),
        "tune": tune,
        "weights_dir": weights_dir,
        "cache": cache,
        "device": device,
        "seed": seed,
        "jobs": jobs,
        "plugin": tuple(plugin or ()),
        "out": out,
        "strict": strict,
    }
    configuration = Configuration.checked(options)
    from bench.execution.progress import Progress
    from bench.planning.extractor import check_strict
    from bench.planning.job import prepare_job
    from bench.run import run

    with Progress() as progress, progress.step("image files", None, "headers read") as step:
        job = prepare_job(configuration, step)
    if dry_run:
        from bench.commands.printing import print_plan

        print_plan(job)
        if strict:
            check_strict(job.extractors)
        return
    with Progress() as progress:
        try:
            outcome = run(job, progress, ["python", "-m", "bench", *sys.argv[1:]])
        except KeyboardInterrupt:
            progress.say("interrupted; all finished work is kept: the same command goes on from it")
            raise typer.Exit(INTERRUPTED) from None
        for name, reason in outcome.failed:
            progress.say(f"did not run: {name}: {reason}", style="yellow")
    typer.echo(f"{outcome.n_units} units; report: {outcome.report}")
    if outcome.failed:
        raise typer.Exit(1)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
) -> None:
    """Rebuild tables, figures and page of a run from its folder alone."""
    from reports import RunFolderError, build_report

    try:
        typer.echo(f"report: {build_report(run)}")
    except RunFolderError as error:
        raise UnusableInput(str(error)) from error
    except (TypeError, ValueError, KeyError) as error:
        # Columns of other types than a run writes: somebody has altered the folder.
        reason = f"{type(error).__name__}: {error}"
        raise UnusableInput(f"{run}: its tables hold what no run writes ({reason})") from error


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A run's folder.")],
    second: Annotated[Path, typer.Argument(help="The folder of another one.")],
    measure: Annotated[
        str, typer.Option(help="auc, accuracy, sensitivity, specificity, mcc, ...")
    ] = "auc",
    out: Annotated[Path | None, typer.Option(help="CSV file to write besides.")] = None,
) -> None:
    """Compare the systems that two runs have in common, on the same crops.

    Runs that were tested on other crops or under other splits are refused.
    """
    from bench.commands.compare import compare as compare_folders

    compare_folders(first, second, measure, out)


@app.command()
def doctor(
    data: Annotated[Path | None, typer.Option(help="Data to look at; else $BENCH_DATA.")] = None,
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of checkpoint files.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the store.")] = None,
) -> None:
    """Check device, memory, disk, weights and data, each with its remedy."""
    from bench.commands.doctor import examine
    from bench.commands.printing import print_findings

    findings = examine(data, weights_dir, cache)
    print_findings(findings)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


@data_app.command("info")
def data_info(
    path: Annotated[Path, typer.Argument(help="Folder, archive or manifest.")],
    dataset: Annotated[
        str, typer.Option(help="auto, cbis-ddsm, mias, folder or phantom.")
    ] = "auto",
    tables: Annotated[Path | None, typer.Option(help="Folder of the case tables.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of the store; else $BENCH_CACHE.")
    ] = None,
) -> None:
    """Tell what a folder holds and what is wrong with it; every crop is decoded once."""
    from bench.commands.printing import print_dataset
    from bench.data import CropSettings, build_stack, load_lesions
    from bench.execution.progress import Progress
    from bench.store import cache_folder

    place = cache_folder(cache)
    with Progress() as progress:
        with progress.step("image files", None, "headers read") as step:
            found = load_lesions(path, dataset, tables, cache=place, progress=step)
        with progress.step("crops", len(found.table), "decoded") as step:
            stack = build_stack(found, CropSettings(), place, step)
    print_dataset(found, stack)


@data_app.command("phantom")
def data_phantom(
    folder: Annotated[Path, typer.Argument(help="Where to write it; must be empty or new.")],
    patients: Annotated[int, typer.Option(help="Number of patients.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the images.")] = 0,
    difficulty: Annotated[float, typer.Option(help="0 (classes far apart) to 1 (the same).")] = 0.5,
    layout: Annotated[str, typer.Option(help="kaggle, nbia, uid or png.")] = "kaggle",
) -> None:
    """Write a synthetic set of lesion crops as CBIS-DDSM lies on disks."""
    from bench.commands.printing import print_dataset
    from bench.data import load_lesions, write_phantom

    write_phantom(folder, patients=patients, seed=seed, difficulty=difficulty, layout=layout)
    print_dataset(load_lesions(folder, "phantom"))


@data_app.command("download")
def data_download(
    folder: Annotated[Path, typer.Argument(help="Where the set shall lie.")],
    source: Annotated[
        str, typer.Option(help="kaggle (JPEG, about 6 GB) or idc (DICOM, about 164 GB).")
    ] = "kaggle",
) -> None:
    """Fetch CBIS-DDSM; the same command goes on with a download that was interrupted."""
    from bench.data.cbis_ddsm.download import download

    try:
        download(source, folder, typer.echo)
    except KeyboardInterrupt:
        # The libraries' progress bars leave the cursor in the middle of their line.
        typer.echo(
            "\ninterrupted; what has come is kept: the same command goes on from it", err=True
        )
        raise typer.Exit(INTERRUPTED) from None


@list_app.command("extractors")
def list_extractors(
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of checkpoint files.")] = None,
    plugin: Annotated[
        list[Path] | None, typer.Option(help="Python file that registers backbones.")
    ] = None,
) -> None:
    """The backbones and networks of the comparison and all plugins, with their weights."""
    from bench.commands.printing import print_extractors
    from extractors import BackboneError, available, load_plugin_file

    try:
        for file in plugin or ():
            load_plugin_file(file)
        print_extractors(available(weights_dir))
    except BackboneError as error:
        raise UnusableInput(str(error)) from error


@list_app.command("classifiers")
def list_classifiers() -> None:
    """The SVM kernels and the reference classifiers."""
    from bench.commands.printing import print_classifiers

    print_classifiers()


@list_app.command("datasets")
def list_datasets() -> None:
    """The kinds of data that can be read."""
    from bench.commands.printing import print_datasets

    print_datasets()


@list_app.command("presets")
def list_presets() -> None:
    """How much work a run does by default."""
    from bench.commands.printing import print_presets

    print_presets()


@plugin_app.command("new")
def plugin_new(
    name: Annotated[str, typer.Argument(help="Letters, digits, _ and -.")],
    out: Annotated[Path, typer.Option(help="Folder of the files.")] = Path(),
) -> None:
    """Write a working plugin NAME.py and its test.

    It brings a network whose features are used as they come, and the same one trained by a recipe.
    """
    from bench.commands.plugin import next_commands, write_skeleton

    plugin, test = write_skeleton(name, out)
    typer.echo(f"written: {plugin}, {test}\n\nnext:")
    for command in next_commands(name, plugin, test):
        typer.echo(f"  {command}")


@plugin_app.command("check")
def plugin_check(
    file: Annotated[Path, typer.Argument(help="Python file that registers backbones.")],
) -> None:
    """Test the backbones of a plugin file.

    What fails is said in plain words; the exit status then is 1.
    """
    from bench.commands.plugin import print_checks
    from extractors import BackboneError
    from extractors.conformance.report import check_file

    try:
        passed = print_checks(check_file(file))
    except BackboneError as error:
        raise UnusableInput(str(error)) from error
    if not passed:
        raise typer.Exit(1)


def _names(option: str, asked: Sequence[str] | None) -> tuple[str, ...] | None:
    if not asked:
        return None
    names = tuple(name.strip() for text in asked for name in text.split(",") if name.strip())
    if not names:
        raise UnusableInput(f"--{option}: no name is given")
    return names


def main() -> None:
    """Run the command line; what cannot be used ends in one line and status 2."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show √ or a name's letters shall show something else, not fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except UnusableInput as error:
        _stop(str(error))
    except OSError as error:
        ending = "; nothing half-written is left" if is_disk_error(error) else ""
        _stop(f"{error.filename or 'disk'}: {error.strerror or error}{ending}")
    except (MemoryError, ImportError, RuntimeError) as error:
        if is_memory_error(error):
            told = " ".join(str(error).split()) or type(error).__name__
            _stop(f"too little memory: {told}; nothing half-written is left")
        # What a path such as ~nobody/x ends in.
        if "home directory" not in str(error):
            raise
        _stop(f"a path begins with ~ and a name that is no user's: {error}")


def _stop(reason: str) -> None:
    typer.echo(f"bench: {' '.join(reason.split())}", err=True)
    sys.exit(2)
