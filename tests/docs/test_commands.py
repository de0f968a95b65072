"""Every `python -m bench …` of README, docs and notebooks is understood, and runs where it can.

All are parsed. Among the slow tests each `all` is planned with `--dry-run`, one of them is run, and
so is whatever else takes seconds, in one folder. Exempt are downloads, weights of the Hub, and
clusters.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import typer

from bench.cli import app
from bench.data import write_phantom
from bench.planning.config import Configuration, check_names
from bench.planning.protocols import PROTOCOLS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*.ipynb")),
]
# Placeholders, and what they are here.
STANDS_FOR = {
    **dict.fromkeys(("DIR", "PATH", "FOLDER", "{DATA}", "{TARGET}", "all-mias.tar.gz"), "data"),
    **{"DIR2": "data2", "B=DIR2": "B=data2", "RUN": "runs/first", "RUN2": "runs/again"},
    **{"RUN/manifest.json": "runs/first/manifest.json", "NAME=FILE": "made=made.npz"},
    **{"A,B": "bundled:efficientnet_lite0", "N": "24", "NAME": "yournet", "FILE": "mynet.py"},
    **{"{RUN}": "runs/mass", "{RUN}-first": "runs/mass", "kaggle|nbia|uid|png": "png"},
    "path=FILE,label=CLASS,patient_id=PID": "path=file,label=class,patient_id=pid",
}
# Words of commands that need what no test has: the network, weights of 100 MB, GPUs, a cluster; and
# of those that refuse synthetic runs, which have tests of their own.
EXEMPT = (
    *("submit ", "verify ", "board "),
    "data download", "weights download", "hf:", "best.pth", "tcp://", "jobqueue:", "gpus",
    "--scheduler processes", "--dataset mias", "--weights-dir", "--medical",
)  # fmt: skip
# Results that a script builds again, and notebooks, which are run whole.
BUILT = ("docs/results", "examples/")


def commands_of(page: Path) -> list[str]:
    """What stands behind `python -m bench` in code blocks, in code within lines, and in cells."""
    if page.suffix == ".ipynb":
        cells = json.loads(page.read_text("utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        blocks, within = [text.replace("!{python} -m bench", "python -m bench")], []
    else:
        text = page.read_text("utf-8")
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        within = re.findall(r"`python -m bench ([^`]+)`", rest)
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    found = [line for line in lines if re.search(r"\bpython -m bench ", line)]
    found = [re.sub(r"\s+#.*", "", line.split("python -m bench ", 1)[1]) for line in found]
    return [
        " ".join(one.split()) for one in (*found, *within) if one.strip() not in ("COMMAND --help",)
    ]


COMMANDS = sorted(
    {(command, str(page.relative_to(ROOT))) for page in PAGES for command in commands_of(page)}
)


def words_of(command: str) -> list[str]:
    """The words of a command with the placeholders filled in."""
    command = command.replace("--config FILE", "--config run.toml")
    command = re.sub(r"\[(--\w+) (\w+)\|[^\]]*\]", r"\1 \2", command)
    return [STANDS_FOR.get(word, word) for word in shlex.split(command)]


def is_option(context: typer.Context, name: str) -> bool:
    """Whether a parameter is one of a run's, and was given."""
    source = context.get_parameter_source(name)
    return (
        name in Configuration.model_fields and source is not None and source.name == "COMMANDLINE"
    )


def parse(words: list[str]) -> None:
    """Read a command as the program does, without doing it; what is not understood raises."""
    command, context = typer.main.get_command(app), None
    while hasattr(command, "commands"):
        context = typer.Context(command, info_name="bench", parent=context)
        if words[:1] == ["--help"]:
            return
        assert words[0] in command.commands, words[0]
        command, words = command.commands[words[0]], words[1:]
    own = command.make_context(command.name, words, parent=context)
    given = {name: value for name, value in own.params.items() if is_option(own, name)}
    if command.name in ("all", "features"):
        options = Configuration.checked(given)
        check_names("protocols", options.protocols or (), tuple(PROTOCOLS))


@pytest.mark.parametrize(("command", "page"), COMMANDS)
def test_a_command_is_understood(command: str, page: str) -> None:
    parse(words_of(command))


