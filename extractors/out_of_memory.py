"""When a device has too little memory: how it says so, and how a batch is run in parts that fit."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# PyTorch has an error of its own for CUDA only. cuDNN and cuBLAS say it in their own words, and so
# do Metal and the allocator of the processor. Without memory cuDNN finds no algorithm, too.
_MESSAGES = (
    "out of memory",
    "ALLOC_FAILED",
    "CUDNN_STATUS_NOT_SUPPORTED",
    "unable to find a valid cuDNN algorithm",
    "unable to find an engine to execute this computation",
    "can't allocate memory",
    "not enough memory",
    "Invalid buffer size",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the device, or the machine, has too little memory.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    bool
        True for PyTorch's own error, and for those that say so in their message only.
    """
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).casefold()
    return isinstance(error, RuntimeError) and any(m.casefold() in text for m in _MESSAGES)


def release_memory(device: str) -> None:
    """Give back what torch keeps of a device's memory for later, so that a new attempt can have it.

    To be called outside the `except` block: there the error still holds all tensors of its frames.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "cuda:1", "mps".
    """
    import torch

    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device.startswith("mps"):
        torch.mps.empty_cache()


class PartsThatFit:
    """Runs batches in parts that are halved until one fits, and remembers the size for the next.

    Parameters
    ----------
    device : str
        Where the parts run.
    too_small : Callable[[str], Exception]
        The error where not even one image fits, from the device's own words.
    most : int | None
        Images in a part from the start; None for whole batches.

    Attributes
    ----------
    device : str
        Where the parts run.
    most : int | None
        Images in a part; None where every batch has fitted whole.
    """

    def __init__(
        self,
        device: str,
        too_small: Callable[[str], Exception],
        most: int | None = None,
    ) -> None:
        self.most = most
        self.device = device
        self._too_small = too_small

    def run(
        self, batch: torch.Tensor, compute: Callable[[torch.Tensor], torch.Tensor]
    ) -> Iterator[torch.Tensor]:
        """What `compute` gives for each part of a batch, in order.

        Parameters
        ----------
        batch : torch.Tensor, shape (n, ...)
            Cut along its first axis.
        compute : Callable[[torch.Tensor], torch.Tensor]
            May be called again with a smaller part of the same images.

        Yields
        ------
        torch.Tensor
            The results of one part.
        """
        done = 0
        while done < len(batch):
            part = batch[done : done + (self.most or len(batch))]
            failure = None
            try:
                result = compute(part)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failure = first_line(error)
            if failure is None:
                yield result
                done += len(part)
                continue
            if len(part) == 1:
                raise self._too_small(failure)
            release_memory(self.device)
            self.most = (len(part) + 1) // 2


def first_line(error: BaseException) -> str:
    """The first line of an error's message; the name of its type where it has none."""
    return (str(error).strip() or type(error).__name__).split("\n")[0]
