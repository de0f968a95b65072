"""The command line: which commands there are. What each does is in `bench.commands`."""

import typer

from bench.commands import cache, data, features, listing, plugin
from bench.commands.all import run_all
from bench.commands.compare import compare
from bench.commands.doctor import doctor
from bench.commands.init import init
from bench.commands.options import GroupedCommand, with_options
from bench.commands.report import report

app = typer.Typer(
    help="Benchmark of hybrid ViT-plus-SVM classification for medical images with small data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("all", cls=GroupedCommand)(with_options(run_all, from_file=True))
app.command("features", cls=GroupedCommand)(with_options(features.features, features.FIELDS))
app.command("init")(init)
app.command()(report)
app.command()(compare)
app.command()(doctor)
app.add_typer(cache.app, name="cache")
app.add_typer(data.app, name="data")
app.add_typer(listing.app, name="list")
app.add_typer(plugin.app, name="plugin")
