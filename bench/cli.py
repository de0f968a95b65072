"""The command line: which commands there are. What each does is in `bench.commands`."""

from typing import Annotated

import typer

from bench.commands import cache, data, features, listing, plugin, weights
from bench.commands.all import run_all
from bench.commands.compare import compare
from bench.commands.doctor import doctor
from bench.commands.init import init
from bench.commands.options import GroupedCommand, with_options
from bench.commands.paper import paper
from bench.commands.report import report

app = typer.Typer(
    help="Benchmark of hybrid ViT-plus-SVM classification for medical images with small data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from bench.provenance import DISTRIBUTION, suite_version

        typer.echo(f"{DISTRIBUTION} {suite_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """What can be asked without a command."""


app.command("all", cls=GroupedCommand)(with_options(run_all, from_file=True))
app.command("features", cls=GroupedCommand)(with_options(features.features, features.FIELDS))
app.command("init")(init)
app.command()(report)
app.command()(compare)
app.command()(paper)
app.command()(doctor)
app.add_typer(cache.app, name="cache")
app.add_typer(data.app, name="data")
app.add_typer(listing.app, name="list")
app.add_typer(plugin.app, name="plugin")
app.add_typer(weights.app, name="weights")
