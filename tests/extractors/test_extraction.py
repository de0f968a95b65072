"""What comes out of backbones: layers, shapes, eval mode, normalisation, seeded weights."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from extractors import BackboneError, InputSpec, batches, create_backbone, extract
from extractors.backbone import Backbone, normalise
from extractors.batches import resize
from extractors.layers import LayerFeatures
from extractors.precision import running


def made(module: nn.Module, size: int = 16) -> Backbone:
    """A backbone of a network given here."""
    backbone = Backbone("made", module, InputSpec(size, size), "random", "made")
    backbone.feature_width = backbone.probe()
    return backbone


class Means(nn.Module):
    """The mean of each channel; remembers the batches it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images)
        return self.dropout(images.mean((2, 3)))


def test_importing_the_package_imports_no_heavy_library() -> None:
    code = (
        "import sys, extractors\n"
        "heavy = {'torch', 'timm', 'torchvision', 'numpy', 'huggingface_hub'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("random:timm:resnet18", 512),
        ("random:timm:vit_tiny_patch16_224", 192),
        ("random:timm:test_convnext", 64),
        ("random:torchvision:resnet18", 512),
        ("random:torchvision:googlenet", 1024),
        ("random:torchvision:squeezenet1_1", 512),
        ("bundled:efficientnet_lite0", 1280),
    ],
)
def test_features_have_the_probed_width_and_are_finite(name, width, crops) -> None:
    backbone = create_backbone(name)
    features = extract(backbone, crops[:3], precision="float32")
    assert features.shape == (3, width) == (3, backbone.feature_width)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert features.std(axis=0).max() > 0


def test_timm_features_are_what_enters_its_classifier(crops) -> None:
    import timm

    for name in ("test_vit", "test_efficientnet", "test_convnext", "resnet18"):
        backbone = create_backbone(f"random:timm:{name}", seed=3)
        torch.manual_seed(3)
        whole = timm.create_model(name).eval()
        batch = normalise(resize(crops, backbone.input), backbone.input)
        with torch.inference_mode():
            expected = whole.forward_head(whole.forward_features(batch), pre_logits=True)
        np.testing.assert_allclose(
            extract(backbone, crops, precision="float32"), expected, rtol=1e-4, atol=1e-5
        )


def test_alexnet_gives_the_activations_before_its_last_layer_by_default(crops) -> None:
    backbone = create_backbone("random:torchvision:alexnet")
    assert backbone.feature_width == 4096
    seventh = extract(backbone, crops[:2], precision="float32")
    assert (seventh >= 0).all()
    named = create_backbone("random:torchvision:alexnet@fc7")
    np.testing.assert_array_equal(seventh, extract(named, crops[:2], precision="float32"))
    sixth = create_backbone("random:torchvision:alexnet@fc6")
    features = extract(sixth, crops[:2], precision="float32")
    assert features.shape == (2, 4096)
    assert (features >= 0).all()
    assert not np.array_equal(features, seventh)


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("random:timm:resnet18@layer2", 128),
        ("random:timm:vit_tiny_patch16_224@blocks.3", 192),
        ("random:timm:vit_tiny_patch16_224@head", 1000),
        ("random:torchvision:swin_t@features.1", 96),
    ],
)
def test_any_layer_can_be_named(name, width) -> None:
    assert create_backbone(name).feature_width == width


def test_a_layer_that_does_not_exist_is_answered_with_the_nearest() -> None:
    with pytest.raises(BackboneError, match=r"no layer layr2.*layer2"):
        create_backbone("random:timm:resnet18@layr2")


def test_the_requested_size_is_what_the_network_gets() -> None:
    backbone = create_backbone("random:timm:vit_tiny_patch16_224@96")
    assert (backbone.input.height, backbone.input.width) == (96, 96)
    assert tuple(backbone.module.patch_embed.grid_size) == (6, 6)  # type: ignore[union-attr]
    with pytest.raises(BackboneError, match="multiple of 16 pixels"):
        create_backbone("random:timm:vit_tiny_patch16_224@100")


