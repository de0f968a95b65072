"""Checkpoints: found under each name they may have, loaded whole or refused with the reason."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from extractors import (
    BackboneError,
    MissingWeights,
    create_backbone,
    describe,
    download_weights,
    extract,
)
from extractors.pretrained import connectivity, downloads
from extractors.pretrained.timm import _DOWNLOAD_BYTES
from extractors.pretrained.weights import checkpoint_digest

NAME = "timm:test_vit"
REPOSITORY = "models--timm--test_vit.r160_in1k"
TV_FILE = "squeezenet1_1-b8a52dc0.pth"


def state(seed: int = 5) -> dict[str, torch.Tensor]:
    """A whole checkpoint of timm's small test network, drawn from a seed."""
    import timm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return dict(timm.create_model("test_vit").state_dict())


def features(backbone, crops):
    return extract(backbone, crops, precision="float32")


@pytest.fixture
def source(crops):
    """Features of the network that the checkpoints of `state()` come from."""
    return features(create_backbone(f"random:{NAME}", seed=5), crops)


def in_snapshot(root: Path, filename: str, with_refs: bool = True) -> Path:
    folder = root / REPOSITORY
    if with_refs:
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("abc123")
    return folder / "snapshots" / "abc123" / filename


@pytest.mark.parametrize(
    "place",
    [
        lambda t: t / "weights" / "test_vit.safetensors",
        lambda t: t / "weights" / "test_vit.pth",
        lambda t: t / "weights" / "test_vit.r160_in1k.pt",
        lambda t: t / "weights" / "timm" / "test_vit.bin",
        lambda t: t / "weights" / "test_vit" / "model.safetensors",
        lambda t: in_snapshot(t / "weights", "model.safetensors", with_refs=False),
        lambda t: in_snapshot(t / "hf" / "hub", "model.safetensors"),
        lambda t: in_snapshot(t / "hf" / "hub", "pytorch_model.bin"),
    ],
)
def test_a_checkpoint_is_found_and_loaded(place, tmp_path, crops, source) -> None:
    path = place(tmp_path)
    path.parent.mkdir(parents=True)
    (tmp_path / "weights").mkdir(exist_ok=True)
    save_file(state(), path) if path.suffix == ".safetensors" else torch.save(state(), path)
    info = describe(NAME, tmp_path / "weights")
    assert info.cached
    # These bytes were never published, whatever the file is called and wherever it lies.
    assert info.weights_path == path
    assert (info.weights, info.origin) == (f"file:{checkpoint_digest(path)[:12]}", "file")
    backbone = create_backbone(NAME, weights_dir=tmp_path / "weights")
    assert backbone.weights_digest == info.weights_digest == checkpoint_digest(path)
    np.testing.assert_allclose(features(backbone, crops), source, atol=1e-5)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": {f"module.{k}": v for k, v in s.items()}},
        lambda s: {"model": {}, "state_dict_ema": s},
        lambda s: {k: v for k, v in s.items() if not k.startswith("head.")},
        lambda s: {**s, "head.weight": torch.zeros(2, 64), "head.bias": torch.zeros(2)},
    ],
)
def test_wrapped_headless_and_fine_tuned_checkpoints_are_accepted(
    wrap, tmp_path, crops, source
) -> None:
    path = tmp_path / "mine.pth"
    torch.save(wrap(state()), path)
    backbone = create_backbone(NAME, weights=path)
    assert backbone.weights == f"file:{checkpoint_digest(path)[:12]}"
    np.testing.assert_allclose(features(backbone, crops), source, atol=1e-5)


def test_position_embeddings_are_resampled_to_the_requested_size(tmp_path, crops) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(state(), path)
    backbone = create_backbone(f"{NAME}@96", weights=path)
    assert tuple(backbone.module.pos_embed.shape) != tuple(state()["pos_embed"].shape)  # type: ignore[union-attr]
    assert features(backbone, crops).shape == (6, 64)


def test_torchvisions_own_file_is_found_in_the_cache_of_torch_hub(tmp_path, crops) -> None:
    import torchvision.models as zoo

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        whole = zoo.squeezenet1_1()
    path = tmp_path / "torch" / "hub" / "checkpoints" / TV_FILE
    path.parent.mkdir(parents=True)
    torch.save(whole.state_dict(), path)
    backbone = create_backbone("torchvision:squeezenet1_1")
    assert backbone.weights == f"file:{checkpoint_digest(path)[:12]}"
    expected = features(create_backbone("random:torchvision:squeezenet1_1", seed=5), crops)
    np.testing.assert_allclose(features(backbone, crops), expected, atol=1e-5)


