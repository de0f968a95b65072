"""The tables of a run folder: units, predictions and lesions, from what the units gave."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bench.data.crops.rotated import rotation_of
from bench.data.patients import groups_of
from bench.execution.features import FeatureRecord
from bench.execution.selected import SelectedSystem
from bench.execution.tasks import Answer
from bench.execution.trainings import Trained
from bench.execution.units import UnitResult
from bench.planning.extractor import Extractor
from bench.planning.plan import SOFTMAX, Fold, Place, System
from reports.systems.hosts import join_hosts
from reports.systems.schema import (
    CHOICE_COLUMNS,
    HISTORY_COLUMNS,
    HOST,
    PREDICTION_COLUMNS,
    TRAINING_COLUMNS,
    UNIT_COLUMNS,
)

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops.stack import CropStack

# The note on inner folds on the features of a network that was trained on all of them.
SEEN_INSIDE = "inner folds are optimistic: the network was trained on all of their rows"
# The note on a choice.
RANDOM_AMONG = "random weights are among what it is chosen from"
COST_UNKNOWN = "cost not measured here: features from a file are among what it is chosen from"
# The note where the Gram matrix of all training rows does not fit.
APPROXIMATE = "approximate: sampled features (Nyström), the Gram matrix needs too much memory"


@dataclass
class Results:
    """Collects what the units of a run gave, in the order of the plan.

    Attributes
    ----------
    dataset : str
        Its name.
    stack : CropStack
        The one that the plan's folds point into.
    seed : int
        Of the run.
    units : list[dict[str, Any]]
        A row of units.parquet for each unit so far.
    """

    dataset: str
    stack: "CropStack"
    seed: int
    units: list[dict[str, Any]] = field(default_factory=list)
    _predictions: list["pd.DataFrame"] = field(default_factory=list)
    _trainings: dict[tuple[str, Place], dict[str, Any]] = field(default_factory=dict)
    _history: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        fold: Fold,
        system: System,
        extractor: Extractor,
        features: FeatureRecord,
        result: UnitResult,
    ) -> None:
        """One unit that ran, well or not."""
        meta = result.meta
        for network in features.trained:
            self._add_training(fold, network)
        # A network's own head needs no features of the training crops.
        own_head = system.classifier == SOFTMAX
        extraction = 0.0 if own_head else features.seconds_per_crop * len(fold.train)
        network_seconds = features.network_seconds if features.trained else None
        row = self._row(fold, system, extractor) | {
            "unit": result.key,
            "precision": features.profile.get("precision", ""),
            "status": result.status,
            "notes": _notes(meta, features, system),
            "host": join_hosts([*features.hosts, meta.get("host", "")]),
        }
        if result.score is not None:
            row |= {
                "threshold": meta["threshold"],
                "training_time_s": (network_seconds or 0.0) + extraction + meta["fit_time_s"],
                "network_time_s": network_seconds,
                "extraction_time_s": extraction,
                "gram_time_s": meta["gram_time_s"],
                "fit_time_s": meta["fit_time_s"],
                "iterations": meta.get("iterations"),
                "n_support": meta.get("n_support"),
                "converged": meta.get("converged"),
                **{name: meta.get(name) for name in CHOICE_COLUMNS},
            }
            self._predictions.append(self._predicted(fold, result))
        self.units.append(row)

    def add_answer(
        self,
        answer: Answer,
        fold: Fold,
        extractor: Extractor,
        results: Mapping[System, UnitResult],
    ) -> None:
        """The units of one extractor on one fold; without features each keeps its row."""
        if answer.features is None:
            for system in answer.task.systems:
                self.add_failed(fold, system, extractor, answer.status)
            return
        for system, result in results.items():
            self.add(fold, system, extractor, answer.features, result)

    def add_choice(
        self, fold: Fold, system: System, extractor: Extractor, choice: SelectedSystem
    ) -> None:
        """The row `selected` of one fold: another system's scores, with the time of choosing it."""
        chosen = choice.chosen
        meta = chosen.result.meta
        notes = [RANDOM_AMONG] * ("random" in extractor.weights.split(", ")) + fit_notes(meta)
        notes += [COST_UNKNOWN] * math.isnan(choice.extraction_s)
        self.units.append(
            self._row(fold, system, extractor)
            | {
                "unit": choice.unit,
                "status": "ok",
                "notes": "; ".join(notes),
                "threshold": meta["threshold"],
                "training_time_s": choice.extraction_s + choice.fit_s,
                "extraction_time_s": choice.extraction_s,
                "gram_time_s": choice.gram_s,
                "fit_time_s": choice.fit_s,
                "iterations": meta.get("iterations"),
                "n_support": meta.get("n_support"),
                "converged": meta.get("converged"),
                "inner_auc": chosen.judgement.auc,
                "chosen_extractor": chosen.system.extractor,
                "chosen_classifier": chosen.system.classifier,
                "host": join_hosts(choice.hosts),
            }
        )
        self._predictions.append(self._predicted(fold, replace(chosen.result, key=choice.unit)))

    def add_failed(self, fold: Fold, system: System, extractor: Extractor, status: str) -> None:
        """One unit that could not run: it keeps its row."""
        self.units.append(self._row(fold, system, extractor) | {"status": status})

    def _add_training(self, fold: Fold, network: Trained) -> None:
        """What one training took, and its curve; once, whoever uses its features.

        The folds that reuse one network are of one protocol and repeat: the first stands for them.
        Nor is there a row for a test on an external set, if a fold of the own set has trained it.
        """
        if fold.held_out is not None and any(key == network.key for key, _ in self._trainings):
            return
        place = replace(fold, number=0).place if fold.network is not None else fold.place
        if (network.key, place) in self._trainings:
            return
        row = self._place(fold) | {
            "training": network.key,
            "extractor": network.name,
            "weights": network.weights,
            "recipe": network.recipe.name,
        }
        self._trainings[network.key, place] = row | network.costs
        self._history += [row | epoch for epoch in network.history]

    def _place(self, fold: Fold) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "subset": fold.subset,
            "region": self.stack.settings.region_name,
            "size": self.stack.settings.size,
            "protocol": fold.protocol,
            "train_fraction": fold.train_fraction,
            "seed": self.seed,
            "repeat": fold.repeat,
            "fold": fold.number,
        }

    def _row(self, fold: Fold, system: System, extractor: Extractor) -> dict[str, Any]:
        patients = groups_of(self.stack.table).to_numpy()[fold.test]
        return self._place(fold) | {
            "unit": "",
            "extractor": system.extractor,
            "weights": extractor.weights,
            "recipe": extractor.recipe_name,
            "classifier": system.classifier,
            "C": system.C,
            "scale": system.scale,
            "tuned": system.tuned,
            "n_train": len(fold.train),
            "n_test": len(fold.test),
            "n_test_patients": len(set(patients)),
            "precision": "",
            "notes": "",
        }

    def _predicted(self, fold: Fold, result: UnitResult) -> "pd.DataFrame":
        rows = self.stack.table.iloc[fold.test]
        return rows[["crop_id", "lesion_id", "label"]].assign(
            # What the bootstrap draws: patients who are kept together are not independent.
            patient_id=groups_of(rows),
            unit=result.key,
            repeat=fold.repeat,
            fold=fold.number,
            rotation=rotation_of(self.stack.table)[fold.test],
            score=result.score,
        )

    def unit_table(self) -> "pd.DataFrame":
        """units.parquet: one row a unit."""
        import pandas as pd

        table = pd.DataFrame(self.units, columns=[*UNIT_COLUMNS, *CHOICE_COLUMNS, HOST])
        whole = dict.fromkeys(("iterations", "n_support", "components"), "Int64")
        numbers = (
            *("C", "threshold", "network_time_s", "gram_time_s", "fit_time_s"),
            *CHOICE_COLUMNS[:3],
        )
        real = dict.fromkeys(numbers, "float64")
        return table.astype(whole | real | {"converged": "boolean"})

    def prediction_table(self) -> "pd.DataFrame":
        """predictions.parquet: one row a test crop of one unit."""
        import pandas as pd

        if not self._predictions:
            return pd.DataFrame(columns=list(PREDICTION_COLUMNS)).astype({"score": "float64"})
        return pd.concat(self._predictions, ignore_index=True)[list(PREDICTION_COLUMNS)]

    def training_tables(self) -> "dict[str, pd.DataFrame]":
        """trainings.parquet and history.parquet by name; nothing where no network was trained."""
        import pandas as pd

        if not self._trainings:
            return {}
        trainings = pd.DataFrame(self._trainings.values(), columns=list(TRAINING_COLUMNS))
        optional = dict.fromkeys(
            ("peak_device_bytes", "smallest_gpu_gb", "flops_per_image"), "Int64"
        )
        history = pd.DataFrame(self._history, columns=list(HISTORY_COLUMNS))
        curves = ("localization_loss", "test_loss", "test_accuracy", "inner_loss")
        return {
            "trainings": trainings.astype(optional),
            "history": history.astype(dict.fromkeys(curves, "float64")),
        }

    def failed(self) -> list[tuple[str, str]]:
        """What did not run, with its first reason: an extractor, or single classifiers of it."""
        ran = {row["extractor"] for row in self.units if row["status"] == "ok"}
        reasons: dict[tuple[str, str], list[str]] = {}
        for row in self.units:
            if row["status"] != "ok":
                of_whom = reasons.setdefault((row["extractor"], row["status"]), [])
                of_whom.append(row["classifier"])
        found: dict[str, str] = {}
        for (extractor, reason), classifiers in reasons.items():
            some = f" with {', '.join(dict.fromkeys(classifiers))}" if extractor in ran else ""
            found.setdefault(extractor + some, reason)
        return list(found.items())


def fit_notes(meta: Mapping[str, Any]) -> list[str]:
    """What a fit says of itself."""
    notes = ["not converged"] if meta.get("converged") is False else []
    if meta.get("approximate"):
        notes.append(APPROXIMATE)
    if meta.get("note"):
        notes.append(meta["note"])
    return notes


def _notes(meta: Mapping[str, Any], features: FeatureRecord, system: System) -> str:
    notes = fit_notes(meta)
    inside = {"tuned", "platt", "linear_probe"} & set(system.classifier.split("+"))
    if features.trained and inside:
        notes.append(SEEN_INSIDE)
    return "; ".join([*features.notes, *notes])
