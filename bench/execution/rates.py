"""Measured speeds: kept when work is done, read to say how long a plan will take."""

import contextlib
import math
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.execution.keys import rate_key
from bench.execution.site import Site
from bench.planning.rules import Rules
from bench.store import Store

if TYPE_CHECKING:
    from extractors.recipes import Recipe

# The fields of a recipe that decide how long an epoch takes.
_OF_AN_EPOCH = ("batch_size", "augmentation", "localization", "input_size", "layers")
# Seconds for which a process keeps no other measurement of the same thing: folds are many.
REST_S = 60.0
_last: dict[tuple[Path, str], float] = {}


@dataclass(frozen=True)
class Rates:
    """Seconds that pieces of work took; what has been read once is not read again.

    Attributes
    ----------
    store : Store
        Where they are kept.
    rules : Rules
        Under which they were measured, or are wanted.
    """

    store: Store
    rules: Rules
    _read: dict[str, Mapping[str, Any] | None] = field(default_factory=dict, compare=False)

    def note_training(self, name: str, recipe: "Recipe", crops: int, seconds: float) -> None:
        """Keep what a training of a network on so many crops took."""
        each = seconds / (crops * recipe.epochs)
        self._note(self._training(name, recipe), each)

    def training(self, name: str, recipe: "Recipe") -> float | None:
        """Seconds of training for each crop and epoch; None where nobody has measured it."""
        return self._found(self._training(name, recipe))

    def note_extraction(self, name: str, seconds: float) -> None:
        """Keep what the features of one crop took."""
        self._note(self._extraction(name), seconds)

    def extraction(self, name: str) -> float | None:
        """Seconds of a crop's features."""
        return self._found(self._extraction(name))

    def note_fit(self, classifier: str, rows: int, seconds: float) -> None:
        """Keep what one fit on so many training rows took."""
        self._note(_fit(classifier, _size_class(rows)), seconds, rows=rows)

    def fit(self, classifier: str, rows: int) -> float | None:
        """Seconds of a fit; from one with other rows where they are half to twice as many."""
        middle = _size_class(rows)
        for near in (0, 1, -1, 2, -2):
            found = self._kept(_fit(classifier, middle + near))
            if found is not None:
                # Gram matrices grow with the square of the rows.
                return float(found["seconds"] * (rows / found["rows"]) ** 2)
        return None

    def _training(self, name: str, recipe: "Recipe") -> dict[str, Any]:
        fields = asdict(recipe)
        of_an_epoch = {field: fields[field] for field in _OF_AN_EPOCH}
        return {
            "what": "training",
            "extractor": name,
            "recipe": of_an_epoch,
            "rules": self.rules.of_networks(),
        }

    def _extraction(self, name: str) -> dict[str, Any]:
        return {"what": "extraction", "extractor": name, "rules": self.rules.of_networks()}

    def _note(self, what: Mapping[str, Any], seconds: float, **more: Any) -> None:
        key = rate_key(what)
        place = (self.store.root, key)
        if time.monotonic() - _last.get(place, -math.inf) < REST_S:
            return
        _last[place] = time.monotonic()
        meta = {**what, **more, "seconds": seconds, "host": socket.gethostname()}
        # It is an estimate's, and no work ends for it.
        with contextlib.suppress(OSError):
            self.store.put("rates", key, {}, meta)

    def _found(self, what: Mapping[str, Any]) -> float | None:
        found = self._kept(what)
        return None if found is None else float(found["seconds"])

    def _kept(self, what: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """A measurement; a plan asks for the same ones again and again."""
        key = rate_key(what)
        if key not in self._read:
            found = self.store.get("rates", key)
            self._read[key] = None if found is None else found.meta
        return self._read[key]


def rates_of(site: Site) -> Rates:
    """Those of a site's store, under its rules."""
    return Rates(site.store, site.rules)


def inner(classifier: str) -> str:
    """What the fits of a classifier on inner folds are called among the rates."""
    return f"{classifier} (inner folds)"


@contextlib.contextmanager
def noting_fits(site: Site, classifiers: list[str], rows: int) -> Iterator[None]:
    """Keep the time of the block as that of the fits of some classifiers together."""
    started = time.perf_counter()
    yield
    each = (time.perf_counter() - started) / len(classifiers)
    for classifier in classifiers:
        rates_of(site).note_fit(classifier, rows, each)


def _fit(classifier: str, size_class: int) -> dict[str, Any]:
    return {"what": "fit", "classifier": classifier, "size_class": size_class}


def _size_class(rows: int) -> int:
    """Two classes for each doubling of the rows."""
    return round(2 * math.log2(max(rows, 1)))
