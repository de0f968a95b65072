"""The hybrids from libraries have the forms that the comparison names."""

import torch

from extractors.networks.small_data import ShiftedPatches, cct_7, cvt_13, spt_lsa_vit, swin_t


def test_patches_are_shifted_by_half_a_patch_in_four_diagonals() -> None:
    layer = ShiftedPatches(dim=384, patch_size=16)
    seen: list[torch.Tensor] = []
    layer.to_patch_tokens.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    image = torch.rand(1, 3, 32, 32)
    layer(image)
    stacked = seen[0].view(5, 3, 32, 32)
    assert torch.equal(stacked[0], image[0])
    places = set()
    for copy in stacked[1:]:
        # Where the pixel in the middle has gone to.
        hits = (copy[0] == image[0, 0, 16, 16]).nonzero().tolist()
        assert len(hits) == 1
        places.add(tuple(hits[0]))
        assert int((copy == 0).all(0).sum()) == 32 * 32 - 24 * 24  # what came in is black
    assert places == {(8, 8), (8, 24), (24, 8), (24, 24)}


def test_spt_lsa_vit_uses_the_shifted_patches() -> None:
    network = spt_lsa_vit(32)
    assert isinstance(network.to_patch_embedding, ShiftedPatches)
    assert len(network.transformer.layers) == 12
    assert network.pos_embedding.shape == (1, 1 + 4, 384)
    assert {attention.heads for attention, _ in network.transformer.layers} == {6}


def test_no_token_of_spt_lsa_vit_attends_to_itself() -> None:
    attention = spt_lsa_vit(32).transformer.layers[0][0].eval()
    shares: list[torch.Tensor] = []
    attention.attend.register_forward_hook(lambda _m, _i, output: shares.append(output))
    attention(torch.randn(1, 5, 384))
    assert not shares[0].diagonal(dim1=-2, dim2=-1).any()


def test_cct_has_seven_layers_behind_two_convolutions() -> None:
    network = cct_7(224)
    assert len(network.classifier.blocks) == 7
    convolutions = [m for m in network.tokenizer.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.kernel_size for c in convolutions] == [(7, 7), (7, 7)]
    assert network.classifier.positional_emb.shape == (1, 14**2, 256)
    assert not network.classifier.positional_emb.requires_grad


def test_cvt_has_thirteen_layers_in_three_stages() -> None:
    assert [len(stage[2].layers) for stage in cvt_13(32).layers] == [1, 2, 10]


def test_swin_keeps_its_windows_where_the_grid_is_large_enough() -> None:
    windows = [stage.blocks[0].window_size for stage in swin_t(112).layers]
    assert windows == [(7, 7), (7, 7), (7, 7), (4, 4)]