class Grid(nn.Module):
    """Gives a map whose mean over space is known for each channel."""

    def __init__(self, shape: tuple[int, ...], channel_axis: int) -> None:
        super().__init__()
        self.shape, self.axis, self.inner = shape, channel_axis, nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        size = [1] * len(self.shape)
        size[self.axis] = self.shape[self.axis]
        channel = torch.arange(self.shape[self.axis], dtype=torch.float32).view(size)
        out: torch.Tensor = self.inner(channel.expand(self.shape).repeat(len(images), 1, 1, 1))
        return out


@pytest.mark.parametrize(("shape", "axis"), [((1, 5, 7, 7), 1), ((1, 7, 7, 5), 3)])
def test_maps_are_averaged_over_space_in_either_layout(shape, axis) -> None:
    features = LayerFeatures(Grid(shape, axis), "inner")(torch.zeros(2, 3, 8, 8))
    assert features.tolist() == [[0, 1, 2, 3, 4]] * 2


def test_a_layer_is_read_before_the_next_one_changes_it_in_place() -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.relu = nn.Identity(), nn.ReLU(inplace=True)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.relu(self.inner(images.mean((2, 3)) - 10))
            return out

    assert (LayerFeatures(InPlace(), "inner")(torch.zeros(1, 3, 4, 4)) == -10).all()


def test_one_channel_is_repeated_to_three_and_normalised_for_the_weights() -> None:
    spec = InputSpec(2, 2, mean=(0.0, 0.5, 0.25), std=(1.0, 0.5, 0.25))
    batch = normalise(torch.full((1, 1, 2, 2), 127.5), spec)
    assert batch.shape == (1, 3, 2, 2)
    torch.testing.assert_close(batch[0, :, 0, 0], torch.tensor([0.5, 0.0, 1.0]))


def test_normalisation_is_the_weights_own() -> None:
    half = create_backbone("bundled:efficientnet_lite0").input
    assert (half.mean, half.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    augreg = create_backbone("random:timm:vit_tiny_patch16_224").input
    assert augreg.mean == (0.5, 0.5, 0.5)
    imagenet = create_backbone("random:torchvision:resnet18").input
    assert imagenet.mean == (0.485, 0.456, 0.406)
    assert imagenet.std == (0.229, 0.224, 0.225)


def test_the_network_sees_normalised_images_whatever_the_caller_does(crops) -> None:
    module = Means()
    backbone = made(module)
    features = extract(backbone, crops, precision="float32")
    pixels = resize(crops, backbone.input).mean((1, 2, 3)).numpy() / 255
    for channel in range(3):
        expected = (pixels - backbone.input.mean[channel]) / backbone.input.std[channel]
        np.testing.assert_allclose(features[:, channel], expected, atol=1e-5)


def test_resizing_is_antialiased_keeps_the_range_and_crops_nothing() -> None:
    lines = np.zeros((1, 64, 64), dtype=np.uint8)
    lines[:, :, ::4] = 255
    small = resize(lines, InputSpec(16, 16))  # every fourth column counts, wherever it lies
    assert abs(float(small.mean()) - 255 / 4) < 2
    steps = np.zeros((1, 32, 32), dtype=np.uint8)
    steps[:, :, 16:] = 255
    enlarged = resize(steps, InputSpec(64, 64))
    assert enlarged.min() >= 0
    assert enlarged.max() <= 255
    assert enlarged[0, 0, :, 0].max() == 0
    assert enlarged[0, 0, :, -1].min() > 254.99


def test_a_module_in_training_mode_is_run_in_eval_mode_and_left_as_found(crops) -> None:
    module = Means()
    backbone = made(module)
    module.train()
    module.dropout.train()
    first = extract(backbone, crops, precision="float32")
    np.testing.assert_array_equal(first, extract(backbone, crops, precision="float32"))
    assert (first != 0).all()  # dropout at one half would leave zeros
    assert module.training
    assert module.dropout.training
    assert not module.seen[-1].requires_grad


def test_features_do_not_depend_on_the_batch_an_image_is_in(crops) -> None:
    backbone = create_backbone("bundled:efficientnet_lite0")
    together = extract(backbone, crops, precision="float32")
    alone = extract(backbone, crops, batch_size=1, precision="float32")
    np.testing.assert_allclose(together, alone, atol=2e-4)
    halves = [
        extract(backbone, crops[i : i + 2], precision="float32", batch_size=2) for i in (0, 2)
    ]
    by_twos = extract(backbone, crops[:4], batch_size=2, precision="float32")
    np.testing.assert_array_equal(np.concatenate(halves), by_twos)


def test_seeded_weights_are_the_seeds_own_and_leave_the_generator_alone(crops) -> None:
    torch.manual_seed(11)
    expected = torch.rand(4)
    torch.manual_seed(11)
    first = create_backbone("random:timm:test_vit", seed=1)
    assert torch.equal(torch.rand(4), expected)
    again = create_backbone("timm:test_vit", weights="random", seed=1)
    other = create_backbone("random:timm:test_vit", seed=2)
    a, b, c = (extract(m, crops, precision="float32") for m in (first, again, other))
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)
    assert first.weights == again.weights == "random"
    assert first.weights_digest == again.weights_digest != other.weights_digest


