"""Models of transformers by name: the features are those of the library's own call."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extractors import BackboneError, create_backbone, describe, extract

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

SIDE = 32
TINY: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": SIDE,
    "patch_size": 8,
}
TEXT = {k: v for k, v in TINY.items() if "size" not in k} | {
    "hidden_size": 16,
    "intermediate_size": 32,
    "vocab_size": 50,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
CONFIGS: dict[str, Callable[[], Any]] = {
    "vit": lambda: transformers.ViTConfig(**TINY),
    "dinov2": lambda: transformers.Dinov2Config(**TINY),
    "dinov2_registers": lambda: transformers.Dinov2WithRegistersConfig(
        num_register_tokens=3, **TINY
    ),
    "dinov3": lambda: transformers.DINOv3ViTConfig(num_register_tokens=4, **TINY),
    "deit": lambda: transformers.DeiTConfig(**TINY),
    "mae": lambda: transformers.ViTMAEConfig(**TINY),
    "clip": lambda: transformers.CLIPConfig(
        text_config=TEXT, vision_config=TINY, projection_dim=12
    ),
    "siglip": lambda: transformers.SiglipConfig(text_config=TEXT, vision_config=TINY),
    "resnet": lambda: transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1]
    ),
    "swin": lambda: transformers.SwinConfig(
        image_size=SIDE, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4
    ),
}
MEAN, STD = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]


def processor(**more: Any) -> Any:
    settings = {
        "size": {"height": SIDE, "width": SIDE},
        "image_mean": MEAN,
        "image_std": STD,
        "resample": 2,
        **more,
    }
    return transformers.ViTImageProcessor(**settings)


def saved(folder: Path, config: Any, head: Any = None, processing: Any = None) -> Any:
    """A model with drawn weights, saved with its processor; gives the model."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = head(config) if head else transformers.AutoModel.from_config(config)
    model.eval().save_pretrained(folder)
    (processing or processor()).save_pretrained(folder)
    return model


def as_the_library_does(model: Any, folder: Path, images: Any) -> Any:
    """Pixels by the model's own processor."""
    own = transformers.AutoImageProcessor.from_pretrained(folder)
    colours = [np.repeat(image[:, :, None], 3, axis=2) for image in images]
    return own(images=colours, return_tensors="pt")["pixel_values"]


def features(name: str, images: Any, **more: Any) -> Any:
    return extract(create_backbone(name, **more), images, precision="float32")


@pytest.mark.parametrize(
    ("kind", "pooling", "expected"),
    [
        ("vit", "", lambda m, x: m(x).last_hidden_state[:, 0]),
        ("vit", "@pooled", lambda m, x: m(x).pooler_output),
        ("vit", "@mean", lambda m, x: m(x).last_hidden_state[:, 1:].mean(1)),
        ("dinov2", "", lambda m, x: m(x).pooler_output),
        ("dinov2", "@cls", lambda m, x: m(x).last_hidden_state[:, 0]),
        ("dinov2_registers", "@mean", lambda m, x: m(x).last_hidden_state[:, 4:].mean(1)),
        ("dinov3", "", lambda m, x: m(x).pooler_output),
        ("dinov3", "@mean", lambda m, x: m(x).last_hidden_state[:, 5:].mean(1)),
        ("deit", "@mean", lambda m, x: m(x).last_hidden_state[:, 2:].mean(1)),
        ("clip", "", lambda m, x: m.get_image_features(pixel_values=x).pooler_output),
        ("clip", "@cls", lambda m, x: m.vision_model(pixel_values=x).last_hidden_state[:, 0]),
        ("siglip", "", lambda m, x: m.get_image_features(pixel_values=x).pooler_output),
        ("siglip", "@mean", lambda m, x: m.vision_model(pixel_values=x).last_hidden_state.mean(1)),
        ("resnet", "", lambda m, x: m(x).pooler_output.flatten(1)),
        ("resnet", "@mean", lambda m, x: m(x).last_hidden_state.mean((2, 3))),
        ("swin", "", lambda m, x: m(x).pooler_output),
    ],
)
def test_features_are_those_of_the_librarys_own_call(
    kind, pooling, expected, tmp_path, in_cache, small
) -> None:
    folder = tmp_path / "made"
    model = saved(folder, CONFIGS[kind]())
    in_cache(folder, "some/model")
    pixels = as_the_library_does(model, folder, small)
    with torch.no_grad():
        wanted = expected(model, pixels).numpy()
    name = f"hf:some/model{pooling}"
    info = describe(name)
    assert info.cached
    assert info.weights == "hub:0123456789ab"
    assert info.origin == "pretrained"
    np.testing.assert_allclose(features(name, small), wanted, atol=1e-5)


