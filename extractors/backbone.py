"""What a backbone is: a network with the input it wants, the weights it carries and its width.

Normalisation, eval mode and the absence of gradients belong to `Backbone.features`, which every
caller goes through, so that none of them can be forgotten.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, SupportsIndex, final

from extractors.errors import BackboneError
from extractors.isolation import isolated
from extractors.names import Family
from extractors.out_of_memory import first_line, is_out_of_memory

if TYPE_CHECKING:
    import torch

Triple = tuple[float, float, float]

Precision = Literal["float32", "bfloat16"]

# How images are brought to a network's input size.
Interpolation = Literal["bicubic", "bilinear", "nearest"]

# Where weights come from, before any training here: drawn for a network of this package, drawn for
# another one, as a library publishes them, a plugin's own, or a file of unknown making.
Origin = Literal["scratch", "random", "pretrained", "plugin", "file"]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)

IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


def as_triple(values: Iterable[float]) -> Triple:
    """Three numbers, one for each channel, as floats."""
    first, second, third = (float(value) for value in values)
    return first, second, third


@dataclass(frozen=True)
class InputSpec:
    """The image that a network wants.

    Attributes
    ----------
    height, width : int
        In pixels.
    mean, std : Triple
        Of the three channels on [0, 1], for normalisation.
    interpolation : Interpolation
        How images of another size are brought to this one.
    """

    height: int = 224
    width: int = 224
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    interpolation: Interpolation = "bicubic"


def square_input(name: str, side: object, mean: object, std: object) -> InputSpec:
    """A square input as a plugin declares it.

    Raises
    ------
    BackboneError
        If it makes no sense; `name` names the plugin.
    """
    # True counts as a whole number, but means no size.
    if not isinstance(side, SupportsIndex) or isinstance(side, bool) or operator.index(side) < 1:
        raise BackboneError(
            f"{name}: input_size is the side of a square image, a whole number of pixels, "
            f"not {side!r}"
        )
    channels = []
    for title, values in (("mean", mean), ("std", std)):
        try:
            channels.append(as_triple(values))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise BackboneError(
                f"{name}: {title} wants three numbers, one for each channel, not {values!r}"
            ) from None
    if not all(math.isfinite(v) for values in channels for v in values) or min(channels[1]) <= 0:
        raise BackboneError(
            f"{name}: wants input_size, three finite means and three positive stds, "
            f"got {side}, {mean}, {std}"
        )
    return InputSpec(operator.index(side), operator.index(side), channels[0], channels[1])


@dataclass(frozen=True)
class BackboneInfo:
    """What is known of a backbone before it is built; what `describe` and `available` return.

    Attributes
    ----------
    name : str
        The name that was described.
    kind : str
        The prefix of its library, "network" (of this package) or "plugin".
    architecture : str
        The architecture's name in its library; the id of a network or plugin.
    weights : str
        Label for tables: a tag, `imagenet`, `random`, `scratch`, `file:<12 hex>` or `plugin`. Of
        a checkpoint it is the tag only if its bytes are known to be the published ones.
    origin : Origin
        Where the weights come from.
    family : Family | None
        As a network of this package or a plugin declares it; None where it is found from the built
        network.
    weights_path : Path | None
        The checkpoint; None where there is none on this machine.
    weights_digest : str | None
        SHA-256 of the checkpoint; of random weights, how they are drawn. None where the weights are
        known only once the network is built (a plugin's), or are not cached.
    cached : bool
        Whether `create_backbone` with the same arguments would find its weights.
    downloadable : bool
        Whether `download_weights` can fetch them.
    source : str | None
        The URL or the repository on the Hugging Face Hub that they are published at.
    download_files : tuple[str, ...]
        Names that the checkpoint may have in that repository, the preferred one first.
    config_files : tuple[tuple[str, ...], ...]
        Further files of that repository without which it cannot be built; of each, the names that
        it may have.
    download_bytes : int | None
        Size of the download, where it is known.
    input : InputSpec | None
        The image it wants; None for a plugin that cannot be imported, and for a model on the Hub
        whose configuration is not on this machine.
    source_digest : str | None
        SHA-256 of a plugin's source; None for everything else.
    config_digest : str | None
        What identifies the configuration of a model on the Hub, and the library that builds it;
        None for everything else.
    problem : str | None
        Why it cannot be used; None where it can.
    hint : str
        What to do where it is not cached or cannot be used, in one line; else empty.
    """

    name: str
    kind: str
    architecture: str
    weights: str
    origin: Origin
    family: Family | None = None
    weights_path: Path | None = None
    weights_digest: str | None = None
    cached: bool = False
    downloadable: bool = False
    source: str | None = None
    download_files: tuple[str, ...] = ()
    config_files: tuple[tuple[str, ...], ...] = ()
    download_bytes: int | None = None
    input: InputSpec | None = None
    source_digest: str | None = None
    config_digest: str | None = None
    problem: str | None = None
    hint: str = ""


@dataclass
class Backbone:
    """A network ready to turn images into features.

    Attributes
    ----------
    name : str
        The name by which it was created.
    module : torch.nn.Module
        Maps a normalised float batch (B, 3, H, W) to (B, D).
    input : InputSpec
        The image it wants.
    weights : str
        Label for tables.
    weights_digest : str
        What identifies the weights: SHA-256 of the checkpoint, how random ones were drawn, or the
        key of a training.
    origin : Origin
        Where the weights come from; of a trained network, those that it began with.
    family : Family
        Declared, or found from the module.
    device : str
        Where the module lies: "cpu", "cuda", "cuda:1", "mps".
    parameters : int
        Number of parameters, without the classifier that was removed.
    feature_width : int
        D, found by probing.
    source_digest : str | None
        SHA-256 of a plugin's source; None for everything else.
    precision : Precision
        The one that `extract` used last; "float32" before.
    most_images : int | None
        Images in a part of a batch, where whole batches did not fit into the device's memory.
    notes : list[str]
        What a reader of the results must know (batch halved, precision and why).
    """

    name: str
    module: torch.nn.Module = field(repr=False)
    input: InputSpec
    weights: str
    weights_digest: str
    origin: Origin = "plugin"
    family: Family = "other"
    device: str = "cpu"
    parameters: int = 0
    feature_width: int = 0
    source_digest: str | None = None
    precision: Precision = "float32"
    most_images: int | None = None
    notes: list[str] = field(default_factory=list)

    @final
    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features of a batch of images: normalised, in eval mode, without gradients.

        Parameters
        ----------
        pixels : torch.Tensor, shape (B, 1, H, W) or (B, 3, H, W)
            Floats on [0, 255] at the network's own input size, on the backbone's device. One
            channel is repeated to three.

        Returns
        -------
        torch.Tensor, shape (B, D)
            float32 on the same device.

        Raises
        ------
        BackboneError
            If the batch is not of that shape, or the network does not return (B, D).
        """
        import torch

        expected = (self.input.height, self.input.width)
        if pixels.ndim != 4 or pixels.shape[1] not in (1, 3) or tuple(pixels.shape[2:]) != expected:
            raise BackboneError(
                f"{self.name}: wants images (B, 1 or 3, {expected[0]}, {expected[1]}), "
                f"got {tuple(pixels.shape)}"
            )
        # A plugin has a source of its own; the networks of libraries need no isolation.
        guard = isolated(self.name) if self.source_digest else contextlib.nullcontext()
        # Not inference_mode: under it autocast casts every weight anew with every batch.
        with guard, torch.no_grad(), evaluating(self.module):
            out = self.module(normalise(pixels, self.input))
        if not isinstance(out, torch.Tensor) or out.ndim != 2 or len(out) != len(pixels):
            raise BackboneError(
                f"{self.name}: must map a batch (B, 3, H, W) to features (B, D), "
                f"but gave {_shape_or_type(out)} for a batch of {len(pixels)}"
            )
        return out.float()

    @final
    def check_crops_alone(self) -> None:
        """Check that an image's features depend on that image only, and are the same each time.

        Features that depend on the other images of a batch carry test images into training rows.

        Raises
        ------
        BackboneError
            If they do, or if they differ from call to call.
        """
        import torch

        size = (self.input.height, self.input.width)
        generator = torch.Generator().manual_seed(0)
        pixels = 255 * torch.rand(3, 1, *size, generator=generator)
        pixels = pixels.to(self.device, torch.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            first = self.features(pixels)
            torch.manual_seed(2)
            again = self.features(pixels)
        alone = torch.cat([self.features(pixels[i : i + 1]) for i in range(len(pixels))])
        allowed = 1e-3 * float(first.abs().max())
        if bool(((first - again).abs() > allowed).any()):
            raise BackboneError(f"{self.name}: gives other features for the same images each time")
        if bool(((first - alone).abs() > allowed).any()):
            raise BackboneError(
                f"{self.name}: an image's features depend on the other images of its batch "
                "(batch statistics?), which would carry test images into training"
            )

    @final
    def probe(self) -> int:
        """Find the width of the features by running a batch of two through the network.

        Returns
        -------
        int
            The width D.
        """
        import torch

        size = 2 * self.input.height * self.input.width
        ramp = torch.linspace(0, 255, size, device=self.device)
        return int(self.features(ramp.view(2, 1, self.input.height, self.input.width)).shape[1])


def normalise(pixels: torch.Tensor, spec: InputSpec) -> torch.Tensor:
    """(B, 1 or 3, H, W) on [0, 255] to (B, 3, H, W) with the weights' mean and std, channels last.

    Each output channel is (pixels / 255 - mean) / std, computed as one scale and one shift.
    """
    import torch

    scale, shift = _scale_and_shift(tuple(spec.mean), tuple(spec.std), pixels.device)
    out = torch.addcmul(shift, pixels, scale)
    return out.contiguous(memory_format=torch.channels_last)


@functools.lru_cache(maxsize=16)
def _scale_and_shift(
    mean: Triple, std: Triple, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """What `normalise` multiplies by and adds, on the device: a GPU would wait for each copy."""
    import torch

    # Not as inference tensors, whatever mode the first caller is in: later ones may need gradients.
    with torch.inference_mode(False):
        scale, shift = (
            torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1)
            for values in (
                [1 / (255 * s) for s in std],
                [-m / s for m, s in zip(mean, std, strict=True)],
            )
        )
    return scale, shift


def place(module: torch.nn.Module, device: str, name: str) -> None:
    """Move a network to a device; weights of four axes lie channels last, as images do.

    `Module.to` refuses to do so where a network has weights of five axes, as 3-D convolutions have.

    Raises
    ------
    BackboneError
        If the device has too little memory; `name` names the network.
    """
    import torch

    try:
        module.to(torch.device(device))
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.ndim == 4:
                tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise BackboneError(
            f"{name}: does not fit into the memory of {device} ({first_line(error)})"
        ) from error


@contextlib.contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Eval mode inside the block; afterwards every submodule is in the mode it was in before."""
    training = [m for m in module.modules() if m.training]
    if training:
        module.eval()
    try:
        yield
    finally:
        for m in training:
            m.training = True


def state_digest(module: torch.nn.Module) -> str:
    """SHA-256 (hexadecimal) of a network's parameters and buffers: names, types, shapes, values."""
    import torch

    summary = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            summary.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
            flat = tensor.detach().cpu().contiguous().flatten()
            summary.update(flat.view(torch.uint8).numpy().data if flat.numel() else b"")
    return summary.hexdigest()


def _shape_or_type(value: object) -> str:
    shape = getattr(value, "shape", None)
    return str(tuple(shape)) if shape is not None else type(value).__name__
