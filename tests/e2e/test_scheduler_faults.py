"""What goes wrong with workers: it is named, and what does not depend on it goes on."""

import importlib.util
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="dask and distributed are not installed"
)

# Networks that end their worker at the first image, or fail there.
FAULTY = """

class Faulty(torch.nn.Module):
    def __init__(self, killing):
        super().__init__()
        self.body, self.killing = tiny(4), killing

    def forward(self, batch):
        import os
        if self.killing and "NEVER_KILL" not in os.environ:
            os._exit(1)
        if not self.killing:
            raise RuntimeError("no image is good enough")
        return self.body(batch)


@register("killing", input_size=64, family="CNN")
def killing():
    return Faulty(True)


@register("failing", input_size=64, family="CNN")
def failing():
    return Faulty(False)
"""

# A network of which one worker is killed within an epoch, the first time; it keeps checkpoints of
# each epoch, and counts its steps.
INTERRUPTED = """

import os
from extractors import Recipe
from extractors.training.state import Checkpoint

Checkpoint.__init__.__defaults__ = (-1.0,)


class Interrupted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = tiny(4)

    def forward(self, batch):
        record = os.environ.get("STEPS")
        if record and self.training and torch.is_grad_enabled():
            with open(record, "a") as stream:
                stream.write(f"{os.getpid()}\\n")
            if len(open(record).read().split()) == 11:
                os.kill(os.getpid(), 9)
        return self.body(batch)


RECIPE = Recipe(name="short", epochs=8, batch_size=8, learning_rate=1e-3, weight_decay=0.05)


@register("interrupted", input_size=32, recipe=RECIPE, family="CNN")
def interrupted():
    return Interrupted()
"""


def options(data, plugin, extractors, **more):
    named = {"subset": "mass", "protocols": "official", "classifiers": "linear"} | more
    return (
        *("all", "--data", data, "--plugin", plugin, "--extractors", extractors),
        *(part for name, value in named.items() for part in (f"--{name}", value)),
    )


def statuses(run):
    units = pd.read_parquet(run / "units.parquet")
    return units[units["extractor"] != "none"].groupby("extractor")["status"].first().to_dict()


def test_what_fails_or_ends_its_workers_is_a_status(bench, phantom, plugin, tmp_path):
    plugin.write_text(plugin.read_text() + FAULTY)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = options(phantom, plugin, "killing,failing,tiny-a,tiny-b")
    command = (*command, "--out", tmp_path / "run", "--scheduler", "processes:2")
    ended = bench(*command, TMPDIR=str(temporary))
    assert ended.status == 1
    # Neither the engine's folders nor the plugins of workers stay, though some were killed.
    assert not list(temporary.glob("bench-*"))
    found = statuses(tmp_path / "run")
    assert found["tiny-a"] == found["tiny-b"] == "ok"
    assert "its worker ended 4 times without an answer" in found["killing"]
    assert "no image is good enough" in found["failing"]


@pytest.mark.slow
def test_workers_that_cannot_work_are_named_and_not_used(bench, phantom, plugin, tmp_path, cluster):
    """One has too little memory, one a full disk for plugins; the third does all."""
    address, worker, _ = cluster
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import errno, tempfile\n"
        "made = tempfile.mkdtemp\n"
        "def mkdtemp(*given, **named):\n"
        "    if named.get('prefix') == 'bench-plugin-':\n"
        "        raise OSError(errno.ENOSPC, 'No space left on device', '/scratch')\n"
        "    return made(*given, **named)\n"
        "tempfile.mkdtemp = mkdtemp\n"
    )
    path = os.pathsep.join([str(hidden), os.environ.get("PYTHONPATH", "")])
    workers = [worker(PYTHONPATH=path), worker(SLURM_MEM_PER_NODE="300"), worker()]
    _wait_for_workers(address, 3)
    command = options(phantom, plugin, "tiny-a,tiny-b", memory="1")
    ended = bench(*command, "--out", tmp_path / "run", "--scheduler", address)
    assert ended.status == 0, ended.err
    assert "a worker is not used" in ended.err
    assert "/scratch: No space left on device" in ended.err
    assert "has 0.3 GiB of memory, the rules of this run allow fits 1.0 GiB" in ended.err
    workers[2].kill()
    again = options(phantom, plugin, "tiny-a,tiny-b", memory="2")
    ended = bench(*again, "--out", tmp_path / "other", "--scheduler", address)
    assert ended.status == 2
    assert "no worker can do the work of this run: " in ended.err


