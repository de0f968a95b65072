"""timm's models on the Hub, saved by timm itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from extractors import BackboneError, MissingWeights, create_backbone, describe, extract
from extractors.names import parse

NAME = "hf-hub:some/tiny"


def saved(folder: Path, architecture: str = "test_vit", **arguments: Any) -> Any:
    """A network with drawn weights as timm writes it for the Hub."""
    from timm.models import save_for_hf

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = timm.create_model(architecture, num_classes=3, **arguments).eval()
    network.pretrained_cfg.update(mean=(0.1, 0.2, 0.3)[: arguments.get("in_chans", 3)])
    save_for_hf(network, str(folder), model_config={}, model_args=arguments or None)
    return network


@pytest.mark.parametrize("name", [NAME, "timm/tiny"])
def test_features_are_those_of_timms_own_call(name, tmp_path, in_cache, crops) -> None:
    folder = tmp_path / "made"
    saved(folder)
    snapshot = in_cache(folder, parse(name).model)
    info = describe(name)
    assert (info.cached, info.weights, info.origin) == (True, "hub:0123456789ab", "pretrained")
    assert info.input is not None
    own = timm.create_model(f"local-dir:{snapshot}", pretrained=True, num_classes=0).eval()
    data = timm.data.resolve_model_data_config(own)
    assert info.input.mean == tuple(data["mean"]) == (0.1, 0.2, 0.3)
    side = info.input.height
    images = np.random.default_rng(0).integers(0, 256, (3, side, side), dtype=np.uint8)
    scaled = torch.from_numpy(images).float().div(255)[:, None].repeat(1, 3, 1, 1)
    pixels = (scaled - torch.tensor(data["mean"]).view(1, 3, 1, 1)) / torch.tensor(
        data["std"]
    ).view(1, 3, 1, 1)
    with torch.no_grad():
        wanted = own(pixels).numpy()
    found = extract(create_backbone(name), images, precision="float32")
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_layer_pixels_and_random_weights_as_for_timm(tmp_path, in_cache, crops) -> None:
    saved(tmp_path / "made")
    in_cache(tmp_path / "made", "some/tiny")
    for name in (f"{NAME}@96", f"{NAME}@blocks.1", f"random:{NAME}"):
        assert extract(create_backbone(name), crops, precision="float32").shape == (6, 64)


def test_a_network_of_one_channel_takes_grey_images(tmp_path, in_cache, crops) -> None:
    saved(tmp_path / "made", "test_resnet", in_chans=1)
    in_cache(tmp_path / "made", "some/tiny")
    assert extract(create_backbone(NAME), crops, precision="float32").ndim == 2


def test_what_is_not_cached_says_how_to_get_it() -> None:
    info = describe(NAME)
    assert (info.cached, info.input, info.downloadable) == (False, None, True)
    assert f"weights download {NAME} --to DIR" in info.hint
    with pytest.raises(MissingWeights, match="weights download"):
        create_backbone(NAME)
    with pytest.raises(MissingWeights, match="weights download"):
        create_backbone(f"random:{NAME}")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "vit"}, "try hf:"),
        ({"architecture": "nonsense_net"}, "has no architecture 'nonsense_net'"),
    ],
)
def test_what_is_none_of_timms_is_said(config, reason, tmp_path, in_cache) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "config.json").write_text(json.dumps(config))
    in_cache(tmp_path / "made", "some/tiny")
    with pytest.raises(BackboneError, match=reason):
        describe(NAME)


def test_weights_in_several_files_are_refused(tmp_path, in_cache) -> None:
    saved(tmp_path / "made")
    for file in ("model.safetensors", "pytorch_model.bin"):
        (tmp_path / "made" / file).unlink(missing_ok=True)
    (tmp_path / "made" / "model.safetensors.index.json").write_text("{}")
    in_cache(tmp_path / "made", "some/tiny")
    with pytest.raises(BackboneError, match="split over several files"):
        describe(NAME)


@pytest.mark.parametrize(
    "text", ["hf:nobody", "hf-hub:a/b/c", "open_clip:hf-hub:x", "timm/", "hf:"]
)
def test_a_repository_has_an_owner_and_a_name(text) -> None:
    with pytest.raises(BackboneError):
        parse(text)


def test_a_configuration_does_not_say_where_weights_come_from(tmp_path, in_cache, crops) -> None:
    folder = tmp_path / "made"
    saved(folder)
    config = json.loads((folder / "config.json").read_text())
    config["model_args"] = {"pretrained": True, "checkpoint_path": "/a.pth", "cache_dir": "/b"}
    (folder / "config.json").write_text(json.dumps(config))
    in_cache(folder, "some/tiny")
    for name in (NAME, f"random:{NAME}"):
        assert extract(create_backbone(name), crops, precision="float32").shape == (6, 64)
