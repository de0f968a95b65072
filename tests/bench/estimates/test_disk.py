"""The disk that a plan needs is known before anything is written, and said where it lacks."""

from collections import namedtuple

import numpy as np
import pytest

from bench.commands import doctor
from bench.estimates import disk
from bench.estimates.disk import disk_need, disk_notice, lines_of
from bench.estimates.networks import planned_trainings
from bench.planning.config import Configuration
from bench.planning.job import prepare_job
from bench.store import Store
from extractors import create_backbone, create_trainable, recipe_for
from extractors.create import size_of

NETWORK, FROZEN = "vit_128_p16", "random:timm:vit_tiny_patch16_224"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def job(phantom, tmp_path):
    """Prepare a run on one subset."""

    def prepare(**options):
        options = {
            "data": phantom, "cache": tmp_path / "store", "subset": "mass",
            "protocols": "official", "extractors": f"{FROZEN},{NETWORK}",
            "classifiers": "linear,softmax", "repeats": 3, **options,
        }  # fmt: skip
        names = ("subset", "protocols", "extractors", "classifiers")
        return prepare_job(
            Configuration.checked(options | {name: [options[name]] for name in names})
        )

    return prepare


def test_networks_are_as_large_as_their_files(job, tmp_path):
    need = disk_need(job())
    network = create_trainable(NETWORK, recipe_for(NETWORK, "quick")).network
    store = Store(tmp_path / "other")
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    store.put("networks", "ab" * 32, state, {})
    one = store.path("networks", "ab" * 32).stat().st_size
    # Three seeds, each trained once, one after the other.
    assert need.networks == pytest.approx(3 * one, rel=0.01)
    assert need.checkpoints == pytest.approx(2 * 3 * one, rel=0.01)
    assert disk_need(job(), workers=2).checkpoints == 2 * need.checkpoints
    assert disk_need(job(), workers=9).checkpoints == 3 * need.checkpoints


def test_features_and_crops_are_counted(job):
    ready = job()
    need, fold = disk_need(ready), ready.plan.folds[0]
    rows = len(fold.train) + len(fold.test)
    assert need.features == 4 * (rows * 192 + 3 * rows * 1024)
    assert need.crops == len(ready.dataset.table) * 256**2
    assert need.units > 0
    assert need.total == sum((need.crops, need.features, need.networks, need.checkpoints,
                              need.units))  # fmt: skip


def test_a_backbone_counts_once_whoever_uses_it(job):
    alone = disk_need(job(extractors=FROZEN))
    fused = job(extractors=f"{FROZEN},fusion:{FROZEN}+random:timm:vit_small_patch16_224")
    assert disk_need(fused).features == alone.features * 3
    assert alone.networks == alone.checkpoints == 0


def test_folds_that_share_a_network_share_its_training(job):
    ready = job(protocols="patient-cv", repeats=2)
    names = {extractor.name: extractor for extractor in ready.extractors}
    trainings = list(planned_trainings(ready.plan, names))
    assert len(trainings) == sum(fold.for_networks for fold in ready.plan.folds)


@pytest.mark.parametrize(
    "name", ["random:torchvision:resnet18", "random:timm:convnext_tiny", "random:cct_7"]
)
def test_a_size_is_that_of_the_network(name):
    backbone, size = create_backbone(name, weights="random"), size_of(name)
    assert (size.parameters, size.width) == (backbone.parameters, backbone.feature_width)


def test_a_size_is_found_once(job, monkeypatch):
    need = disk_need(job())
    monkeypatch.setattr("bench.estimates.networks.size_of", None)
    assert disk_need(job()) == need


def test_what_is_not_known_is_named(job, monkeypatch):
    monkeypatch.setattr("bench.estimates.networks.size_of", lambda *given: None)
    need = disk_need(job())
    assert need.networks == 0
    assert need.unknown == (NETWORK, FROZEN)
    assert NETWORK in list(lines_of(need))[1]


def test_a_disk_that_is_too_small_is_said_before_the_run(job, monkeypatch):
    ready = job()
    need = disk_need(ready)
    assert disk_notice(ready, need) is None
    free = need.total - 500
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda place: Usage(0, 0, free))
    assert "--cache" in disk_notice(ready, need)
    # What an earlier start of the run has kept is not needed again.
    Store(ready.cache).put("networks", "ab" * 32, {"x": np.zeros(100)}, {})
    assert disk_notice(ready, need, {("networks", "ab" * 32)}) is None
    assert disk_notice(ready, need, {("networks", "cd" * 32)}) is not None


@pytest.mark.parametrize("free", [10**15, 10**6])
def test_the_doctor_says_what_a_run_needs(phantom, tmp_path, monkeypatch, free):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda place: Usage(0, 0, free))
    monkeypatch.setattr("bench.estimates.disk.stored_size", lambda store, extractor: None)
    checks = {check.what: check for check in doctor._data(phantom, tmp_path / "store")}
    found = checks["disk of a run"]
    assert "quick" in found.found
    assert "thesis" in found.found
    assert (found.state == "ok") == (free > 10**9)
    assert ("--cache" in found.hint) == (free < 10**9)
