"""Every network of sections A and B has its published size, one head, and no memory of a batch."""

import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn

from extractors.errors import BackboneError
from extractors.layers import find_classifier, remove_classifier
from extractors.networks import NETWORKS

HYBRIDS = [name for name, network in NETWORKS.items() if network.section == "B"]
SIZE = 64  # small, but every network has more than one token or pixel left at its end


def seeded(name: str, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[name].build(SIZE)


def images(count: int, size: int = SIZE) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(3))


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_networks_stand_in_the_order_in_which_they_are_reported() -> None:
    assert list(NETWORKS) == [
        "cnn_baseline",
        "vit_256_p32",
        "vit_256_p16",
        "vit_128_p16",
        "vit_128_p16_aug",
        "vit_128_p16_aug_l12",
        "cvt_13",
        "swin_t",
        "t2t_vit_14",
        "cct_7",
        "spt_lsa_vit",
    ]
    assert all(name == network.id for name, network in NETWORKS.items())


# The counts that the thesis' Keras listings give, by hand and in its summaries.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("cnn_baseline", 3_927_618),
        ("vit_256_p32", 11_357_378),
        ("vit_256_p16", 36_388_034),
        ("vit_128_p16", 11_209_922),
        ("vit_128_p16_aug", 11_209_922),
        ("vit_128_p16_aug_l12", 11_209_922 + 4 * 83_200),
    ],
)
def test_the_thesis_networks_have_its_parameters(name: str, parameters: int) -> None:
    network = NETWORKS[name]
    assert count_parameters(network.build(network.input_size)) == parameters


# CvT-13: 20 M (arXiv 2103.15808), 19.94 M without its class token and last norm; Swin-T: 28.29 M
# (arXiv 2103.14030 has 29 M); T2T-ViT-14: 21.5 M (arXiv 2101.11986).
@pytest.mark.parametrize(
    ("name", "millions", "digits"),
    [("cvt_13", 19.94, 2), ("swin_t", 28.29, 2), ("t2t_vit_14", 21.5, 1)],
)
def test_the_hybrids_have_their_papers_parameters(name: str, millions: float, digits: int) -> None:
    assert round(count_parameters(NETWORKS[name].build(224, 1000)) / 1e6, digits) == millions


@pytest.mark.parametrize("name", HYBRIDS)
@pytest.mark.parametrize("size", [224, 112])
def test_the_hybrids_take_both_sizes(name: str, size: int) -> None:
    network = NETWORKS[name].build(size).eval()
    with torch.no_grad():
        assert network(images(1, size)).shape == (1, 2)


@pytest.mark.parametrize(
    ("name", "at_224", "at_112"), [("cvt_13", 14, 7), ("swin_t", 7, 4), ("t2t_vit_14", 14, 7)]
)
def test_the_last_grid_is_where_the_table_says(name: str, at_224: int, at_112: int) -> None:
    grid = NETWORKS[name].grid
    assert grid is not None
    for size, side in {224: at_224, 112: at_112}.items():
        network = NETWORKS[name].build(size).eval()
        seen: list[torch.Tensor] = []
        network.get_submodule(grid.layer).register_forward_hook(
            lambda _module, _inputs, output, seen=seen: seen.append(output)
        )
        with torch.no_grad():
            network(images(1, size))
        shape = tuple(seen[-1].shape)
        if grid.layout == "NLC":
            assert shape[1] == side**2 + grid.prefix_tokens
        else:
            assert (shape[2:] if grid.layout == "NCHW" else shape[1:3]) == (side, side)


# Liu et al. (2021) and the code they released, which pools the grids of 14×14.
def test_the_localization_loss_is_offered_where_it_was_published() -> None:
    weights = {name: network.localization_weight for name, network in NETWORKS.items()}
    offered = {name: weight for name, weight in weights.items() if weight is not None}
    assert offered == {"cvt_13": 0.1, "swin_t": 0.5, "t2t_vit_14": 0.1}
    pooled = {name: network.grid.pooled for name, network in NETWORKS.items() if network.grid}
    assert pooled == {"cvt_13": True, "swin_t": False, "t2t_vit_14": True}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_linear_layer_is_the_head(name: str) -> None:
    network = seeded(name).eval()
    head = network.get_submodule(find_classifier(network))
    assert isinstance(head, nn.Linear)
    assert head.out_features == 2
    with torch.no_grad():
        logits = network(images(3))
        remove_classifier(network)
        features = network(images(3))
        assert features.shape == (3, head.in_features)
        torch.testing.assert_close(head(features), logits)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_is_judged_alone_and_always_alike(name: str) -> None:
    network = seeded(name).eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    batch = images(3)
    with torch.no_grad():
        together = network(batch)
        torch.testing.assert_close(network(batch), together, rtol=0, atol=0)
        alone = torch.cat([network(image.unsqueeze(0)) for image in batch])
    # The untrained outputs of an image differ from the next one's by little: the bound is on that.
    allowed = 1e-3 * float(together.std(0).min())
    torch.testing.assert_close(alone, together, rtol=0, atol=allowed)
    after = network.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_fixes_the_weights_and_the_dropout(name: str) -> None:
    first, again, other = seeded(name), seeded(name), seeded(name, seed=1)
    state, same, different = first.state_dict(), again.state_dict(), other.state_dict()
    assert all(torch.equal(value, same[key]) for key, value in state.items())
    head = find_classifier(first)
    assert not torch.equal(state[f"{head}.weight"], different[f"{head}.weight"])
    outputs = []
    for network in (first, again):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(5)
            outputs.append(network.train()(images(2)))
    assert torch.equal(*outputs)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_state_is_the_whole_network(name: str) -> None:
    saved, loaded = seeded(name).eval(), seeded(name, seed=1).eval()
    loaded.load_state_dict(saved.state_dict())
    with torch.no_grad():
        assert torch.equal(loaded(images(2)), saved(images(2)))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_reaches_every_weight(name: str) -> None:
    network = seeded(name).eval()  # eval, as dropped paths get no gradient
    network(images(4)).square().sum().backward()
    trained = {key: p for key, p in network.named_parameters() if p.requires_grad}
    assert [key for key, p in trained.items() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("vit_256_p32", 112, "steps of 32"),
        ("t2t_vit_14", 100, "steps of 16"),
        ("cvt_13", 16, "least 32"),
    ],
)
def test_a_size_that_does_not_fit_is_refused(name: str, size: int, reason: str) -> None:
    with pytest.raises(BackboneError, match=rf"{size} pixels: .*{reason}"):
        NETWORKS[name].build(size)


def test_a_network_can_be_sent_to_another_process() -> None:
    sent = pickle.loads(pickle.dumps(NETWORKS["vit_128_p16"]))
    assert sent.id == "vit_128_p16"
    assert count_parameters(sent.build(SIZE)) == count_parameters(seeded("vit_128_p16"))


def test_the_table_is_read_without_torch() -> None:
    code = "import sys, extractors.networks; print({'torch', 'timm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
