"""The command line: which commands there are. What each does is in `bench.commands`."""

from typing import Annotated

import typer

from bench.commands import cache, data, features, listing, plugin, weights
from bench.commands.all import run_all
from bench.commands.cite import cite
from bench.commands.compare import compare
from bench.commands.doctor import doctor
from bench.commands.init import init
from bench.commands.options import GroupedCommand, WholeSentences, with_options
from bench.commands.paper import paper
from bench.commands.predictions import predictions
from bench.commands.report import report
from bench.commands.sharing.board import board
from bench.commands.sharing.submit import submit
from bench.commands.sharing.verify import verify
from bench.errors import INTERRUPTED

# As lines of their own: help would make one paragraph of them.
EXIT_STATUS = f"""\b
Exit status:
  0    done
  1    something failed; what it was, and why, is said, and in a report too
  2    wrong usage or unusable input, in one line
  {INTERRUPTED}  interrupted; the same command goes on from what is done"""

app = typer.Typer(
    cls=WholeSentences,
    help="Benchmark of hybrid ViT-plus-SVM classification for medical images with small data.",
    epilog=EXIT_STATUS,
    no_args_is_help=True,
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


app.command("all", cls=GroupedCommand, epilog=EXIT_STATUS)(with_options(run_all, from_file=True))
app.command("features", cls=GroupedCommand)(with_options(features.features, features.FIELDS))
app.command("init")(init)
app.command()(report)
app.command()(predictions)
app.command()(cite)
app.command()(compare)
app.command()(paper)
app.command()(board)
app.command()(submit)
app.command()(verify)
app.command()(doctor)
app.add_typer(cache.app, name="cache")
app.add_typer(data.app, name="data")
app.add_typer(listing.app, name="list")
app.add_typer(plugin.app, name="plugin")
app.add_typer(weights.app, name="weights")
