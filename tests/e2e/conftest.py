"""Runs the command line as a user does: another process, its exit status and what it prints."""

import json
import multiprocessing
import os
import re
import runpy
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from reports.systems.schema import SUMMARY_COLUMNS

TIMES = [name for name in SUMMARY_COLUMNS if name.endswith("_time_s")]

# Two networks so small that a run is over in seconds.
PLUGIN = """
import torch
from extractors import register


def tiny(width):
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, width, 7, stride=8), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(),
    )


@register("tiny-a", input_size=64)
def tiny_a():
    torch.manual_seed(1)
    return tiny(4)


@register("tiny-b", input_size=64)
def tiny_b():
    torch.manual_seed(2)
    return tiny(8)
"""


TRAINED = """

from extractors import Recipe

RECIPE = Recipe(
    name="short", epochs={epochs}, batch_size=16, learning_rate=1e-3, weight_decay=0.05
)


@register("learner", input_size=32, recipe=RECIPE)
def learner():
    return tiny(4)
"""


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def phantom(tmp_path_factory):
    """A small synthetic data set on disk."""
    from bench.data import write_phantom

    folder = tmp_path_factory.mktemp("data") / "phantom"
    write_phantom(folder, patients=24, seed=3)
    return folder


@pytest.fixture
def plugin(tmp_path):
    file = tmp_path / "tiny.py"
    file.write_text(PLUGIN)
    return file


