"""What networks cost, against what can be counted by hand."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from extractors.backbone import InputSpec
from extractors.costs import CONTEXT, PeakMemory, SavedTensors, forward_flops, smallest_gpu


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


def test_flops_of_a_library_vit_are_twice_its_published_products():
    """torchvision documents 17.56 GMAC for ViT-B/16; elementwise operations are in neither."""
    import torchvision.models as zoo

    with torch.device("meta"):
        network = zoo.vit_b_16()
    network = network.to_empty(device="cpu")
    assert forward_flops(network, InputSpec()) == pytest.approx(2 * 17.56e9, rel=0.01)


def test_counting_leaves_the_process_as_it_was():
    class Rude(nn.Module):
        def forward(self, images):
            torch.set_default_dtype(torch.float64)
            torch.manual_seed(5)
            return images

    torch.manual_seed(1)
    state = torch.get_rng_state()
    forward_flops(Rude(), InputSpec(8, 8))
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(torch.get_rng_state(), state)


def test_kept_tensors_are_let_go_after_a_way_that_failed():
    import weakref

    kept_alive = []

    class Fails(nn.Module):
        def forward(self, images):
            out = torch.exp(images.requires_grad_())
            kept_alive.append(weakref.ref(out))
            raise RuntimeError

    with pytest.raises(RuntimeError), SavedTensors(nn.Linear(1, 1)):
        Fails()(torch.zeros(4))
    assert kept_alive[0]() is None


def test_smallest_gpu_leaves_room_for_its_context():
    assert smallest_gpu(0) == 4
    assert smallest_gpu(int(0.95 * 4e9) - CONTEXT) == 4
    assert smallest_gpu(int(0.95 * 4e9) - CONTEXT + 1) == 8
    assert smallest_gpu(int(75e9)) == 80
    assert smallest_gpu(int(80e9)) is None


def test_kept_tensors_are_those_of_the_way_back_each_once():
    network = nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 2))
    images = torch.zeros(8, 100)
    with SavedTensors(network) as kept:
        network(images)
    # The input, and what the ReLU gave: it serves the ReLU itself and the layer behind it.
    assert kept.bytes == 4 * (8 * 100 + 8 * 50)
    with SavedTensors(network) as nothing, torch.no_grad():
        network(images)
    assert nothing.bytes == 0


FREED_AGAIN = """
import time
from extractors.costs import PeakMemory

with PeakMemory("cpu") as before:
    pass
with PeakMemory("cpu") as peak:
    block = bytearray(b"x") * (200 * 2**20)
    time.sleep(0.3)  # long enough to be sampled
    del block
assert peak.device is None
print(peak.host - before.host)
"""


def test_peak_of_the_process_sees_what_was_freed_again():
    """In a process of its own: a large one has memory to use again."""
    ended = subprocess.run(
        [sys.executable, "-c", FREED_AGAIN], capture_output=True, text=True, check=True
    )
    assert int(ended.stdout) > 150 * 2**20


@pytest.mark.parametrize("name", ["cnn_baseline", "vit_128_p16"])
def test_tensors_of_a_training_are_counted(name):
    import numpy as np

    from extractors.recipes import Recipe
    from extractors.training.loop import train
    from extractors.training.rows import TrainingRows
    from extractors.training.trainable import create_trainable

    recipe = Recipe(
        "r", epochs=1, batch_size=4, learning_rate=1e-3, weight_decay=0.0, input_size=64
    )
    trainable = create_trainable(name, recipe)
    rows = TrainingRows(np.zeros((8, 64, 64), np.uint8), np.arange(8) % 2)
    training = train(trainable, rows, recipe)
    parameters = sum(p.numel() for p in trainable.network.parameters())
    assert training.tensor_bytes > 16 * parameters


def test_the_peak_of_a_gpu_is_that_of_the_block_alone(monkeypatch) -> None:
    """What the network before left in torch's cache is given back, what others hold not counted."""
    reserved = {"now": 900, "peak": 900}

    def empty_cache() -> None:
        reserved["now"] = 300  # the rest is still in use

    def reset_peak_memory_stats(device: str) -> None:
        reserved["peak"] = reserved["now"]

    monkeypatch.setattr("torch.cuda.empty_cache", empty_cache)
    monkeypatch.setattr("torch.cuda.reset_peak_memory_stats", reset_peak_memory_stats)
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda device: reserved["now"])
    monkeypatch.setattr("torch.cuda.max_memory_reserved", lambda device: reserved["peak"])
    with PeakMemory("cuda") as peak:
        reserved["now"] = reserved["peak"] = 500
    assert peak.device == 200