def test_googlenets_published_checkpoint_has_heads_that_are_left_out(tmp_path, crops) -> None:
    import torchvision.models as zoo

    whole = zoo.googlenet(aux_logits=True, init_weights=False, transform_input=True)
    path = tmp_path / "googlenet.pth"
    torch.save(whole.state_dict(), path)
    backbone = create_backbone("torchvision:googlenet", weights_dir=tmp_path)
    whole.eval().fc = torch.nn.Identity()  # type: ignore[assignment]
    reference = create_backbone("random:torchvision:googlenet")
    reference.module = whole
    np.testing.assert_allclose(
        features(backbone, crops), features(reference, crops), rtol=1e-4, atol=1e-5
    )


def test_densenets_old_names_find_their_place(tmp_path, crops) -> None:
    import torchvision.models as zoo

    whole = zoo.densenet121()
    import re

    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", k): v
        for k, v in whole.state_dict().items()
        if "num_batches_tracked" not in k
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "densenet121.pth")
    backbone = create_backbone("torchvision:densenet121", weights_dir=tmp_path)
    assert backbone.feature_width == 1024


def test_a_file_without_a_tag_stands_for_the_default_tag_only(tmp_path) -> None:
    torch.save({}, tmp_path / "resnet50.pth")
    assert describe("torchvision:resnet50", tmp_path).cached
    assert describe("torchvision:resnet50.IMAGENET1K_V2", tmp_path).cached
    assert not describe("torchvision:resnet50.IMAGENET1K_V1", tmp_path).cached


def test_each_library_may_have_its_own_folder(tmp_path) -> None:
    for kind in ("timm", "torchvision"):
        (tmp_path / kind).mkdir()
        torch.save({}, tmp_path / kind / "resnet18.pth")
        assert (
            describe(f"{kind}:resnet18", tmp_path).weights_path == tmp_path / kind / "resnet18.pth"
        )


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (os.system, (f"touch {self.target}",))


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".pt"])
def test_a_checkpoint_that_would_run_code_is_refused(suffix, tmp_path) -> None:
    proof = tmp_path / "executed"
    path = tmp_path / f"test_vit{suffix}"
    torch.save({"state_dict": state(), "extra": Malicious(proof)}, path)
    with pytest.raises(BackboneError, match=r"test_vit.*refused: it would run code") as caught:
        create_backbone(NAME, weights_dir=tmp_path)
    assert "\n" not in str(caught.value)
    path.write_bytes(pickle.dumps(Malicious(proof)))
    with pytest.raises(BackboneError, match="test_vit"):
        create_backbone(NAME, weights_dir=tmp_path)
    assert not proof.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_named(suffix, share, tmp_path) -> None:
    path = tmp_path / f"test_vit{suffix}"
    save_file(state(), path) if suffix == ".safetensors" else torch.save(state(), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(BackboneError, match=f"test_vit{suffix}") as caught:
        create_backbone(NAME, weights_dir=tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.pop("blocks.1.attn.qkv.weight"), "1 missing .blocks.1.attn.qkv.weight"),
        (lambda s: s.update(stray=torch.zeros(1)), "1 unexpected .stray"),
        (lambda s: s.update({"norm.weight": torch.zeros(9)}), "1 of another shape .norm.weight"),
    ],
)
def test_a_checkpoint_of_another_network_is_counted_out(change, reason, tmp_path) -> None:
    tensors = state()
    change(tensors)
    path = tmp_path / "mine.pth"
    torch.save(tensors, path)
    with pytest.raises(BackboneError, match=rf"mine\.pth: not a checkpoint of .*{reason}"):
        create_backbone(NAME, weights=path)


def test_what_timm_itself_loads_leniently_is_checked_all_the_same(tmp_path) -> None:
    import timm

    path = tmp_path / "mine.pth"
    tensors = timm.create_model("dla46_c").state_dict()
    torch.save({k: v for k, v in tensors.items() if not k.startswith("fc.")}, path)
    assert create_backbone("timm:dla46_c", weights=path).feature_width == 256
    tensors.pop("base_layer.0.weight")
    torch.save(tensors, path)
    with pytest.raises(BackboneError, match=r"mine\.pth: .*1 missing .base_layer\.0\.weight"):
        create_backbone("timm:dla46_c", weights=path)