@pytest.fixture
def environment(tmp_path):
    """No data, cache or weights of whoever runs the tests, and no network."""
    hidden = ("BENCH_DATA", "BENCH_CACHE", "HF_HOME", "TORCH_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return kept | {
        "BENCH_CACHE": str(tmp_path / "cache"),
        "HF_HOME": str(tmp_path / "hf"),
        "TORCH_HOME": str(tmp_path / "torch"),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def start(tmp_path, environment):
    """Start `python -m bench ARGUMENTS` in an empty folder and do not wait."""

    def begin(*arguments, **options):
        return subprocess.Popen(
            [sys.executable, "-m", "bench", *map(str, arguments)],
            cwd=tmp_path,
            env=environment | options,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


# Not timm: with it comes a library that reads its folders from the environment when imported.
LIBRARIES = (
    *("torch", "torch._dynamo", "torch.fx.experimental.symbolic_shapes"),
    *("torchvision", "torchvision.models.feature_extraction"),
    *("pandas", "pyarrow.parquet", "scipy.stats", "scipy.optimize", "sklearn.svm"),
    *("sklearn.linear_model", "sklearn.metrics", "sklearn.model_selection", "sklearn.manifold"),
    *("matplotlib.pyplot", "seaborn", "pydicom", "typer", "rich", "jinja2"),
)


class Forks:
    """Commands in forks of a process that has imported the large libraries, and nothing of ours.

    Importing torch takes longer than most commands of these tests. One thing differs from processes
    of their own: the seed of hashes is the same in all of them.
    """

    def __init__(self):
        self.possible = "forkserver" in multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("forkserver") if self.possible else None
        if self._context is not None:
            self._context.set_forkserver_preload(list(LIBRARIES))

    def run(self, words, folder, environment):
        """How `python -m bench WORDS` ends; what it prints is kept in the folder meanwhile."""
        printed = [folder / f".{name}" for name in ("out", "err")]
        given = {"GIVEN": (words, str(folder), environment, list(map(str, printed)))}
        file = Path(__file__).with_name("forked_command.py")
        command = self._context.Process(target=runpy.run_path, args=(str(file), given, "fork"))
        with pytest.MonkeyPatch.context() as patch:
            # The libraries count their threads when they are imported.
            patch.setenv("OMP_NUM_THREADS", environment["OMP_NUM_THREADS"])
            command.start()
        command.join(300)
        if command.is_alive():
            command.kill()
            raise TimeoutError(f"bench {' '.join(words)}: not over after 300 s")
        ended = Ended(command.exitcode, *(file.read_text() for file in printed))
        for file in printed:
            file.unlink()
        return ended


@pytest.fixture(scope="session")
def forks():
    return Forks()


@pytest.fixture
def bench(start, forks, environment, tmp_path):
    """Run `python -m bench ARGUMENTS` in an empty folder and wait.

    With variables of its environment other than BENCH_CACHE, and where it is to start processes, it
    is another process from the first import on.
    """

    def run(*arguments, **options):
        words = list(map(str, arguments))
        alone = options.keys() - {"BENCH_CACHE"} or any(w.startswith("processes") for w in words)
        if forks.possible and not alone:
            ended = forks.run(words, tmp_path, environment | options)
        else:
            process = start(*words, **options)
            out, err = process.communicate(timeout=300)
            ended = Ended(process.returncode, out, err)
        assert "Traceback" not in ended.err, ended.err
        return ended

    return run


@pytest.fixture
def artifacts(tmp_path):
    """A function: each artifact of the store with the moment it was written; no temporary file.

    What is written for workers of one run is none, and measured speeds are written again.
    """

    def found():
        return {
            file: file.stat().st_mtime_ns
            for file in (tmp_path / "cache").rglob("*")
            if file.is_file()
            and not file.name.startswith(".writing-")
            and not {"sites", "rates"} & set(file.parts)
        }

    return found


@pytest.fixture
def tables():
    """A function: the tables of a run without times; see `_tables`."""
    return _tables


def _tables(run):
    """The run's tables without times, as text.

    The provenance says when and where it ran, and the commands of what was not run name its folder.
    """
    found = {}
    for file in sorted((run / "tables").glob("*.csv")):
        if file.stem in ("provenance", "not_run"):
            continue
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        # The peak of memory is measured, like a time.
        measured = r"(_s|_per_s|seconds|peak_host_gib)$"
        timed = [c for c in table if c in TIMES or re.search(measured, c)]
        found[file.name] = table.drop(columns=timed).to_csv(index=False)
    return found


@pytest.fixture(scope="session")
def many_patients(tmp_path_factory):
    """A synthetic data set with patients enough for inner folds, which `selected` needs."""
    from bench.data import write_phantom

    folder = tmp_path_factory.mktemp("data") / "phantom"
    write_phantom(folder, patients=60, seed=3)
    return folder


@pytest.fixture
def work(many_patients, plugin):
    """The options of a run with frozen features, a trained network and the row `selected`."""
    plugin.write_text(plugin.read_text() + TRAINED.format(epochs=3))
    return (
        *("all", "--data", many_patients, "--plugin", plugin, "--subset", "mass"),
        *("--extractors", "tiny-a,learner,selected"),
        *("--classifiers", "linear,softmax,logistic"),
        *("--protocols", "official", "--repeats", "4"),
    )


@pytest.fixture
def cluster(tmp_path, environment):
    """A scheduler and a function that starts a worker of it; all end with the test.

    The function takes a command that starts the worker's, and variables of its environment.
    """
    file, started = tmp_path / "scheduler.json", []

    def start(module, *arguments, before=(), **options):
        command = [*before, sys.executable, "-m", f"distributed.cli.{module}", *arguments]
        process = subprocess.Popen(
            command,
            env=environment | options,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    def worker(*before, **options):
        place = ("--local-directory", str(tmp_path / "dask"))
        return start("dask_worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny",
                     "--no-dashboard", "--host", "127.0.0.1", *place,
                     before=before, **options)  # fmt: skip

    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                      "--scheduler-file", str(file))  # fmt: skip
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"], worker, scheduler
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def same_run(tables):
    """A function: compares the tables of two runs without times, and predictions bit for bit."""

    def compare(one, other):
        assert tables(one) == tables(other)
        first, second = (pd.read_parquet(run / "predictions.parquet") for run in (one, other))
        pd.testing.assert_frame_equal(first, second, check_exact=True)

    return compare


@pytest.fixture
def local(bench, work, tmp_path):
    ended = bench(*work, "--out", tmp_path / "local", BENCH_CACHE=str(tmp_path / "other"))
    assert ended.status == 0, ended.err
    return tmp_path / "local"
