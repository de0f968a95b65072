"""Run folders with made-up scores: hostile names, a failure, random weights, folds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports import build_report
from reports.schema import PREDICTION_COLUMNS, UNIT_COLUMNS

HOSTILE = ("<script>alert(1)</script>", "=1+1", "a_b%&$x$")
KERNELS = ("linear", "medium_gaussian")
# A PNG of one grey pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    """`write_run`, for tests that need a run folder of another kind."""
    return write_run


@pytest.fixture(scope="session")
def made_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder without a report. Read only: copy it to change it."""
    return write_run(tmp_path_factory.mktemp("made") / "run")


@pytest.fixture(scope="session")
def reported_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run folder with its report. Read only."""
    folder = write_run(tmp_path_factory.mktemp("reported") / "run")
    build_report(folder)
    return folder


def identity(subset: str, protocol: str, extractor: str, classifier: str) -> dict[str, Any]:
    return {
        "dataset": "cbis-ddsm",
        "subset": subset,
        "region": "crop",
        "size": 256,
        "protocol": protocol,
        "extractor": extractor,
        "weights": "random" if extractor.startswith("random:") else "imagenet",
        "recipe": "frozen",
        "classifier": classifier,
        "C": 1.0,
        "scale": "auto",
        "tuned": False,
        "train_fraction": 1.0,
        "seed": 0,
    }


def crops(subset: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Test crops: two views a lesion, one to three lesions a patient, 40 % malignant."""
    lesion = np.arange(n) // 2
    patient = np.sort(rng.integers(0, max(n // 4, 2), n // 2 + 1))[lesion]
    table = pd.DataFrame(
        {
            "crop_id": [f"{subset}-{i:04d}" for i in range(n)],
            "lesion_id": [f"{subset}-L{i:04d}" for i in lesion],
            "patient_id": [f"P_{i:05d}" for i in patient],
            "subset": subset,
            "label": (rng.random(n // 2 + 1) < 0.4).astype(int)[lesion],
            "split": "test",
        }
    )
    return table.assign(
        pathology=table["label"].map({0: "BENIGN", 1: "MALIGNANT"}),
        view=np.where(np.arange(n) % 2, "MLO", "CC"),
        density=1 + lesion % 4,
        crop_height=100 + 7 * np.arange(n),
        crop_width=120 + 5 * np.arange(n),
    )


def write_run(
    folder: Path,
    extractors: tuple[str, ...] = ("timm:vit_small_patch16_224", "random:resnet18", *HOSTILE),
    classifiers: tuple[str, ...] = KERNELS,
    subsets: tuple[str, ...] = ("mass", "calc"),
    protocols: tuple[tuple[str, int, int], ...] = (("official", 1, 1), ("patient-cv", 3, 5)),
    n: int = 60,
    failed: str | None = "timm:swin_tiny",
    synthetic: bool = True,
) -> Path:
    """A whole run folder. protocols : (name, repeats, folds)."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    tables = {subset: crops(subset, n, rng) for subset in subsets}
    units: list[dict[str, Any]] = []
    predictions: list[pd.DataFrame] = []
    for subset, test in tables.items():
        for protocol, repeats, folds in protocols:
            for extractor in (*extractors, *([failed] if failed else [])):
                for classifier in classifiers:
                    system = identity(subset, protocol, extractor, classifier)
                    for repeat in range(repeats):
                        fold_of = rng.permutation(test["patient_id"].nunique()) % folds
                        _, codes = np.unique(test["patient_id"], return_inverse=True)
                        for fold in range(folds):
                            rows = test[fold_of[codes] == fold]
                            unit = _unit(system, repeat, fold, rows, n, extractor == failed)
                            units.append(unit)
                            if extractor != failed:
                                predictions.append(_predictions(unit, rows, rng))
    _table(units, UNIT_COLUMNS).to_parquet(folder / "units.parquet")
    scores = pd.concat(predictions, ignore_index=True)[list(PREDICTION_COLUMNS)]
    scores.to_parquet(folder / "predictions.parquet")
    pd.concat(tables.values(), ignore_index=True).to_parquet(folder / "lesions.parquet")
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images" / "one.png").write_bytes(PIXEL)
    slope = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    Image.fromarray(slope).save(folder / "images" / "patches.png")
    everything = (*extractors, *([failed] if failed else []))
    manifest = _manifest(everything, failed, tables, units, synthetic)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _unit(
    system: dict[str, Any], repeat: int, fold: int, rows: pd.DataFrame, n: int, failed: bool
) -> dict[str, Any]:
    key = "/".join(map(str, [*system.values(), repeat, fold]))
    made = {**system, "unit": key, "repeat": repeat, "fold": fold, "n_train": 4 * n}
    made |= {"n_test": len(rows), "n_test_patients": rows["patient_id"].nunique()}
    if failed:
        return made | {"status": "weights not at hand: python -m bench doctor", "notes": ""}
    cost = 1 + (sum(map(ord, system["extractor"])) % 37) ** 2 / 10
    return made | {
        "threshold": 0.1 * fold,
        "training_time_s": cost + 0.1 * len(system["classifier"]),
        "extraction_time_s": cost,
        "gram_time_s": 0.01,
        "fit_time_s": 0.02,
        "iterations": 1000,
        "n_support": 90,
        "converged": fold != 1,
        "precision": "float32",
        "status": "ok",
        "notes": "not converged" if fold == 1 else "",
    }


def _predictions(
    unit: dict[str, Any], rows: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    scores = rows[["crop_id", "lesion_id", "patient_id", "label"]].copy()
    skill = 0.3 + (sum(map(ord, unit["extractor"])) % 10) / 8
    # Scores to one decimal, so that there are ties.
    score = skill * scores["label"] + unit["threshold"] + rng.normal(-0.2, 1, len(rows))
    scores["score"] = score.round(1)
    for name in ("unit", "repeat", "fold"):
        scores[name] = unit[name]
    scores["rotation"] = 0
    return scores


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame([{name: row.get(name) for name in columns} for row in rows])


def _manifest(
    extractors: tuple[str, ...],
    failed: str | None,
    tables: dict[str, pd.DataFrame],
    units: list[dict[str, Any]],
    synthetic: bool,
) -> dict[str, Any]:
    counts = [
        {
            "subset": subset,
            "split": split,
            "label": label,
            "crops": int((table["label"] == positive).sum()) * factor,
            "lesions": table.loc[table["label"] == positive, "lesion_id"].nunique() * factor,
            "patients": table.loc[table["label"] == positive, "patient_id"].nunique() * factor,
        }
        for subset, table in tables.items()
        for split, factor in (("train", 4), ("test", 1))
        for label, positive in (("benign", 0), ("malignant", 1))
    ]
    return {
        "schema": 1,
        "suite": {"name": "vit-svm-bench", "version": "0.1.0"},
        "run": {
            "name": "phantom-quick",
            "created": "2026-01-02T03:04:05+00:00",
            "command": "python -m bench all --preset quick",
        },
        "configuration": {"preset": "quick", "seed": 0, "subset": list(tables), "tune": False},
        "data": {
            "dataset": "phantom",
            "fingerprint": "3f" * 32,
            "synthetic": synthetic,
            "licence": "CC0-1.0",
            "citation": "Nobody (2026). A phantom <of> lesions & more.",
            "notices": ["31 patients are in both splits."],
            "subsets": {name: {"positive": "malignant", "negative": "benign"} for name in tables},
            "counts": counts,
            "thumbnails": [
                {
                    "file": "images/one.png",
                    "crop_id": "mass-0001",
                    "label": "benign",
                    "subset": "mass",
                }
            ],
            "patches": {
                "file": "images/patches.png",
                "crop_id": "mass-0002",
                "subset": "mass",
                "label": "benign",
                "input": 224,
                "patch": 16,
            },
            "source_tables": [
                {"table": "mass train", "rows": 1318, "BENIGN_<&>": 681, "patients": 691},
                {"table": "mass test", "rows": 378, "BENIGN_<&>": 231, "images": 361},
            ],
            "overlaps": [{"first": "mass train", "second": "calc test", "patients": 13}],
            "conflicts": [{"lesion_id": "mass-L0001", "CC": "BENIGN", "=MLO": "MALIGNANT"}],
        },
        "environment": {
            "python": "3.13.1",
            "platform": "Linux",
            "device": "cpu",
            "device_name": "",
            "cpu": "a processor",
            "threads": 2,
            "packages": {"numpy": "2.4.6", "torch": "2.15.0"},
        },
        "extractors": [
            {
                "name": name,
                "weights": "random" if name.startswith("random:") else "imagenet",
                "weights_digest": "ab" * 8,
                "precision": "float32",
                "feature_width": 384,
                "input": "224x224",
                "parameters": 22_050_664,
                "images_per_s": 31.4159265,
                "extraction_s": 12.5,
                "min_cosine": 0.999998,
                "status": "weights not at hand: python -m bench doctor" if name == failed else "ok",
                "notes": "",
            }
            for name in extractors
        ],
        "left_out": [
            {"crop_id": "mass-9999", "path": "crops/<b>.dcm", "reason": "file is missing"}
        ],
        "notices": ["4 extractors run with random weights."],
        "not_run": [
            {
                "what": "the leakage audit on all networks",
                "command": "python -m bench all --preset full",
            }
        ],
        "units": [{"unit": unit["unit"], "state": unit["status"]} for unit in units],
    }
