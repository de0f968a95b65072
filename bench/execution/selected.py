"""The row `selected`: in every fold the system that does best inside the training rows.

The largest of many test figures is too large. What a user could have chosen without the test rows
is judged on patient-grouped inner folds, and only that one's test scores stand in the row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.execution.keys import selected_key
from bench.execution.tasks import Answer
from bench.execution.units import UnitResult
from bench.planning.extractor import Extractor
from bench.planning.plan import Fold, Place, System
from bench.planning.presets import SELECTED
from classifiers.judgements import Judgement


@dataclass(frozen=True)
class Candidate:
    """A system that was judged and fitted on one fold.

    `extraction_s` is for its training crops, `hosts` are those that made their features.
    """

    system: System
    weights: str
    origin: str
    judgement: Judgement
    result: UnitResult
    extraction_s: float
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class SelectedSystem:
    """What was chosen for a fold, and what it took: every candidate's features and inner fits."""

    chosen: Candidate
    unit: str
    extraction_s: float
    gram_s: float
    fit_s: float
    n_candidates: int
    hosts: tuple[str, ...] = ()


@dataclass
class Selection:
    """Collects what systems are worth inside training rows, and chooses when all are judged."""

    _candidates: dict[Place, list[Candidate]] = field(default_factory=dict)
    _reasons: dict[Place, str] = field(default_factory=dict)

    def add(self, answer: Answer, fold: Fold, extractor: Extractor) -> Mapping[System, UnitResult]:
        """Take the candidates out of an answer.

        Parameters
        ----------
        answer : Answer
            Of one fold.
        fold : Fold
            The fold.
        extractor : Extractor
            Its extractor.

        Returns
        -------
        Mapping[System, UnitResult]
            The answer's results, those of candidates with their AUC on the inner folds.
        """
        results = dict(answer.results)
        if isinstance(answer.judged, str):
            self._reasons[fold.place] = answer.judged
            return results
        for system, judgement in answer.judged.items():
            assert answer.features is not None
            result = results[system]
            spent = answer.features.seconds_per_crop * len(fold.train)
            weights, origin = extractor.weights, extractor.origin
            hosts = answer.features.hosts
            candidate = Candidate(system, weights, origin, judgement, result, spent, hosts)
            self._candidates.setdefault(fold.place, []).append(candidate)
            results[system] = replace(result, meta={**result.meta, "inner_auc": judgement.auc})
        return results

    def extractor(self) -> Extractor:
        """What the tables say of the row: the weights of all that it is chosen from."""
        weights = (one.weights for candidates in self._candidates.values() for one in candidates)
        return Extractor(SELECTED, None, ", ".join(dict.fromkeys(weights)))

    def facts(self) -> dict[str, Any]:
        """What the manifest says of the row."""
        origins = (
            origin
            for candidates in self._candidates.values()
            for one in candidates
            for origin in one.origin.split(", ")
        )
        return self.extractor().facts() | {"origin": ", ".join(dict.fromkeys(origins)) or None}

    def choice(self, fold: Fold) -> SelectedSystem | str:
        """The candidate of the highest AUC on the inner folds; of equals the one named first.

        One whose inner fits did not all converge, or all collapsed, is chosen only if there is no
        other. Where nothing could be judged the reason takes the place of a choice.
        """
        candidates = self._candidates.get(fold.place, [])
        if not candidates:
            return self._reasons.get(fold.place, "none of the systems to choose from ran")
        best = max(candidates, key=_merit)
        return _spent(best, candidates)


def _merit(candidate: Candidate) -> tuple[bool, bool, float]:
    judged = candidate.judgement
    return judged.converged, not judged.collapsed, round(judged.auc, 12)


def _spent(best: Candidate, candidates: Sequence[Candidate]) -> SelectedSystem:
    # The features and the Gram matrix of an extractor serve all of its kernels.
    extractors = {candidate.system.extractor: candidate for candidate in candidates}
    gram = sum(float(one.result.meta["gram_time_s"]) for one in extractors.values())
    own_fit = float(best.result.meta["fit_time_s"]) - float(best.result.meta["gram_time_s"])
    inner = sum(candidate.judgement.seconds for candidate in candidates)
    return SelectedSystem(
        chosen=best,
        unit=selected_key(best.result.key, [c.result.key for c in candidates]),
        extraction_s=sum(candidate.extraction_s for candidate in extractors.values()),
        gram_s=gram,
        fit_s=gram + inner + own_fit,
        n_candidates=len(candidates),
        hosts=tuple(
            name for one in candidates for name in (*one.hosts, one.result.meta.get("host", ""))
        ),
    )
