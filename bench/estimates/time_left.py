"""The time that is left of a run: networks that are trained take longest."""

from collections.abc import Collection, Mapping


class TimeLeft:
    """Compares what extractors took with what was expected of them.

    How far the expectation is off is judged for trained and frozen extractors by themselves, as
    soon as there is one of the kind; what came from the store says nothing of it.

    Parameters
    ----------
    expected : Mapping[str, float]
        Seconds of each extractor that is waited for: right beside each other, not by the clock.
    trained : Collection[str]
        Those of them that are trained in the run.
    """

    def __init__(self, expected: Mapping[str, float], trained: Collection[str]) -> None:
        self._waiting = dict(expected)
        self._trained = frozenset(trained)
        # By kind: seconds expected of what was computed, and those that it took.
        self._seen: dict[bool, tuple[float, float]] = {}

    def after(self, name: str, seconds: float, computed: bool) -> float | None:
        """Take note of an extractor that is done.

        Parameters
        ----------
        name : str
            The extractor.
        seconds : float
            What it took.
        computed : bool
            Whether any of it was computed now, and did not come from the store.

        Returns
        -------
        float | None
            Seconds that the others will probably take; None where nothing is known of them, as
            where all so far came from the store.
        """
        expected = self._waiting.pop(name, 0.0)
        if computed and expected > 0:
            kind = name in self._trained
            before, took = self._seen.get(kind, (0.0, 0.0))
            self._seen[kind] = before + expected, took + seconds
        if not self._seen:
            return None
        return sum(
            seconds * self._slower(other in self._trained)
            for other, seconds in self._waiting.items()
        )

    def _slower(self, kind: bool) -> float:
        """By how much extractors of a kind take longer than expected."""
        seen = [self._seen[kind]] if kind in self._seen else list(self._seen.values())
        return sum(took for _, took in seen) / sum(expected for expected, _ in seen)
