"""Whoever does the work, the run is the same, though workers and drivers are killed."""

import importlib.util
import os
import random
import shutil
import signal
import time

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="dask and distributed are not installed"
)


def test_processes_give_what_one_process_gives(bench, work, tmp_path, local, same_run, artifacts):
    ended = bench(*work, "--out", tmp_path / "run", "--scheduler", "processes:2")
    assert ended.status == 0, ended.err
    same_run(local, tmp_path / "run")
    assert "2 workers on 127.0.0.1; dashboard: http://127.0.0.1:" in ended.err
    # Artifacts are the same ones: in one process nothing is computed again.
    before = artifacts()
    assert bench(*work, "--out", tmp_path / "run").status == 0
    assert artifacts() == before


def killed_workers(start, work, tmp_path, cluster, artifacts, kills, seed):
    """A run during which workers are killed, each replaced by a new one."""
    address, worker, _ = cluster
    workers = [worker() for _ in range(3)]
    chance = random.Random(seed)
    process = start(*work, "--out", tmp_path / "run", "--scheduler", address)
    for _ in range(kills):
        goal = len(artifacts()) + chance.randint(1, 6)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if len(artifacts()) >= goal:
                break
            time.sleep(0.02)
        time.sleep(chance.random() / 2)
        victim = workers.pop(chance.randrange(len(workers)))
        victim.send_signal(signal.SIGKILL)
        workers.append(worker())
    _, err = process.communicate(timeout=300)
    return process.returncode, err


def test_a_killed_worker_loses_nothing(start, work, tmp_path, cluster, local, same_run, artifacts):
    status, err = killed_workers(start, work, tmp_path, cluster, artifacts, kills=2, seed=1)
    assert "Traceback" not in err
    assert status == 0, err
    same_run(local, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_ten_killed_workers_lose_nothing(
    start, work, tmp_path, cluster, local, same_run, artifacts, seed
):
    status, err = killed_workers(start, work, tmp_path, cluster, artifacts, kills=10, seed=seed)
    assert "Traceback" not in err
    assert status == 0, err
    same_run(local, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 5])
def test_a_killed_driver_goes_on_from_what_is_finished(
    start, bench, work, tmp_path, cluster, local, same_run, artifacts, kills
):
    address, worker, _ = cluster
    worker(), worker()
    command = (*work, "--out", tmp_path / "run", "--scheduler", address)
    finished = {}
    for _ in range(kills):
        process = start(*command)
        deadline, goal = time.monotonic() + 90, len(artifacts()) + 4
        while process.poll() is None and time.monotonic() < deadline:
            if len(artifacts()) >= goal:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = artifacts()
        assert finished.items() <= now.items(), "what was finished was lost or computed again"
        finished = now
    ended = bench(*command)
    assert ended.status == 0, ended.err
    same_run(local, tmp_path / "run")


@pytest.mark.slow
def test_a_lost_scheduler_is_one_line_and_nothing_is_lost(
    start, bench, work, tmp_path, cluster, artifacts
):
    address, worker, scheduler = cluster
    worker()
    command = (*work, "--out", tmp_path / "run")
    process = start(*command, "--scheduler", address)
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline and len(artifacts()) < 12:
        time.sleep(0.02)
    scheduler.kill()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "the scheduler is gone; all finished work is kept" in err
    assert "Traceback" not in err
    assert bench(*command).status == 0


@pytest.mark.parametrize(
    ("scheduler", "reason"),
    [
        ("remote", "'remote' is not one of local, processes[:N], gpus"),
        ("processes:0", "is not one of"),
        ("processes:2000", "N is 1 to 1024"),
        ("processes:", "is not one of"),
        ("tcp://", "is not one of"),
        ("tcp://127.0.0.1:9", "no scheduler answers there"),
        ("jobqueue:missing.yaml", "missing.yaml: No such file"),
        ("jobqueue:slurm.yaml", "slurm.yaml: system: slurm: there is no program sbatch on this"),
        ("jobqueue:odd.yaml", "odd.yaml: needs a line `system: NAME`, one of"),
    ],
)
def test_a_scheduler_that_cannot_be_used_is_named(bench, work, tmp_path, scheduler, reason):
    (tmp_path / "odd.yaml").write_text("system: cray\njobs: 2\n")
    (tmp_path / "slurm.yaml").write_text("system: slurm\nmemory: 4GB\n")
    if scheduler == "jobqueue:slurm.yaml" and shutil.which("sbatch"):
        pytest.skip("this machine has SLURM")
    ended = bench(*work, "--out", tmp_path / "run", "--scheduler", scheduler)
    assert ended.status == 2
    assert reason in ended.err
    assert len(ended.err.strip().splitlines()[-1]) < 400


def test_without_the_engine_the_extra_is_named(bench, work, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *m: None if name == 'distributed' else find(name, *m)\n"
    )
    path = os.pathsep.join([str(hidden), os.environ.get("PYTHONPATH", "")])
    ended = bench(*work, "--scheduler", "processes", PYTHONPATH=path)
    assert ended.status == 2
    assert "pip install 'vit-svm-bench[distributed]'" in ended.err
