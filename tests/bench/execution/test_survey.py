"""What a worker that stands in another folder than the driver finds of checkpoints."""

import pytest
import timm
import torch

from bench.execution.dask_executor import DaskExecutor
from bench.execution.progress import Progress
from bench.planning.config import Configuration
from extractors import declare_checkpoints


@pytest.fixture(autouse=True)
def _no_checkpoints_stay():
    yield
    declare_checkpoints(())


def test_relative_paths_are_the_drivers(tmp_path, monkeypatch):
    (tmp_path / "here/weights").mkdir(parents=True)
    (tmp_path / "there").mkdir()
    state = timm.create_model("test_vit", num_classes=2).state_dict()
    torch.save(state, tmp_path / "here/best.pth")
    torch.save(
        timm.create_model("test_resnet").state_dict(), tmp_path / "here/weights/test_resnet.pth"
    )
    options = Configuration(
        checkpoint=("mine=best.pth:timm:test_vit",),
        weights_dir="weights",
        extractors=("mine", "timm:test_resnet"),
        device="cpu",
    )
    executor = DaskExecutor("processes:2", Progress(), 1)
    monkeypatch.setattr(executor, "_check_store", lambda store: None)

    def in_a_worker(work, *given):
        with monkeypatch.context() as there:
            there.chdir(tmp_path / "there")
            return work(*given)

    monkeypatch.setattr(executor, "_call", in_a_worker)
    monkeypatch.chdir(tmp_path / "here")
    found = executor.survey(options, False, tmp_path / "store")
    assert [one.status for one in found.extractors] == ["ok", "ok"]
    assert [one.weights.partition(":")[0] for one in found.extractors] == ["file", "file"]
    # Work is begun by processes that stand where the survey was made.
    assert all(one.weights_dir.is_absolute() for one in found.extractors)
    assert found.extractors[0].declared == f"mine={tmp_path}/here/best.pth:timm:test_vit"
    # What the manifest keeps is what was given.
    assert options.checkpoint == ("mine=best.pth:timm:test_vit",)
    assert str(options.weights_dir) == "weights"