def test_a_store_that_a_worker_does_not_see_is_named(bench, phantom, plugin, tmp_path, cluster):
    address, worker, _ = cluster
    store = tmp_path / "cache"
    store.mkdir()
    private = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {store} && exec "$@"', "sh")
    if subprocess.run([*private, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no private mounts here")
    worker(*private)
    ended = bench(*options(phantom, plugin, "tiny-a"), "--scheduler", address)
    assert ended.status == 2
    assert "No such file or directory; the store has to lie on a file system that all" in ended.err
    assert not list((store / "sites").iterdir())


@pytest.mark.slow
def test_a_training_goes_on_from_its_checkpoint(bench, phantom, plugin, tmp_path, cluster, tables):
    address, worker, _ = cluster
    plugin.write_text(plugin.read_text() + INTERRUPTED)
    command = options(phantom, plugin, "interrupted", classifiers="linear,softmax", repeats="1")
    expected = bench(*command, "--out", tmp_path / "local", BENCH_CACHE=str(tmp_path / "other"))
    assert expected.status == 0, expected.err
    record = tmp_path / "steps"
    for _ in range(2):
        worker(STEPS=str(record))
    ended = bench(*command, "--out", tmp_path / "run", "--scheduler", address)
    assert ended.status == 0, ended.err
    assert tables(tmp_path / "run") == tables(tmp_path / "local")
    steps = pd.Series(record.read_text().split()).value_counts(sort=False)
    assert len(steps) == 2
    trained = pd.read_parquet(tmp_path / "run/trainings.parquet").iloc[0]
    whole = -(-trained["n_train"] // 8) * 8
    # No more is done again than the epoch that was cut short.
    assert whole <= steps.sum() <= whole + whole / 8


@pytest.mark.slow
def test_two_drivers_share_one_store(start, work, tmp_path, cluster, local, same_run, artifacts):
    address, worker, _ = cluster
    worker(), worker()
    drivers = [
        start(*work, "--out", tmp_path / name, "--scheduler", address) for name in ("one", "two")
    ]
    for process, name in zip(drivers, ("one", "two"), strict=True):
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        same_run(local, tmp_path / name)
    assert not [file for file in (tmp_path / "cache").rglob(".writing-*") if file.is_file()]


@pytest.mark.slow
def test_ctrl_c_ends_workers_that_were_started_here(
    environment, phantom, plugin, tmp_path, artifacts, work
):
    command = [sys.executable, "-m", "bench", *map(str, work), "--scheduler", "processes:2"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline and len(artifacts()) < 12:
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of them
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted; all finished work is kept" in err
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(workers, timeout=15)
    assert not alive


@pytest.mark.slow
def test_plugins_of_several_files_rotated_protocols_fusions_and_saliency(
    bench, phantom, tmp_path, tables, cluster
):
    address, worker, _ = cluster
    folder = tmp_path / "networks"
    folder.mkdir()
    (folder / "shapes.py").write_text(
        "import torch\n\n\ndef body(width):\n"
        "    return torch.nn.Sequential(\n"
        "        torch.nn.Conv2d(3, width, 7, stride=8), torch.nn.ReLU(),\n"
        "        torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(),\n    )\n"
    )
    plugin = folder / "several.py"
    plugin.write_text(
        "import torch\nfrom extractors import register\nfrom shapes import body\n\n\n"
        "@register('four', input_size=64)\ndef four():\n"
        "    torch.manual_seed(1)\n    return body(4)\n\n\n"
        "@register('eight', input_size=64)\ndef eight():\n"
        "    torch.manual_seed(2)\n    return body(8)\n"
    )
    command = options(phantom, plugin, "four,eight,fusion:four+eight",
                      protocols="official,rotated-holdout", classifiers="medium_gaussian",
                      repeats="1")  # fmt: skip
    # Where the driver runs the modules are found; workers have them from the driver.
    path = {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    other = {"BENCH_CACHE": str(tmp_path / "other")}
    expected = bench(*command, "--out", tmp_path / "local", **path, **other)
    assert expected.status == 0, expected.err
    worker(), worker()
    ended = bench(*command, "--out", tmp_path / "run", "--scheduler", address, **path)
    assert ended.status == 0, ended.err
    assert tables(tmp_path / "run") == tables(tmp_path / "local")
    overlays = sorted(path.name for path in (tmp_path / "run/images").rglob("*.png"))
    assert overlays == sorted(path.name for path in (tmp_path / "local/images").rglob("*.png"))


def _wait_for_workers(address, count):
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)
