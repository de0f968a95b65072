"""The registry of medical models: complete, resolvable, and loading what others have saved."""

from pathlib import Path

import pytest
import timm
import torch
import torchvision

from bench.data import DATASETS
from bench.planning.presets import DEFAULT_EXTRACTORS
from extractors import BackboneError, UnknownBackbone, describe
from extractors.describe import resolve
from extractors.pretrained import find_library
from extractors.pretrained.library import Published
from extractors.pretrained.medical.registry import corpora, medical_models, pretrained_on

NAMED = [f"medical:{model.id}" for model in medical_models().values() if model.repository]


def test_the_registry_says_what_it_must() -> None:
    assert {
        *("rad-dino", "biomedclip", "medsiglip", "mammo-clip-b2", "mammo-clip-b5", "mammo-fm"),
        *("dinov3-vits16", "radimagenet-resnet50"),
    } <= set(medical_models())
    for model in medical_models().values():
        assert model.title
        assert model.licence
        assert model.citation
        assert model.page.startswith("https://")
        assert model.access in ("open", "gated", "on request")
        assert model.pretrained_on
        assert not (model.loads and model.file)
        assert model.size or "size" in model.unchecked
    for corpus in corpora().values():
        assert corpus.kind in ("natural", "web", "medical")
        assert set(corpus.overlaps) <= set(DATASETS)


@pytest.mark.parametrize("name", NAMED)
def test_each_name_stands_for_a_backbone_and_says_how_to_get_it(name) -> None:
    pytest.importorskip("open_clip")
    pytest.importorskip("transformers")
    info = describe(name)
    model = medical_models()[name.removeprefix("medical:")]
    assert (info.name, info.cached, info.source) == (name, False, model.repository)
    assert f"weights download {resolve(name).name.base} --to DIR" in info.hint
    assert pretrained_on(info) == model.pretrained_on


def test_what_is_not_published_or_not_there_is_said() -> None:
    with pytest.raises(BackboneError, match=r"no published weights are known here.*arxiv"):
        describe("medical:mammo-fm")
    with pytest.raises(UnknownBackbone, match="did you mean medical:mammo-clip-b5"):
        describe("medical:mammo-clip-b6")


def test_the_same_model_by_its_other_name_has_the_same_weights() -> None:
    pytest.importorskip("transformers")
    short, long = describe("medical:rad-dino"), describe("hf:microsoft/rad-dino")
    assert (short.source, short.config_files) == (long.source, long.config_files)
    assert pretrained_on(short) == pretrained_on(long)


@pytest.mark.parametrize("name", DEFAULT_EXTRACTORS)
def test_of_the_default_comparison_it_is_known(name) -> None:
    found = pretrained_on(describe(name))
    assert found
    assert all(corpus.known for corpus in found)


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("timm:vit_small_patch16_224", ["ImageNet-1k", "ImageNet-21k"]),
        ("hf-hub:timm/vit_base_patch14_dinov2.lvd142m", ["LVD-142M"]),
        ("random:timm:resnet18", []),
        ("hf-hub:some/tiny", None),
        ("timm:test_vit.r160_in1k", ["ImageNet-1k"]),
    ],
)
def test_what_weights_were_pretrained_on(name, titles) -> None:
    found = pretrained_on(describe(name))
    assert (None if found is None else [corpus.title for corpus in found]) == titles


def test_of_a_file_nothing_is_known(tmp_path) -> None:
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "mine.pth")
    assert pretrained_on(describe("timm:test_vit", weights=tmp_path / "mine.pth")) is None


def in_cache(folder: Path, repository: str, name: str) -> Path:
    home = folder / "hf" / "hub" / f"models--{repository.replace('/', '--')}"
    file = home / "snapshots" / "abc" / name
    for part in (file.parent, home / "refs"):
        part.mkdir(parents=True)
    (home / "refs" / "main").write_text("abc")
    return file


def built(name: str) -> torch.nn.Module:
    published, info = resolve(name), describe(name)
    assert isinstance(published, Published)
    assert info.cached
    return find_library(published.name).build(published, info.weights_path).eval()


def test_mammo_clips_tar_goes_by_the_order_of_its_tensors(tmp_path) -> None:
    network = timm.create_model("tf_efficientnet_b2", num_classes=0).eval()
    names = [f"image_encoder._layers.{number}" for number in range(len(network.state_dict()))]
    tensors = dict(zip(names, network.state_dict().values(), strict=True))
    text = {"text_encoder.weight": torch.ones(3), "logit_scale": torch.ones(1)}
    content = {"model": text | tensors, "config": {"model": {"name": "clip_custom"}}, "epoch": 10}
    file = in_cache(
        tmp_path, "shawn24/Mammo-CLIP", "Pre-trained-checkpoints/b2-model-best-epoch-10.tar"
    )
    torch.save(content, file)
    images = torch.rand(1, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(
            built("medical:mammo-clip-b2")(images), network(images), atol=1e-5, rtol=0
        )
    info = describe("medical:mammo-clip-b2")
    assert info.input is not None
    assert (info.input.height, info.input.width) == (1520, 912)


@pytest.mark.parametrize("wrapped", [True, False])
def test_radimagenets_numbered_layers_find_their_names(wrapped, tmp_path) -> None:
    network = torchvision.models.resnet50().eval()
    backbone = torch.nn.Sequential(*list(network.children())[:-1])
    prefix = "backbone." if wrapped else ""
    state = {f"{prefix}{name}": tensor for name, tensor in backbone.state_dict().items()}
    torch.save(state, in_cache(tmp_path, "Lab-Rasool/RadImageNet", "ResNet50.pt"))
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        found = built("medical:radimagenet-resnet50")(images)
        torch.testing.assert_close(found, backbone(images).flatten(1), atol=1e-5, rtol=0)


def test_a_file_that_is_another_one_is_refused(tmp_path) -> None:
    file = in_cache(tmp_path, "Lab-Rasool/RadImageNet", "ResNet50.pt")
    torch.save(torchvision.models.resnet18().state_dict(), file)
    with pytest.raises(BackboneError, match="not a checkpoint of medical:radimagenet-resnet50"):
        built("medical:radimagenet-resnet50")


def test_a_file_of_another_architecture_does_not_pass_for_it(tmp_path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "tf_efficientnet_b5.pth")
    assert not describe("medical:mammo-clip-b5", tmp_path).cached
    (tmp_path / "b5-model-best-epoch-7.tar").write_bytes(b"x")
    assert describe("medical:mammo-clip-b5", tmp_path).cached


def test_short_names_take_what_the_long_ones_take() -> None:
    pytest.importorskip("transformers")
    assert resolve("medical:rad-dino@mean").name.pooling == "mean"
    assert resolve("medical:rad-dino@mean").name.text == "medical:rad-dino@mean"
    with pytest.raises(BackboneError, match=r"only names of .* take an input size"):
        describe("medical:rad-dino@320")
