"""The grammar of names, what they stand for, and the answer to a name that does not exist."""

import pytest

from extractors import BackboneError, UnknownBackbone, describe
from extractors.describe import resolve
from extractors.names import parse, split_fusion
from extractors.networks import NETWORKS
from extractors.recipes import THESIS_AUGMENTATION


@pytest.mark.parametrize(
    ("text", "prefix", "model", "tag", "layer", "pixels", "random"),
    [
        ("timm:resnet18", "timm", "resnet18", None, None, None, False),
        ("timm:resnet18.a1_in1k", "timm", "resnet18", "a1_in1k", None, None, False),
        ("timm:resnet18@layer3.1.conv2", "timm", "resnet18", None, "layer3.1.conv2", None, False),
        ("timm:resnet18.a1_in1k@320", "timm", "resnet18", "a1_in1k", None, 320, False),
        ("torchvision:alexnet@fc6", "torchvision", "alexnet", None, "fc6", None, False),
        ("bundled:efficientnet_lite0", "bundled", "efficientnet_lite0", None, None, None, False),
        ("random:timm:resnet18", "timm", "resnet18", None, None, None, True),
        ("random:my-net", "", "my-net", None, None, None, True),
        ("my_net@blocks", "", "my_net", None, "blocks", None, False),
    ],
)
def test_a_name_is_taken_apart(text, prefix, model, tag, layer, pixels, random) -> None:
    name = parse(text)
    assert (name.prefix, name.model, name.tag) == (prefix, model, tag)
    assert (name.layer, name.pixels, name.random) == (layer, pixels, random)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "timm:",
        ":resnet18",
        "timm:resnet18.",
        "timm:resnet18@",
        "timm:resnet18@a..b",
        "timm:../secret",
        "timm:a/b",
        "timm:resnet18:a",
        "random:random:timm:resnet18",
        "random:",
        "timm:resnet18@1",
        "timm:resnet18@99999",
    ],
)
def test_a_malformed_name_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BackboneError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("torchvision:resnet18@320", "only names of timm, hf-hub take an input size"),
        ("my_net@320", "only names of timm, hf-hub take an input size"),
        ("my.net", "only names of timm, torchvision, open_clip carry a tag"),
        (
            "bundled:efficientnet_lite0.tag",
            "only names of timm, torchvision, open_clip carry a tag",
        ),
        (
            "keras:resnet18",
            "unknown prefix 'keras:'; known are timm:, torchvision:, bundled:, hf-hub:",
        ),
    ],
)
def test_a_part_that_the_library_does_not_take_is_refused_in_one_line(text, reason) -> None:
    with pytest.raises(BackboneError, match=reason) as caught:
        resolve(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("timm:resnet19", "timm:resnet18"),
        ("torchvision:alexnt", "torchvision:alexnet"),
        ("resnet50", "torchvision:resnet50"),
        ("random:timm:resnet19@layer2", "timm:resnet18"),
        ("timm:resnet18.a1_in2k", "timm:resnet18.a1_in1k"),
        ("torchvision:resnet50.IMAGENET1K_V3", "torchvision:resnet50.IMAGENET1K_V2"),
        ("bundled:efficientnet_lite1", "bundled:efficientnet_lite0"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UnknownBackbone, match=near):
        describe(text)


def test_an_old_name_of_timm_stands_for_the_new_one() -> None:
    info = describe("timm:convnext_tiny_in22ft1k")
    assert (info.architecture, info.weights) == ("convnext_tiny", "fb_in22k_ft_in1k")


def test_the_input_size_is_the_weights_own_or_the_one_requested() -> None:
    def size(name: str) -> int:
        spec = describe(name).input
        assert spec is not None
        return spec.height

    assert size("timm:vit_small_patch14_dinov2") == 224
    assert size("timm:vit_small_patch14_dinov2@518") == 518
    assert size("timm:convnext_tiny.fb_in22k_ft_in1k_384") == 384
    assert size("torchvision:inception_v3") == 299


def test_networks_from_scratch_need_no_weights_and_are_trained() -> None:
    from extractors.training.trainable import recipe_for, trains

    for name, network in NETWORKS.items():
        info = describe(name)
        assert (info.kind, info.weights, info.cached) == ("network", "scratch", False)
        assert trains(name)
        assert not trains(f"random:{name}")
        assert describe(f"random:{name}").cached
        assert recipe_for(name, "thesis").epochs == (50 if network.section == "A" else 100)
    assert recipe_for("vit_128_p16_aug", "thesis").augmentation == THESIS_AUGMENTATION
    assert recipe_for("vit_128_p16", "thesis").augmentation is None


def test_steps_after_a_name_say_how_it_is_trained() -> None:
    from extractors.training.trainable import recipe_for, trains

    assert parse("torchvision:alexnet+finetuned").steps == ("finetuned",)
    assert parse("timm:vit_small_patch14_dinov2@518+finetuned").pixels == 518
    assert trains("timm:resnet18+finetuned")
    assert not trains("timm:resnet18")
    assert recipe_for("timm:resnet18+finetuned-last", "quick").layers == "last"
    paper = recipe_for("swin_t+drloc", "thesis").localization
    released = recipe_for("cvt_13+drloc-released", "thesis").localization
    assert paper is not None
    assert released is not None
    assert (paper.form, paper.weight) == ("paper", 0.5)
    assert (released.form, released.weight) == ("released", 0.1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cnn_baseline+drloc", "is for cvt_13, swin_t, t2t_vit_14"),
        ("timm:resnet18+drloc", "is for cvt_13, swin_t, t2t_vit_14"),
        ("timm:swin_t+drloc", "is for cvt_13, swin_t, t2t_vit_14"),
        ("random:swin_t+drloc", "is for cvt_13, swin_t, t2t_vit_14"),
        ("swin_t+finetuned", "trained from scratch"),
        ("timm:resnet18+tuned", "a name may be followed by one of"),
        ("timm:resnet18+finetuned+drloc", "a name may be followed by one of"),
        ("cnn_baseline@relu", "takes nothing after '@'"),
        ("torchvision:alexnet@fc6+finetuned", "leave @fc6 out"),
    ],
)
def test_steps_that_make_no_sense_are_refused(text: str, reason: str) -> None:
    with pytest.raises(BackboneError, match=reason.replace("+", r"\+")):
        resolve(text)


def test_a_fusion_keeps_steps_with_their_backbone() -> None:
    text = "fusion:swin_t+drloc+timm:resnet18+finetuned-last+bundled:efficientnet_lite0"
    assert split_fusion(text) == [
        "swin_t+drloc",
        "timm:resnet18+finetuned-last",
        "bundled:efficientnet_lite0",
    ]
    assert split_fusion("timm:resnet18+finetuned") == ["timm:resnet18+finetuned"]


def test_a_repository_without_its_library_is_asked_for_it() -> None:
    with pytest.raises(BackboneError, match=r"name its library, too: hf:a/b \(transformers\)"):
        resolve("a/b")