def test_masked_autoencoders_see_the_whole_image_each_time(tmp_path, in_cache, small) -> None:
    model = saved(tmp_path / "made", CONFIGS["mae"]())
    in_cache(tmp_path / "made", "some/mae")
    model.config.mask_ratio = 0.0
    pixels = as_the_library_does(model, tmp_path / "made", small)
    with torch.no_grad():
        wanted = model(pixels).last_hidden_state[:, 1:].mean(1).numpy()
    np.testing.assert_allclose(features("hf:some/mae", small), wanted, atol=1e-5)


def test_the_input_is_that_of_the_processor(tmp_path, in_cache) -> None:
    own = transformers.CLIPImageProcessor(
        size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}, resample=3
    )
    saved(tmp_path / "made", CONFIGS["clip"](), processing=own)
    in_cache(tmp_path / "made", "some/clip")
    spec = describe("hf:some/clip").input
    assert spec is not None
    assert (spec.height, spec.width, spec.interpolation) == (32, 32, "bicubic")
    np.testing.assert_allclose(spec.mean, own.image_mean)
    saved(tmp_path / "other", CONFIGS["vit"](), processing=processor(do_rescale=False))
    in_cache(tmp_path / "other", "some/raw")
    raw = describe("hf:some/raw").input
    assert raw is not None
    assert raw.interpolation == "bilinear"
    np.testing.assert_allclose(raw.std, np.array(STD) / 255)


def test_two_processors_are_two_identities_and_so_are_two_poolings(tmp_path, in_cache) -> None:
    saved(tmp_path / "a", CONFIGS["vit"]())
    saved(tmp_path / "b", CONFIGS["vit"](), processing=processor(image_mean=[0.5] * 3))
    in_cache(tmp_path / "a", "some/a")
    in_cache(tmp_path / "b", "some/b")
    names = ("hf:some/a", "hf:some/a@mean", "hf:some/b")
    assert len({describe(name).config_digest for name in names}) == 3


def test_a_classifiers_checkpoint_has_features_but_no_pooler(tmp_path, in_cache, small) -> None:
    model = saved(tmp_path / "made", CONFIGS["vit"](), transformers.ViTForImageClassification)
    in_cache(tmp_path / "made", "some/classifier")
    pixels = as_the_library_does(model, tmp_path / "made", small)
    with torch.no_grad():
        wanted = model.vit(pixels).last_hidden_state[:, 0].numpy()
    np.testing.assert_allclose(features("hf:some/classifier", small), wanted, atol=1e-5)
    with pytest.raises(BackboneError, match="no trained pooler: use @cls or @mean"):
        create_backbone("hf:some/classifier@pooled")


def test_weights_that_are_not_there_are_never_drawn(tmp_path, in_cache) -> None:
    from safetensors.torch import load_file, save_file

    saved(tmp_path / "made", CONFIGS["vit"]())
    file = tmp_path / "made" / "model.safetensors"
    state = {k: v for k, v in load_file(file).items() if "layernorm.weight" not in k}
    save_file(state, file, metadata={"format": "pt"})
    in_cache(tmp_path / "made", "some/cut")
    with pytest.raises(BackboneError, match=r"1 missing \(.*layernorm.weight\)"):
        create_backbone("hf:some/cut")


def test_no_class_token_is_said(tmp_path, in_cache) -> None:
    saved(tmp_path / "made", CONFIGS["resnet"]())
    in_cache(tmp_path / "made", "some/resnet")
    with pytest.raises(BackboneError, match="has no class token; use @pooled or @mean"):
        create_backbone("hf:some/resnet@cls")


