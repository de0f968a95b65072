"""Rules: decided once, from limits that count, and refused by a machine that cannot obey them."""

from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch

import classifiers.memory as memory
from bench.errors import UnusableInput
from bench.execution.keys import feature_identity, profile_key
from bench.planning import rules
from bench.planning.config import Configuration
from bench.planning.extractor import Extractor, choose_device
from bench.planning.rules import (
    THREADS,
    Rules,
    decide_rules,
    obey,
    obey_in_fits,
    requested_threads,
    usable_cores,
)
from extractors import describe

HOST = 64 * 2**30


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 64 GiB without limits, whose control groups lie in a folder."""
    for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    total = psutil.virtual_memory()._replace(total=HOST)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: total)
    monkeypatch.setattr(memory, "CONTROL_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("0::/job/step\n")
    return tmp_path


def test_half_of_the_machine_is_the_default(machine):
    assert decide_rules("cpu").memory == HOST / 2
    assert decide_rules("cpu", Configuration(memory=3.5)).memory == 3.5 * 2**30


@pytest.mark.parametrize("place", ["job/step/memory.max", "job/memory.max", "memory.max"])
def test_the_limit_of_any_control_group_counts(machine, place):
    file = machine / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("max\n")
    assert memory.usable_memory() == HOST
    file.write_text(f"{8 * 2**30}\n")
    assert memory.usable_memory() == 8 * 2**30
    assert decide_rules("cpu").memory == 4 * 2**30


def test_control_groups_of_version_1_count(machine):
    (machine / "own").write_text("5:cpu,cpuacct:/x\n4:memory:/docker/abc\n")
    inside = machine / "memory" / "memory.limit_in_bytes"  # a container sees its group at the root
    inside.parent.mkdir(parents=True)
    inside.write_text(f"{6 * 2**30}\n")
    assert memory.usable_memory() == 6 * 2**30


def test_the_limits_of_a_slurm_job_count(machine, monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "16384")
    assert memory.usable_memory() == 16 * 2**30
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "1024")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4")
    assert memory.usable_memory() == 4 * 2**30


def test_machines_of_one_kind_have_the_same_limit(machine, monkeypatch):
    fewer = psutil.virtual_memory()._replace(total=HOST + 300 * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: fewer)
    assert memory.default_memory_limit() == HOST / 2


def test_threads_are_the_cores_at_most_four_or_what_is_requested(machine, monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 64)
    monkeypatch.setattr(rules.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(rules, "_CPU_QUOTAS", (machine / "cpu.max",))
    assert decide_rules("cpu").threads == THREADS == 4
    assert decide_rules("cpu", Configuration(threads=9)).threads == 9
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert requested_threads(Configuration()) == decide_rules("cpu").threads == 7
    # A worker's own variable says nothing of what the driver was asked.
    assert decide_rules("cpu", Configuration(), threads=0).threads == 4
    (machine / "cpu.max").write_text("250000 100000\n")
    assert usable_cores() == 2
    (machine / "cpu.max").write_text("max 100000\n")
    monkeypatch.setattr(rules.os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert usable_cores() == 1


def test_precision_is_a_rule(monkeypatch):
    monkeypatch.setattr("extractors.precision.computes_bfloat16", lambda device: True)
    assert decide_rules("cpu").bfloat16
    assert not decide_rules("cpu", Configuration(precision="float32")).bfloat16


def test_who_cannot_obey_says_so(monkeypatch):
    monkeypatch.setattr("extractors.precision.computes_bfloat16", lambda device: False)
    with pytest.raises(UnusableInput, match="does not compute in bfloat16"):
        obey(Rules(bfloat16=True), "cpu")
    with pytest.raises(UnusableInput, match=r"the rules of this run allow fits .* GiB"):
        obey(Rules(memory=2.0**60), "cpu")
    with pytest.raises(UnusableInput, match=r"the rules of this run allow fits .* GiB"):
        obey_in_fits(Rules(memory=2.0**60))


def test_rules_are_set_where_the_work_is_done():
    before = torch.get_num_threads()
    try:
        obey(Rules(threads=before + 1), "cpu")
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "change", [{"bfloat16": True}, {"threads": 3}, {"device": "cuda"}, {"device": "mps"}]
)
def test_rules_are_in_the_keys_of_features(change):
    name = "bundled:efficientnet_lite0"
    extractor = Extractor(name, describe(name), "imagenet")

    def key(rules):
        return profile_key(feature_identity(extractor, "weights", rules))

    plain = Rules(threads=1)
    assert key(replace(plain, **change)) != key(plain)
    # Memory changes no feature.
    assert key(replace(plain, memory=1.0)) == key(plain)


def test_tf32_is_in_the_keys_of_a_gpu():
    gpu = Rules(device="cuda")
    assert replace(gpu, tf32=True).of_networks() != gpu.of_networks()
    assert replace(gpu, threads=7).of_networks() == gpu.of_networks()


def test_keys_do_not_read_the_process(monkeypatch):
    """A key that asks the machine it is made on differs between a driver and a worker."""
    name = "bundled:efficientnet_lite0"
    extractor = Extractor(name, describe(name), "imagenet")
    before = feature_identity(extractor, "weights", Rules())
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    monkeypatch.setattr("extractors.precision.computes_bfloat16", lambda device: True)
    assert feature_identity(extractor, "weights", Rules()) == before


def test_mps_is_refused_where_it_is_not_there():
    if torch.backends.mps.is_available():
        assert choose_device("mps") == "mps"
    else:
        with pytest.raises(UnusableInput, match="--device mps"):
            choose_device("mps")


def test_chunks_are_those_of_the_whole_stack():
    from types import SimpleNamespace

    import pandas as pd

    from bench.execution.features import Extraction
    from bench.execution.site import Site

    table = pd.DataFrame({"subset": ["mass"] * 150 + ["calc"] * 10})
    extraction = Extraction(Site(SimpleNamespace(table=table), None, rules=Rules()))
    everything = np.arange(160)

    def chunks(positions):
        return [tuple(rows) for rows in extraction.chunks(positions, whole=True)]

    without_three = np.setdiff1d(everything, [0, 70, 155])
    assert chunks(without_three) == chunks(everything)
    assert chunks(np.array([100])) == [tuple(range(64, 128))]
    own = [tuple(rows) for rows in extraction.chunks(np.array([100]), whole=False)]
    assert own == [(100,)]
