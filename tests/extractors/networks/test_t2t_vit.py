"""T2T-ViT's windows, its linear attention against the quadratic sum, and its positions."""

import math

import pytest
import torch

from extractors.networks.t2t_vit import T2TViT, TokenModule, TokenPerformer, sinusoids


# At length 1 a product of two exponentials is about e⁻⁶⁴, far below what guards the division.
@pytest.mark.parametrize("length", [0.1, 1.0])
def test_linear_attention_is_the_quadratic_sum(length: float) -> None:
    performer = TokenPerformer(10, 64)
    query, key, value = torch.randn(3, 2, 7, 64)
    query, key = length * query, length * key
    mixed = performer._attend(query, key, value).double()
    query, key, value = query.double(), key.double(), value.double()

    def feature(vector: torch.Tensor) -> torch.Tensor:
        directions = performer.directions.double()
        products = torch.stack([direction @ vector for direction in directions])
        return torch.exp(products - vector @ vector / 2) / math.sqrt(32)

    for image in range(2):
        for i in range(7):
            shares = torch.stack(
                [feature(query[image, i]) @ feature(key[image, j]) for j in range(7)]
            )
            expected = (shares / shares.sum()) @ value[image]
            torch.testing.assert_close(mixed[image, i], expected, rtol=1e-3, atol=1e-3)


def test_the_keys_of_one_image_change_nothing_in_another() -> None:
    performer = TokenPerformer(10, 64)
    query, key, value = torch.randn(3, 2, 7, 64)
    key *= 2  # exponents of about -128, which no factor may be taken from that is another image's
    alone = performer._attend(query[:1], key[:1], value[:1])
    key[1] = 0  # whose exponents are the highest there are
    torch.testing.assert_close(performer._attend(query, key, value)[:1], alone)


def test_directions_are_orthogonal_and_of_one_length() -> None:
    directions = TokenPerformer(10, 64).directions
    torch.testing.assert_close(directions @ directions.T, 32 * torch.eye(32), rtol=0, atol=1e-4)


def test_directions_are_saved_but_not_trained() -> None:
    network = T2TViT(32)
    assert "token_module.stages.0.directions" in network.state_dict()
    assert "token_module.stages.0.directions" not in dict(network.named_parameters())


def test_low_precision_leaves_the_sums_of_attention_alone() -> None:
    performer = TokenPerformer(147, 64).eval()
    query, key, value = (t.bfloat16() for t in torch.randn(3, 1, 400, 64))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = performer._attend(query, key, value)
    assert low.dtype == torch.float32
    assert torch.equal(low, performer._attend(query.float(), key.float(), value.float()))


def test_a_token_sees_its_overlapping_neighbourhood_and_keeps_its_place() -> None:
    module = TokenModule().eval()
    # Attention sees the whole image; without it a token depends on its own windows alone.
    for stage in (module.stages[0], module.stages[1]):
        stage._attend = lambda query, key, value: torch.zeros_like(value)
    plain = torch.rand(1, 3, 64, 64)
    changed = plain.clone()
    changed[0, :, 0, 40] += 1
    with torch.no_grad():
        moved = (module(changed) - module(plain)).abs().sum(2).view(4, 4).gt(1e-7)
    # Column 40 lies in windows 9 and 10 (34–40, 38–44), these in 4 and 5, these in 2 and 3.
    assert moved[0].tolist() == [False, False, True, True]
    assert not moved[1:].any()


# Vaswani et al., section 3.5: the first pair turns by one radian a place, the last by 10,000 places
# for a turn's 2π.
def test_positions_are_sinusoids() -> None:
    table = sinusoids(5, 8)[0]
    assert table[0].tolist() == [0, 1] * 4
    assert table[3, :2].tolist() == pytest.approx([math.sin(3), math.cos(3)])
    slow = 3 / 10_000 ** (6 / 8)
    assert table[3, 6:].tolist() == pytest.approx([math.sin(slow), math.cos(slow)])


def test_the_class_token_stands_first_and_feeds_the_head() -> None:
    network = T2TViT(32).eval()
    entering: list[torch.Tensor] = []
    leaving: list[torch.Tensor] = []
    network.blocks.register_forward_pre_hook(lambda _module, inputs: entering.append(inputs[0]))
    network.norm.register_forward_hook(lambda _module, _inputs, output: leaving.append(output))
    with torch.no_grad():
        logits = network(torch.rand(2, 3, 32, 32))
        assert torch.equal(logits, network.head(leaving[0][:, 0]))
        expected = (network.class_token + network.positions[:, :1]).expand(2, -1, -1)
        assert torch.equal(entering[0][:, :1], expected)


def test_tokens_grow_with_the_input() -> None:
    for size in (112, 224):
        assert TokenModule()(torch.zeros(1, 3, size, size)).shape == (1, (size // 16) ** 2, 384)
