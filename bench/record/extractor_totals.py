"""What an extractor took over all of its folds, for the manifest and for the log."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.execution.tasks import Answer
from bench.planning.extractor import Extractor
from extractors.create import family_of
from extractors.pretrained import LIBRARIES
from reports.systems.hosts import join_hosts

# What the manifest says of an extractor, from the profiles of its features.
_SAME = ("weights_digest", "precision", "feature_width", "input", "parameters", "flops_per_image")
# Words, of which several can be true together.
_WORDS = ("precision", "family", "training")


@dataclass
class ExtractorTotals:
    """Collects the answers of one extractor, fold by fold.

    Frozen features are made once for all folds and count once; a network that is trained on each
    fold counts as often as it is trained.

    Attributes
    ----------
    extractor : Extractor
        Whose answers they are.
    """

    extractor: Extractor
    _profiles: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)
    _network_seconds: dict[str, float] = field(default_factory=dict)
    _hosts: dict[str, None] = field(default_factory=dict)
    _failures: Counter[str] = field(default_factory=Counter)
    _n_folds: int = 0

    def add(self, answer: Answer) -> None:
        """One fold, or the features that all folds share."""
        is_fold = answer.task.fold is not None
        self._n_folds += is_fold
        if answer.features is None:
            if is_fold:
                self._failures[answer.status] += 1
            return
        # Folds that share their networks, or frozen features, share what those took.
        networks = tuple(network.key for network in answer.features.trained)
        self._profiles.setdefault(networks, answer.features.profile)
        self._hosts |= dict.fromkeys(answer.features.hosts)
        for network in answer.features.trained:
            self._network_seconds[network.key] = float(network.costs["network_time_s"])

    @property
    def status(self) -> str:
        """ "ok" if every fold has features, else each reason with the number of its folds."""
        if not self._failures:
            return "ok"
        if self._failures.total() == self._n_folds and len(self._failures) == 1:
            return next(iter(self._failures))
        return "; ".join(
            f"{reason} (in {count} of {self._n_folds} folds)"
            for reason, count in self._failures.items()
        )

    def row(self) -> dict[str, Any]:
        """What the manifest says: what all folds share, and sums of times; None where unknown."""
        seconds, images = self._extraction()
        facts = self.extractor.facts()
        row: dict[str, Any] = {
            **facts,
            "training": self._shared("training") or facts["training"],
            "family": self._shared("family") or _planned_family(self.extractor),
            **{name: self._shared(name) for name in _SAME},
            "images_per_s": images / seconds if seconds else None,
            "extraction_s": seconds if self._profiles else None,
            "min_cosine": min(self._known("min_cosine"), default=None),
            "notes": "; ".join(dict.fromkeys(map(str, self._known("notes")))) or None,
            "status": self.status,
            "host": join_hosts(self._hosts) or None,
        }
        return {name: _finite(value) for name, value in row.items()}

    def line(self, seconds: float) -> str:
        """A line for the log; `seconds` is the time since the work on the extractor began."""
        name, status = self.extractor.name, self.status
        if not self._profiles:
            return status if status.startswith(name) else f"{name}: {status}"
        if not self.extractor.sees_images:
            return f"{name}: reference points"
        if not self.extractor.runs_network:
            widths = ", ".join(map(str, self._known("feature_width")))
            return f"{name}: {widths} features from a file, done in {seconds:.1f} s"
        spent, images = self._extraction()
        precision = ", ".join(dict.fromkeys(map(str, self._known("precision"))))
        trained = ""
        if self._network_seconds:
            several = len(self._network_seconds)
            times = f" ({several} networks)" if several > 1 else ""
            trained = f"trained in {sum(self._network_seconds.values()):.0f} s{times}, "
        failed = "" if status == "ok" else f"; {status}"
        speed = "" if np.isnan(spent) else f"{images / max(spent, 1e-9):.0f} crops/s, "
        return (
            f"{name}: {self.extractor.weights} weights, {precision}, {trained}{speed}"
            f"done in {seconds:.1f} s{failed}"
        )

    def _known(self, name: str) -> list[Any]:
        return [p[name] for p in self._profiles.values() if p.get(name) is not None]

    def _shared(self, name: str) -> Any:
        """The value that all folds share; several values joined where they are words, else None."""
        values = list(dict.fromkeys(self._known(name)))
        if len(values) == 1:
            return values[0]
        return ", ".join(values) or None if name in _WORDS else None

    def _extraction(self) -> tuple[float, float]:
        """Seconds of extraction and images extracted, over all folds."""
        seconds = [float(p.get("extraction_s", 0.0)) for p in self._profiles.values()]
        rates = [float(p.get("images_per_s", 0.0)) for p in self._profiles.values()]
        return sum(seconds), sum(s * rate for s, rate in zip(seconds, rates, strict=True))


def _planned_family(extractor: Extractor) -> str | None:
    """The family of what did not run; a plugin that cannot be built, or a reference, has none."""
    if extractor.parts:
        families = [_planned_family(part) for part in extractor.parts]
        return ", ".join(dict.fromkeys(name for name in families if name)) or None
    if extractor.info is None:
        return None
    # Networks of this suite and plugins declare theirs, or have none.
    found = extractor.info.kind in LIBRARIES
    return family_of(extractor.name, extractor.weights_dir) if found else extractor.info.family


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value
