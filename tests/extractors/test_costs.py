"""What networks cost, against what can be counted by hand."""

import pytest
import torch
from torch import nn

from extractors.backbone import InputSpec
from extractors.costs import CONTEXT, KeptTensors, PeakMemory, forward_flops, smallest_gpu


def test_flops_of_a_convolution_and_a_linear_layer():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 16 * 16, 5))
    by_hand = 2 * 16 * 16 * 8 * 3 * 9 + 2 * 8 * 16 * 16 * 5
    assert forward_flops(network, InputSpec(16, 16)) == by_hand


def test_flops_count_the_products_of_attention():
    class Attention(nn.Module):
        def forward(self, images):
            tokens = images.flatten(2).transpose(1, 2).unsqueeze(1)  # (B, 1, 64, 3)
            return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)

    assert forward_flops(Attention(), InputSpec(8, 8)) == 2 * (2 * 64 * 64 * 3)


def test_a_network_that_the_counter_cannot_follow_costs_that_figure_only():
    class Odd(nn.Module):
        def forward(self, images):
            raise RuntimeError("not under a counter")

    assert forward_flops(Odd(), InputSpec(8, 8)) is None


def test_smallest_gpu_leaves_room_for_its_context():
    assert smallest_gpu(0) == 4
    assert smallest_gpu(int(0.95 * 4e9) - CONTEXT) == 4
    assert smallest_gpu(int(0.95 * 4e9) - CONTEXT + 1) == 8
    assert smallest_gpu(int(75e9)) == 80
    assert smallest_gpu(int(80e9)) is None


def test_kept_tensors_are_those_of_the_way_back_each_once():
    network = nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 2))
    images = torch.zeros(8, 100)
    with KeptTensors(network) as kept:
        network(images)
    # The input, and what the ReLU gave: it serves the ReLU itself and the layer behind it.
    assert kept.bytes == 4 * (8 * 100 + 8 * 50)
    with KeptTensors(network) as nothing, torch.no_grad():
        network(images)
    assert nothing.bytes == 0


def test_peak_of_the_process_sees_what_was_freed_again():
    with PeakMemory("cpu") as before:
        pass
    with PeakMemory("cpu") as peak:
        block = bytearray(b"x") * (200 * 2**20)
        # Long enough to be sampled.
        threading_wait(0.3)
        del block
    assert peak.host - before.host > 150 * 2**20
    assert peak.device is None


def threading_wait(seconds):
    import threading

    threading.Event().wait(seconds)


@pytest.mark.parametrize("name", ["cnn_baseline", "vit_128_p16"])
def test_tensors_of_a_training_are_counted(name):
    import numpy as np

    from extractors.recipes import Recipe
    from extractors.trainable import create_trainable
    from extractors.training import train
    from extractors.training_rows import Rows

    recipe = Recipe("r", 1, 4, 1e-3, 0.0, input_size=64)
    trainable = create_trainable(name, recipe)
    rows = Rows(np.zeros((8, 64, 64), np.uint8), np.arange(8) % 2)
    training = train(trainable, rows, recipe)
    parameters = sum(p.numel() for p in trainable.network.parameters())
    assert training.tensor_bytes > 16 * parameters
