"""A backbone as a transformer of scikit-learn, with the crops and the features of a run.

from bench import FeatureExtractor
from classifiers import KernelSVC
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

model = make_pipeline(FeatureExtractor("timm:resnet18"), KernelSVC())
cross_val_score(model, paths, labels, groups=patients, cv=GroupKFold(5), scoring="roc_auc")
"""

import operator
import warnings
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from bench.data.crops.given import Values, squares_of
from bench.data.crops.settings import CropSettings
from bench.errors import UnusableInput
from bench.planning.extractor import RANDOM_SEED, choose_device
from extractors import create_backbone, describe, extract
from extractors.names import split_fusion

if TYPE_CHECKING:
    from extractors import Backbone

_PRECISIONS = ("auto", "float32", "bfloat16")
# Networks that stay in memory: every fold of a cross-validation has a clone of the transformer.
_KEPT = 2


class ConvertedImages(UserWarning):
    """Images had more than 8 bits or colours, and were converted as the documentation says."""


class FeatureExtractor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features of images by a network with given weights; nothing is learnt from the images.

    Images become what they are in a run: one grey channel, 8 bits, a square of `size` pixels. Of
    the same crops the features are those that `python -m bench all` extracts.

    8-bit grey images are taken as they are. Colours are made grey (ITU-R BT.601), as those of files
    are in a run; integers of more bits, and floats, are scaled to 8 bits by `values`. Whatever is
    converted is said in one `ConvertedImages` warning; what has no one meaning is refused: values
    that are not finite or lie outside of `values`, an array without an axis of images, 2 or 4
    channels.

    Parameters
    ----------
    name : str, default "bundled:efficientnet_lite0"
        A backbone's name as `--extractors` takes it, `fusion:A+B` too. One that is trained in a run
        has no weights to begin with and is refused.
    weights : str | Path, default "auto"
        "auto" for published weights on this machine, "random" for drawn ones, or a checkpoint.
    weights_dir : str | Path | None, default None
        A folder of checkpoints that is searched first.
    device : str, default "auto"
        "auto", "cpu", "cuda", "cuda:N" or "mps".
    precision : Literal["auto", "float32", "bfloat16"], default "auto"
        "auto" is bfloat16 where the device computes in it and features agree, as in a run.
    batch_size : int | None, default None
        Images in a batch; by default that of a run on the device.
    size : int, default 256
        Side of the squares in pixels, as `--size`.
    square : Literal["pad", "stretch"], default "pad"
        How an image becomes square, as `--fit`.
    window : Literal["own", "voi"], default "own"
        Grey values of DICOM files, as `--window`.
    values : Values, default "own"
        What becomes 0 and 255 of values in memory that are not of 8 bits: "own" is the minimum and
        maximum of each image, as for files in a run; (0, 1) is for floats on [0, 1].
    seed : int, default 0
        Of random weights; that of a run is 0.

    Attributes
    ----------
    n_features_ : int
        The number of features, D.
    weights_digest_ : str
        What identifies the weights.
    input_size_ : tuple[int, int]
        Height and width that the network wants, of the first one of a fusion.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.arange(2 * 64 * 64).reshape(2, 64, 64).astype(np.uint8)
    >>> FeatureExtractor("random:timm:resnet18").fit_transform(images).shape
    (2, 512)
    """

    def __init__(
        self,
        name: str = "bundled:efficientnet_lite0",
        *,
        weights: str | Path = "auto",
        weights_dir: str | Path | None = None,
        device: str = "auto",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        batch_size: int | None = None,
        size: int = 256,
        square: Literal["pad", "stretch"] = "pad",
        window: Literal["own", "voi"] = "own",
        values: Values = "own",
        seed: int = RANDOM_SEED,
    ) -> None:
        self.name = name
        self.weights = weights
        self.weights_dir = weights_dir
        self.device = device
        self.precision = precision
        self.batch_size = batch_size
        self.size = size
        self.square = square
        self.window = window
        self.values = values
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> Self:
        """Build the network; the images and labels are not looked at.

        Parameters
        ----------
        X : Any
            Images, as for `transform`.
        y : Any, default None
            Ignored.

        Returns
        -------
        Self
            The transformer.

        Raises
        ------
        ValueError
            If a parameter makes no sense, there is no such backbone, or its weights are not on this
            machine: one line that says how to get them.
        """
        self._settings()
        backbones = self._backbones()
        self.n_features_ = sum(backbone.feature_width for backbone in backbones)
        self.weights_digest_ = ", ".join(backbone.weights_digest for backbone in backbones)
        self.input_size_ = backbones[0].input.height, backbones[0].input.width
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Features of images.

        Parameters
        ----------
        X : Any
            An array or tensor (n, h, w), (n, h, w, 1 or 3) or (n, 1 or 3, h, w); paths of image
            files, DICOM among them; a list of images of several sizes; a Dataset or DataLoader of
            torch, of images alone or with labels behind them. A DataLoader must not shuffle.

        Returns
        -------
        NDArray[np.float32], shape (n, n_features_)
            A row for each image, in its order.

        Raises
        ------
        ValueError
            If an image cannot be used, or a feature is not finite: one line.

        Warns
        -----
        ConvertedImages
            Once for all images that had colours or more than 8 bits, with their number.
        """
        settings, values = self._settings()
        squares, done = squares_of(X, settings, values)
        if done.line():
            warnings.warn(done.line(), ConvertedImages, stacklevel=2)
        parts = [
            extract(backbone, squares, self.batch_size, self.precision)
            for backbone in self._backbones()
        ]
        return parts[0] if len(parts) == 1 else np.hstack(parts)

    @property
    def _n_features_out(self) -> int:
        """For the names of the features, which `set_output` needs."""
        return self.n_features_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        # Images, not a table: scikit-learn must not check or count columns.
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags

    def _settings(self) -> tuple[CropSettings, Values]:
        """How images become squares; raises ValueError for a parameter that makes no sense."""
        try:
            size = operator.index(self.size)
            settings = CropSettings(size, self.square, window=self.window)
        except TypeError as error:
            raise ValueError(f"FeatureExtractor: size {self.size!r:.60} is no number") from error
        except UnusableInput as error:
            raise ValueError(f"FeatureExtractor: {error}") from error
        _check_number("batch_size", self.batch_size, 1, None)
        _check_number("seed", self.seed, 0)
        if self.precision not in _PRECISIONS:
            known = ", ".join(_PRECISIONS)
            raise ValueError(
                f"FeatureExtractor: precision {self.precision!r} is not one of {known}"
            )
        return settings, _checked_values(self.values)

    def _backbones(self) -> "list[Backbone]":
        """The networks, of a fusion one after the other."""
        if not isinstance(self.name, str):
            raise ValueError(f"FeatureExtractor: name is a text, not {self.name!r:.80}")
        if not isinstance(self.device, str):
            raise ValueError(f"FeatureExtractor: device is a text, not {self.device!r:.80}")
        if not isinstance(self.weights, str | Path):
            raise ValueError(
                f"FeatureExtractor: weights is a text or path, not {self.weights!r:.80}"
            )
        try:
            device = choose_device(self.device)
        except UnusableInput as error:
            raise ValueError(f"FeatureExtractor: {error}") from error
        folder = None if self.weights_dir is None else str(self.weights_dir)
        found = []
        for name in split_fusion(self.name):
            info = describe(name, folder, weights=self.weights, seed=self.seed)
            # What may change behind the same name is part of what a network is kept by.
            state = info.weights_digest, info.source_digest, str(info.weights_path)
            found.append(_built(name, str(self.weights), folder, device, self.seed, state))
        return found


@lru_cache(maxsize=_KEPT)
def _built(
    name: str, weights: str, folder: str | None, device: str, seed: int, state: tuple[Any, ...]
) -> "Backbone":
    return create_backbone(name, weights=weights, weights_dir=folder, device=device, seed=seed)


def _check_number(name: str, value: Any, least: int, *others: Any) -> None:
    """Raise ValueError unless a value is a whole number, `least` or more, or one of the others."""
    if any(value is other for other in others):
        return
    try:
        if operator.index(value) >= least:
            return
    except TypeError:
        pass
    raise ValueError(
        f"FeatureExtractor: {name} is a whole number from {least} on, not {value!r:.60}"
    )


def _checked_values(values: Any) -> Values:
    """What becomes 0 and 255; raises ValueError unless it is "own" or two rising numbers."""
    if isinstance(values, str) and values == "own":
        return "own"
    pair = tuple(values) if isinstance(values, tuple | list) else ()
    if len(pair) == 2 and all(isinstance(one, Real) and np.isfinite(float(one)) for one in pair):
        low, high = float(pair[0]), float(pair[1])
        if low < high:
            return low, high
    raise ValueError(f"FeatureExtractor: values {values!r:.60} is neither 'own' nor (low, high)")