def test_features_that_are_not_finite_are_an_error_that_counts_them(crops) -> None:
    class Divides(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            bright = images.amax((2, 3))
            return torch.where(images.amin((2, 3)) == bright, torch.inf, bright)

    images = crops.copy()
    images[:2] = 9  # flat
    with pytest.raises(BackboneError, match="made: 2 of 6 images"):
        extract(made(Divides()), images, precision="float32")


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 8, 8), np.float32), np.zeros((8, 8), np.uint8), np.zeros((2, 8, 8, 3), np.uint8)],
)
def test_anything_but_a_stack_of_8_bit_crops_is_refused(images) -> None:
    with pytest.raises(BackboneError, match="uint8"):
        extract(made(Means()), images)


def test_a_memory_map_progress_and_no_images_at_all(tmp_path, crops) -> None:
    np.save(tmp_path / "crops.npy", crops)
    mapped = np.load(tmp_path / "crops.npy", mmap_mode="r")
    backbone, counts = made(Means()), []
    features = extract(backbone, mapped, 4, "float32", counts.append)
    np.testing.assert_array_equal(features, extract(backbone, crops, 4, "float32"))
    assert counts == [4, 2]
    assert extract(backbone, crops[:0]).shape == (0, 3)


def test_the_batch_is_halved_until_it_fits(crops) -> None:
    class Greedy(Means):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if len(images) > 2:
                raise torch.cuda.OutOfMemoryError("too small")
            return super().forward(images)

    backbone = made(Greedy())
    with pytest.warns(UserWarning, match="made: batch halved"):
        features = extract(backbone, crops, precision="float32")
    np.testing.assert_array_equal(features, extract(made(Means()), crops, precision="float32"))
    assert any("halved" in note for note in backbone.notes)


def test_crops_travel_in_8_bits_and_constants_once(crops, monkeypatch) -> None:
    """What a GPU would wait for: counted where tensors are moved."""
    moved, constants = [], []
    to, tensor = batches.to_device, torch.tensor

    def watched(crops: torch.Tensor, device: str) -> torch.Tensor:
        moved.append(crops.dtype)
        return to(crops, device)

    def counted(*values: object, **more: object) -> torch.Tensor:
        constants.append(values)
        return tensor(*values, **more)

    backbone = made(Means(), 24)  # its constants are made by the probe
    monkeypatch.setattr(batches, "to_device", watched)
    monkeypatch.setattr(torch, "tensor", counted)
    extract(backbone, crops, batch_size=2, precision="float32")
    assert moved == [torch.uint8] * 3
    assert not constants