@pytest.mark.parametrize("name", ["timm:resnet18", "torchvision:resnet18", "timm:convnext_tiny"])
def test_the_wrong_architecture_is_named_for_each_library(name, tmp_path) -> None:
    path = tmp_path / "other.pth"
    torch.save(state(), path)
    with pytest.raises(BackboneError, match=r"other\.pth: not a checkpoint of") as caught:
        create_backbone(name, weights=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {}])
def test_a_file_without_tensors_is_no_checkpoint(content, tmp_path) -> None:
    path = tmp_path / "mine.pth"
    torch.save(content, path)
    with pytest.raises(BackboneError, match=r"mine\.pth: not a checkpoint"):
        create_backbone(NAME, weights=path)


def test_a_path_that_does_not_exist_is_named(tmp_path) -> None:
    with pytest.raises(BackboneError, match=r"absent\.pth"):
        create_backbone(NAME, weights=tmp_path / "absent.pth")
    with pytest.raises(BackboneError, match="absent: no such folder"):
        describe(NAME, tmp_path / "absent")


def test_the_sizes_stated_for_downloads_are_those_of_the_networks() -> None:
    import timm

    for name, size in _DOWNLOAD_BYTES.items():
        with torch.device("meta"):
            network = timm.create_model(name)
        assert sum(p.numel() * 4 for p in network.parameters()) == size, name


def test_the_bundled_checkpoint_must_hold_every_tensor_in_order(tmp_path) -> None:
    path = tmp_path / "lite.pth"
    torch.save(state(), path)
    with pytest.raises(BackboneError, match=r"lite\.pth: wants \d+ tensors"):
        create_backbone("bundled:efficientnet_lite0", weights=path)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        (
            "timm:vit_tiny_patch16_224",
            "huggingface.co/timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k",
        ),
        ("torchvision:alexnet", "download.pytorch.org/models/alexnet"),
    ],
)
def test_missing_weights_say_in_one_line_how_to_get_them(name, where, tmp_path) -> None:
    with pytest.raises(MissingWeights) as caught:
        create_backbone(name, weights_dir=tmp_path)
    assert where in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_described_is_what_is_built(tmp_path) -> None:
    path = tmp_path / "mine.pth"
    torch.save(state(), path)
    for arguments in ({"weights": path}, {"weights": "random", "seed": 4}):
        info, backbone = describe(NAME, **arguments), create_backbone(NAME, **arguments)
        assert (info.weights, info.weights_digest) == (backbone.weights, backbone.weights_digest)
        assert info.input == backbone.input


def test_a_digest_follows_the_file(tmp_path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    first = checkpoint_digest(path)
    path.write_bytes(b"three")
    assert checkpoint_digest(path) != first


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (NAME, ("timm/test_vit.r160_in1k:model.safetensors", "hub")),
        ("torchvision:squeezenet1_1", (f"https://download.pytorch.org/models/{TV_FILE}", TV_FILE)),
    ],
)
def test_a_download_goes_into_the_librarys_own_cache(name, expected, monkeypatch) -> None:
    calls = []

    def fetch(source: str, destination: Path) -> Path:
        calls.append((source, destination.name))
        return destination

    monkeypatch.setattr(connectivity, "_answers", dict.fromkeys(connectivity._answers, ""))
    monkeypatch.setattr(downloads, "fetch", fetch)
    download_weights(describe(name))
    assert calls == [expected]


def test_without_a_network_a_download_fails_at_once_with_the_hint() -> None:
    with pytest.raises(MissingWeights, match=r"\(no network\); get model\.safetensors from"):
        download_weights(describe(NAME))


def test_a_download_that_fails_is_one_line(monkeypatch) -> None:
    def fetch(source: str, destination: Path) -> Path:
        raise OSError("connection\nreset")

    monkeypatch.setattr(connectivity, "_answers", dict.fromkeys(connectivity._answers, ""))
    monkeypatch.setattr(downloads, "fetch", fetch)
    with pytest.raises(MissingWeights, match="connection reset"):
        download_weights(describe(NAME))
