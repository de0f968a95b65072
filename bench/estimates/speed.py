"""How fast networks run that nobody has measured yet: from their floating-point operations.

On one device, networks as different as a ViT and an EfficientNet differ by a factor of two or so in
the operations that they do in a second, which is enough to tell minutes from days.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.estimates.networks import parts_of, stored_size
from bench.execution.rates import Rates
from bench.planning.extractor import Extractor
from bench.planning.rules import Rules
from bench.store import Store

# Operations of a training step, in forward passes: the backward pass takes two.
TRAINING_FACTOR = 3
# Where no network can be timed: seconds for the features of one crop, which only put work in order.
CROP_S = 0.02
# Of the matrix products that are timed: rows and columns by device, and for how many seconds.
SIDE, SIDE_OF_GPU, TIMED_S = 512, 4096, 0.2
# The share of a plain matrix product's speed that whole networks reach, on processors: ViTs of this
# package ran at 30 to 37 thousand million operations a second on one core of a Xeon whose products
# ran at 60 to 100; its CNN and EfficientNet-Lite0 at 18 to 20.
SHARE = 0.3


@dataclass(frozen=True)
class Speed:
    """Seconds of networks that were never measured; nothing is timed before one is asked for.

    Attributes
    ----------
    store : Store
        It knows sizes of networks.
    rates : Sequence[Rates]
        Measurements, the likeliest rules first: the first rules with a measurement are taken.
    planned : Sequence[Extractor]
        Those of the plan; the median over what was measured is the speed of all.
    timed : Callable[[], float] | None
        Times matrix products on the device where nothing was; None where the device is not here.
    """

    store: Store
    rates: Sequence[Rates]
    planned: Sequence[Extractor]
    timed: Callable[[], float] | None

    def of_crop(self, extractor: Extractor) -> float | None:
        """Seconds for the features of one crop; None where nobody can tell."""
        size = stored_size(self.store, extractor)
        if size is None or not size.flops or self.per_second is None:
            return None
        return size.flops / self.per_second

    @cached_property
    def per_second(self) -> float | None:
        """Floating-point operations; None where nothing tells."""
        parts = {part.name: part for one in self.planned for part in parts_of(one)}
        for rates in self.rates:
            found = list(_measured(self.store, rates, parts.values()))
            if found:
                return statistics.median(found)
        return None if self.timed is None else SHARE * self.timed()


def _measured(store: Store, rates: Rates, parts: Iterable[Extractor]) -> Iterable[float]:
    """Operations a second of each network whose features were timed."""
    for part in parts:
        seconds = rates.extraction(part.name)
        size = stored_size(store, part) if seconds else None
        if seconds and size is not None and size.flops:
            yield size.flops / seconds


def product_speed(device: str, rules: Rules) -> float:
    """Floating-point operations a second of plain float32 matrix products.

    Parameters
    ----------
    device : str
        Of torch.
    rules : Rules
        Their threads are used.

    Returns
    -------
    float
        The best of several.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(rules.threads)
    try:
        side = SIDE if device == "cpu" else SIDE_OF_GPU
        one = torch.ones(side, side, device=device)
        best, begin = float("inf"), time.perf_counter()
        while time.perf_counter() - begin < TIMED_S:
            started = time.perf_counter()
            (one @ one).sum().item()  # waits for the device
            best = min(best, time.perf_counter() - started)
    finally:
        torch.set_num_threads(before)
    return 2 * side**3 / best
