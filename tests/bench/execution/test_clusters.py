"""What `--scheduler` names, before anything is started."""

import pytest

from bench.errors import UnusableInput
from bench.execution.clusters import check_scheduler, planned_workers, visible_gpus

pytest.importorskip("distributed")


def test_gpus_need_one(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(UnusableInput, match="--scheduler gpus: this machine has no GPU"):
        check_scheduler("gpus")


def test_each_gpu_that_may_be_seen_has_a_worker(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    check_scheduler("gpus")
    assert visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-8f2a")
    assert visible_gpus() == ["3", "GPU-8f2a"]
    assert planned_workers("gpus", 1) == 2
