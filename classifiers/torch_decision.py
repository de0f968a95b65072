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
    svm : fitted.
    device : where the features will lie.

    Returns
    -------
    A function from features (B, P), not standardised, to decision values (B,). It computes in
    float64, whatever the features are in (in float32 where the device has no such type).
    """
    import torch

    check_is_fitted(svm)
    kind = torch.float32 if device.startswith("mps") else torch.float64
    parts = svm.fitted_parts()
    mean, reciprocal, train, weights = (
        torch.as_tensor(part, dtype=kind, device=device) for part in parts.arrays
    )
    kernel, scale, intercept = parts.kernel, parts.scale, parts.intercept

    def decision(features: torch.Tensor) -> torch.Tensor:
        points = (features.to(kind) - mean) * reciprocal
        norms = points.square().sum(1, keepdim=True), train.square().sum(1)
        matrix: torch.Tensor = kernel.function(torch, points @ train.T, *norms, scale)
        return matrix @ weights + intercept

    return decision