def test_constants_made_without_gradients_serve_gradients_later() -> None:
    spec = InputSpec(4, 4, (0.1, 0.2, 0.3), (0.7, 0.8, 0.9))
    with torch.inference_mode():
        first = normalise(torch.ones(1, 1, 4, 4), spec)
    pixels = torch.ones(1, 1, 4, 4, requires_grad=True)
    later = normalise(pixels, spec)
    later.sum().backward()
    torch.testing.assert_close(later.detach(), first.clone())


def test_float32_is_not_rounded_to_tf32_and_the_switches_come_back() -> None:
    before = torch.backends.cudnn.allow_tf32
    with running("cpu", "float32"):
        assert not torch.backends.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.backends.cudnn.allow_tf32 == before


class Bounded(Means):
    """Has room for two images at a time, and counts how often it had too little."""

    def __init__(self, error: BaseException, most: int = 2) -> None:
        super().__init__()
        self.error, self.most, self.failures = error, most, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > self.most:
            self.failures += 1
            raise self.error
        return super().forward(images)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GB)"),
        RuntimeError("Invalid buffer size: 20.00 GiB"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if"),
        RuntimeError("Unable to find a valid cuDNN algorithm to run convolution"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
    ids=str,
)
def test_whatever_says_that_memory_is_short_halves_the_batch(error, crops) -> None:
    backbone = made(Bounded(error))
    with pytest.warns(UserWarning, match="made: batch halved to 2"):
        features = extract(backbone, crops, precision="float32")
    np.testing.assert_array_equal(features, extract(made(Means()), crops, precision="float32"))


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("no memory")])
def test_another_error_halves_nothing(error, crops) -> None:
    with pytest.raises(type(error), match=str(error)):
        extract(made(Bounded(error)), crops, precision="float32")


def test_the_size_that_fitted_serves_the_next_batches_and_calls(crops) -> None:
    network = Bounded(torch.OutOfMemoryError("too small"))
    backbone = made(network)
    many = np.concatenate([crops] * 7)[:40]
    with pytest.warns(UserWarning, match="made: batch halved to 2"):
        features = extract(backbone, many, batch_size=8, precision="float32")
    assert network.failures == 2  # 8, 4: not again for each of five batches
    assert backbone.notes == ["batch halved to 2: not enough memory on cpu"]
    extract(backbone, many, batch_size=8, precision="float32")
    assert network.failures == 2
    np.testing.assert_array_equal(features, extract(made(Means()), many, precision="float32"))


def test_where_not_even_one_image_fits_the_device_is_quoted(crops) -> None:
    backbone = made(Bounded(RuntimeError("MPS backend out of memory\nUse ..."), most=2))
    backbone.module.most = 0
    reason = r"not even one image fits into the memory of cpu \(MPS backend out of memory\)"
    with pytest.raises(BackboneError, match=reason):
        extract(backbone, crops, precision="float32")


def test_a_network_that_does_not_fit_is_no_fault_of_the_device(monkeypatch) -> None:
    def move(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")

    monkeypatch.setattr(nn.Module, "to", move)
    with pytest.raises(BackboneError, match="does not fit into the memory of cpu"):
        create_backbone("random:timm:test_vit")


def test_a_device_that_is_not_there_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(BackboneError, match="device cuda"):
        create_backbone("random:timm:test_vit", device="cuda")


@pytest.mark.parametrize(
    ("picture", "classes"), [("chelsea", {281, 282, 285}), ("coffee", {967}), ("rocket", {657})]
)
def test_the_bundled_weights_name_known_pictures(picture, classes) -> None:
    """Tabby, tiger or Egyptian cat; espresso; missile. Weights in the wrong place name nothing."""
    data = pytest.importorskip("skimage.data")
    image = getattr(data, picture)()  # RGB, ships with the package
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = image[top : top + side, left : left + side]
    backbone = create_backbone("bundled:efficientnet_lite0@classifier")
    pixels = resize(square.transpose(2, 0, 1), backbone.input).permute(1, 0, 2, 3)
    assert int(backbone.features(pixels).argmax()) in classes
