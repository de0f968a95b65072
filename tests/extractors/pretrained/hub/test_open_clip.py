"""open_clip's image towers, by name and by repository."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from extractors import BackboneError, UnknownBackbone, create_backbone, describe, extract

open_clip = pytest.importorskip("open_clip")

NAME = "open_clip:hf-hub:some/clip"
TEXT = {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1}
TOWERS: dict[str, dict[str, Any]] = {
    "vit": {"image_size": 32, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8},
    "resnet": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 8},
    "timm": {
        "image_size": 160,
        "timm_model_name": "test_vit",
        "timm_pool": "",
        "timm_proj": "linear",
    },
}


def saved(folder: Path, tower: str, **more: Any) -> Any:
    """A model with drawn weights in the form in which open_clip puts it on the Hub."""
    config = {
        "model_cfg": {"embed_dim": 12, "vision_cfg": TOWERS[tower], "text_cfg": TEXT, **more},
        "preprocess_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]},
    }
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = open_clip.create_model(f"local-dir:{folder}").eval()
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return model


@pytest.mark.parametrize(
    ("tower", "more"),
    [
        ("vit", {}),
        ("vit", {"quick_gelu": True}),
        ("vit", {"custom_text": True}),
        ("resnet", {}),
        ("timm", {"custom_text": True}),
    ],
)
def test_features_are_those_of_the_librarys_own_call(tower, more, tmp_path, in_cache) -> None:
    from PIL import Image

    folder = tmp_path / "made"
    saved(folder, tower, **more)
    snapshot = in_cache(folder, "some/clip")
    info = describe(NAME)
    assert (info.cached, info.weights) == (True, "hub:0123456789ab")
    assert info.input is not None
    assert info.input.mean == (0.1, 0.2, 0.3)
    own, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{snapshot}")
    side = info.input.height
    images = np.random.default_rng(0).integers(0, 256, (3, side, side), dtype=np.uint8)
    pixels = torch.stack([preprocess(Image.fromarray(image)) for image in images])
    with torch.no_grad():
        wanted = own.eval().encode_image(pixels).numpy()
    found = extract(create_backbone(NAME), images, precision="float32")
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_text_tower_of_another_library_is_not_wanted(tmp_path, in_cache, small) -> None:
    model = saved(tmp_path / "made", "timm", custom_text=True)
    file = tmp_path / "made" / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["model_cfg"]["text_cfg"] = {"hf_model_name": "nobody/has-this", "hf_proj_type": "mlp"}
    file.write_text(json.dumps(config))
    in_cache(tmp_path / "made", "some/clip")
    backbone = create_backbone(NAME)
    assert backbone.feature_width == 12
    assert backbone.parameters == sum(p.numel() for p in model.visual.parameters())


def test_built_in_models_have_tags(tmp_path, small) -> None:
    info = describe("open_clip:RN50")
    assert (info.weights, info.cached) == ("openai", False)
    assert info.source == "timm/resnet50_clip.openai"
    assert describe("open_clip:RN50.cc12m").weights == "cc12m"
    with pytest.raises(UnknownBackbone, match=r"open_clip:RN50\.cc12m"):
        describe("open_clip:RN50.cc13m")
    with pytest.raises(UnknownBackbone, match="open_clip:RN50"):
        describe("open_clip:RN51")


def test_a_built_in_model_is_found_in_a_folder(tmp_path, crops) -> None:
    own = open_clip.create_model("RN50")
    save_file(own.state_dict(), tmp_path / "RN50.safetensors")
    backbone = create_backbone("open_clip:RN50.openai", weights_dir=tmp_path)
    assert (backbone.feature_width, backbone.origin) == (1024, "file")


def test_what_does_not_fit_is_said(tmp_path, in_cache) -> None:
    saved(tmp_path / "made", "vit")
    save_file({"a": torch.zeros(2)}, tmp_path / "made" / "open_clip_model.safetensors")
    in_cache(tmp_path / "made", "some/clip")
    with pytest.raises(BackboneError, match="not a checkpoint of open_clip:hf-hub:some/clip"):
        create_backbone(NAME)


def test_without_the_extra_it_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(BackboneError, match=r"needs open_clip: pip install .*\[hub\]"):
        describe("open_clip:RN50")
