"""The decision function of a fitted SVM in torch, so that gradients flow through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sklearn.utils.validation import check_is_fitted

from classifiers.estimator import KernelSVC

if TYPE_CHECKING:
    import torch


def decision_in_torch(
    svm: KernelSVC, device: str = "cpu"
) -> Callable[[torch.Tensor], torch.Tensor]:
    """`KernelSVC.decision_function` as a function of tensors, differentiable in the features.

    Parameters
    ----------
    svm : KernelSVC
        A fitted estimator.
    device : str
        The torch device of the features.

    Returns
    -------
    Callable[[torch.Tensor], torch.Tensor]
        A function from features, shape (B, P), not standardised, to decision values, shape (B,). It
        computes in float64, whatever the type of the features (in float32 where the device has no
        float64).
    """
    import torch

    check_is_fitted(svm)
    kind = torch.float32 if device.startswith("mps") else torch.float64
    parts = svm.fitted_parts()
    arrays = parts.mean, parts.reciprocal, parts.support_vectors, parts.coefficients
    mean, reciprocal, support, coefficients = (
        torch.as_tensor(array, dtype=kind, device=device) for array in arrays
    )

    def decision(features: torch.Tensor) -> torch.Tensor:
        points = (features.to(kind) - mean) * reciprocal
        norms = points.square().sum(1, keepdim=True), support.square().sum(1)
        matrix: torch.Tensor = parts.kernel.function(
            torch, points @ support.T, *norms, parts.kernel_scale
        )
        return matrix @ coefficients + parts.intercept

    return decision