def test_code_of_a_repository_is_never_run(tmp_path, in_cache) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    trap = tmp_path / "it-was-run"
    (folder / "config.json").write_text(
        json.dumps({"model_type": "mine", "auto_map": {"AutoConfig": "m.C", "AutoModel": "m.M"}})
    )
    (folder / "m.py").write_text(f"open({str(trap)!r}, 'w')")
    (folder / "model.safetensors").write_bytes(b"")
    in_cache(folder, "some/code")
    with pytest.raises(BackboneError, match=r"runs code of its repository.* plugin"):
        create_backbone("hf:some/code")
    saved(folder, CONFIGS["vit"]())
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings["image_processor_type"] = "Mine"
    settings["auto_map"] = {"AutoImageProcessor": "m.P"}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    in_cache(folder, "some/processor")
    with pytest.raises(BackboneError, match=r"runs code of its repository.* plugin"):
        create_backbone("hf:some/processor")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("preprocessor_config.json", None, "has no preprocessor_config.json"),
        ("config.json", "{", "cannot be read"),
        ("config.json", "[]", "not the configuration of a model"),
        ("config.json", '{"architecture": "resnet18"}', "try hf-hub:"),
        ("config.json", '{"model_type": "bert"}', "is no model of images"),
        ("model.safetensors", "x", "not a readable checkpoint"),
    ],
)
def test_what_is_not_usable_is_one_line(file, content, reason, tmp_path, in_cache) -> None:
    folder = tmp_path / "made"
    saved(folder, CONFIGS["vit"]())
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    in_cache(folder, "some/broken")
    with pytest.raises(BackboneError, match=reason) as caught:
        create_backbone("hf:some/broken")
    assert "\n" not in str(caught.value)


def test_without_the_extra_it_is_named(monkeypatch, tmp_path, in_cache) -> None:
    saved(tmp_path / "made", CONFIGS["vit"]())
    in_cache(tmp_path / "made", "some/model")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(BackboneError, match=r"needs transformers: pip install .*\[hub\]"):
        describe("hf:some/model")


def test_random_weights_and_layers_work_too(tmp_path, in_cache, small) -> None:
    saved(tmp_path / "made", CONFIGS["vit"]())
    in_cache(tmp_path / "made", "some/model")
    drawn = features("random:hf:some/model", small)
    assert drawn.shape == (6, 16)
    np.testing.assert_array_equal(drawn, features("random:hf:some/model", small))
    assert features("hf:some/model@model.layernorm", small).shape == (6, 16)


def test_a_folder_of_weights_comes_before_the_cache(tmp_path, in_cache, small) -> None:
    saved(tmp_path / "made", CONFIGS["vit"]())
    in_cache(tmp_path / "made", "some/model", cache=tmp_path / "copied", blobs=False)
    assert not describe("hf:some/model").cached
    info = describe("hf:some/model", tmp_path / "copied")
    assert info.cached
    # Without the Hub's own blobs nothing vouches for the bytes.
    assert info.origin == "file"
    assert features("hf:some/model", small, weights_dir=tmp_path / "copied").shape == (6, 16)


def test_a_kernel_in_a_repository_is_not_loaded(tmp_path, in_cache, small) -> None:
    folder = tmp_path / "made"
    saved(folder, CONFIGS["vit"]())
    in_cache(folder, "some/plain")
    config = json.loads((folder / "config.json").read_text())
    for key in ("attn_implementation", "_attn_implementation"):
        config[key] = "kernels-community/flash-attn"
    (folder / "config.json").write_text(json.dumps(config))
    in_cache(folder, "some/kernel")
    found = features("hf:some/kernel", small)
    np.testing.assert_array_equal(found, features("hf:some/plain", small))


@pytest.mark.parametrize("step", ["do_grayscale", "rescale_offset"])
def test_a_processor_that_does_more_is_refused(step, tmp_path, in_cache) -> None:
    folder = tmp_path / "made"
    saved(folder, CONFIGS["vit"](), processing=processor(**{step: True}))
    in_cache(folder, "some/more")
    with pytest.raises(BackboneError, match=f"more than resize and normalise .{step}.*plugin"):
        describe("hf:some/more")