def test_an_option_that_is_not_there_is_not_understood() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse(["all", "--no-such-option", "1"])


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """The files and folders that commands name."""
    folder = tmp_path_factory.mktemp("docs")
    write_phantom(folder / "data", patients=24, seed=3, layout="png")
    write_phantom(folder / "data2", patients=30, seed=5, layout="png")
    crop = next((folder / "data").rglob("*.png"))
    for name, header, classes in (
        ("list.csv", "file,class,pid,age", ("well", "ill")),
        ("ours/ours.csv", "path,label,patient_id,age", (0, 1)),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        lines = [f"{i}.png,{classes[i % 2]},{i // 2},{20 + i}" for i in range(40)]
        (folder / name).write_text("\n".join([header, *lines]))
        for i in range(40):
            shutil.copy(crop, (folder / name).parent / f"{i}.png")
    return folder


@pytest.fixture
def do(workshop, monkeypatch, capsys):
    """A function: run a command in the folder and answer what it printed.

    In this process, which has imported what it needs; what registers plugins is run in another one.
    """
    monkeypatch.chdir(workshop)
    monkeypatch.setenv("BENCH_CACHE", str(workshop / "cache"))
    monkeypatch.setenv("BENCH_DATA", "data")

    def run(*words):
        words = [*map(str, words)]
        if "--plugin" in words or words[:2] == ["plugin", "check"]:
            command = [sys.executable, "-m", "bench", *words]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, ended.stderr + ended.stdout
            return ended.stdout
        capsys.readouterr()
        app(words, standalone_mode=False)
        return capsys.readouterr().out

    return run


SHORT = ("--subset", "mass", "--size", "64", "--repeats", "1")
FIRST = "all --data DIR --extractors bundled:efficientnet_lite0 --out runs/first"


@pytest.fixture
def first_run(do, workshop):
    """The run that the pages begin with, and the files that others take."""
    if not (workshop / "runs/first/report.html").exists():
        assert (FIRST, "docs/own_pictures.md") in COMMANDS
        do(*words_of(FIRST), *SHORT, "--classifiers", "linear,medium_gaussian,logistic")
        shutil.copytree(workshop / "runs/first", workshop / "runs/again")
        do("plugin", "new", "mynet")
        (workshop / "heads.py").write_text(example("register_classifier"))
        (workshop / "ours.py").write_text(example("register_dataset"))
        (workshop / "run.toml").write_text('data = "data"\n')
        words = ("--subset", "mass", "--size", "64", "--out", "features", "--format", "npz")
        do("features", "--data", "data", "--extractors", "bundled:efficientnet_lite0", *words)
        shutil.copy(next((workshop / "features").glob("*.npz")), workshop / "made.npz")
    return workshop


def example(word: str) -> str:
    """The example of docs/plugins.md that holds a word."""
    text = (ROOT / "docs/plugins.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return next(block for block in blocks if word in block)


def runs_here(command: str, page: str) -> bool:
    if "mynet" in command and "plugin" not in command:
        return False  # an installed package
    return not (any(word in command for word in EXEMPT) or page.startswith(BUILT))


PLANNED = sorted({one for one, page in COMMANDS if one.startswith("all") and runs_here(one, page)})
OTHERS = sorted(
    {one for one, page in COMMANDS if not one.startswith("all") and runs_here(one, page)}
)


def planned(command: str) -> list[str]:
    """The words that plan the run of a command."""
    words = words_of(command)
    if "ours.py" in words:
        words[words.index("--data") + 1] = "ours"
    if "made=made.npz" in words:
        words += ["--subset", "mass"]
    return [*words, "--dry-run"]


def done(command: str, place: int) -> list[str]:
    """The words of a command that writes nothing twice."""
    words = words_of(command)
    if "ours.py" in words:
        words[words.index("info") + 1] = "ours"
    if "list.csv" in words:
        words += ["--positive", "ill"]
    if words[0] == "paper":
        words[words.index("--systems") + 1] = "bundled:efficientnet_lite0"
        words = [word for word in words if word != "--names" and "=" not in word]
    # What these write is there already, from the first run or another page.
    if words[:2] in (["data", "phantom"], ["plugin", "new"]):
        words[2] = f"anew{place}"
    if words[0] == "init":
        words[1:] = [f"anew{place}.toml"]
    if words[0] == "features":
        words[words.index("--out") + 1] = f"anew{place}"
    return words


@pytest.mark.slow
def test_what_the_docs_show_is_planned_or_runs(do, first_run, site) -> None:
    """All in one test, which two processes would have to prepare twice."""
    wrong = {}
    for place, command in enumerate((*PLANNED, *OTHERS)):
        is_run = command in PLANNED
        words = planned(command) if is_run else done(command, place)
        try:
            out = do(*words)
        except SystemExit as error:  # doctor says so where weights are missing
            if not (words[0] == "doctor" and error.code == 1):
                wrong[command] = f"status {error.code}"
        except Exception as error:
            wrong[command] = repr(error)
        else:
            if is_run and "units of work" not in out:
                wrong[command] = out
    assert not wrong
    check_what_is_told(site("filled_from_tables"), first_run / "runs/first")


def check_what_is_told(pages, run: Path) -> None:
    """Every column and key that a run writes stands on the pages."""
    told = pages.known()
    files = [*run.glob("tables/*.csv"), *run.glob("*.parquet")]
    assert len(files) > 20
    for file in files:
        is_table = file.suffix == ".csv"
        columns = list(pd.read_csv(file) if is_table else pd.read_parquet(file))
        known = pages.columns(told["tables" if is_table else "run_files"][file.stem])
        # In capitals: a column a class or view.
        if not any(name.isupper() and len(name) > 1 for name in known):
            assert set(columns) <= {*known, "audit"}, file
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    keys = pages.manifest_keys()
    unknown = {
        key for key in pages.keys_of(manifest) if not any(re.fullmatch(one, key) for one in keys)
    }
    assert not unknown
