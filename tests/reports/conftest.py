"""Run folders with made-up scores: hostile names, a failure, random weights, folds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.planning.protocols import manifest_rows
from reports import build_report
from reports.systems.schema import (
    HISTORY_COLUMNS,
    MANIFEST_SCHEMA,
    PREDICTION_COLUMNS,
    RECIPE_COLUMNS,
    TRAINING_COLUMNS,
    UNIT_COLUMNS,
)

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
def make_trained_run() -> Callable[..., Path]:
    """`write_trained_run`, for tests that need networks that trained."""
    return write_trained_run


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with its report, with networks that trained and parts of the patients."""
    folder = write_trained_run(tmp_path_factory.mktemp("trained") / "run", fractions=(0.25, 1.0))
    build_report(folder)
    return folder


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


_TRANSFORMERS = ("vit", "deit", "swin", "cct", "t2t")


def extractor_facts(name: str) -> dict[str, Any]:
    """What a manifest says that an extractor is, for the names that these tests make up."""
    if name.startswith("fusion:"):
        made = [extractor_facts(part) for part in name.removeprefix("fusion:").split("+")]
        joined = {
            fact: ", ".join(dict.fromkeys(part[fact] for part in made))
            for fact in ("weights", "origin", "training", "family")
        }
        return {"name": name, "role": "fusion", "network": name, "parts": made, **joined}
    if name == "selected":
        return {"name": name, "role": "selection", "origin": "pretrained"}
    if name == "none" or name.startswith(("shortcut:", "reader:")):
        return {"name": name, "role": "reference point"}
    network, _, step = name.partition("+")
    drawn = network.startswith("random:")
    architecture = network.removeprefix("random:").partition("@")[0].partition(".")[0]
    transformer = any(word in architecture for word in _TRANSFORMERS)
    return {
        "name": name,
        "role": "network",
        "weights": "random" if drawn else "imagenet",
        "origin": "random" if drawn else "pretrained",
        "training": "frozen",
        "family": "transformer" if transformer else "CNN",
        "library": architecture.partition(":")[0],
        "architecture": architecture,
        "network": network,
        "steps": [step] if step else [],
        "small_data": False,
        "localized": step.startswith("drloc"),
    }


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
    manifest["protocols"] = manifest_rows(name for name, _, _ in protocols)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


FROZEN = ("torchvision:alexnet", "timm:vit_tiny_patch16_224")
TRAINED = ("cnn_baseline", "torchvision:alexnet+finetuned", "<b>a_net</b>+drloc")


def write_trained_run(
    folder: Path,
    frozen: tuple[str, ...] = FROZEN,
    trained: tuple[str, ...] = TRAINED,
    classifiers: tuple[str, ...] = KERNELS,
    subsets: tuple[str, ...] = ("mass",),
    protocols: tuple[tuple[str, int, int], ...] = (("official", 2, 1), ("patient-cv", 1, 3)),
    fractions: tuple[float, ...] = (1.0,),
    epochs: int = 4,
) -> Path:
    """A run folder with frozen and trained extractors; those have their own head besides."""
    names = (*frozen, *trained)
    write_run(folder, names, (*classifiers, "softmax"), subsets, protocols, failed=None)
    units = pd.read_parquet(folder / "units.parquet")
    scores = pd.read_parquet(folder / "predictions.parquet")
    units = units[units["extractor"].isin(trained) | (units["classifier"] != "softmax")].copy()
    networks = units["extractor"].isin(trained)
    units.loc[networks, "recipe"] = "quick"
    scratch = networks & ~units["extractor"].str.contains("finetuned")
    units.loc[scratch, "weights"] = "scratch"
    units.loc[networks, "network_time_s"] = 100.0
    units["network_time_s"] = units["network_time_s"].astype("float64")
    parts = [_share(units, scores, fraction) for fraction in fractions]
    units = pd.concat([part[0] for part in parts], ignore_index=True)
    scores = pd.concat([part[1] for part in parts], ignore_index=True)
    units.to_parquet(folder / "units.parquet")
    scores.to_parquet(folder / "predictions.parquet")
    own = units[units["extractor"].isin(trained) & (units["classifier"] == "softmax")]
    trainings = [_training(row, place) for place, row in enumerate(own.to_dict("records"))]
    _table(trainings, TRAINING_COLUMNS).to_parquet(folder / "trainings.parquet")
    history = [row for training in trainings for row in _history(training, epochs)]
    _table(history, HISTORY_COLUMNS).to_parquet(folder / "history.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["recipes"] = [_recipe(name, epochs) for name in trained]
    for row in manifest["extractors"]:
        if row["name"] not in trained:
            continue
        if "finetuned" in row["name"]:
            row["training"] = "fine-tuned"
        else:
            row |= {"training": "from scratch", "origin": "scratch", "weights": "scratch"}
            row["small_data"] = row["name"] != "cnn_baseline"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _share(
    units: pd.DataFrame, scores: pd.DataFrame, fraction: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same units on a share of the training patients, with scores that are a little worse."""
    units, scores = units.copy(), scores[scores["unit"].isin(units["unit"])].copy()
    noise = np.random.default_rng(int(100 * fraction)).normal(0, 1 - fraction, len(scores))
    scores["score"] = (scores["score"] + noise).round(1)
    scores["unit"] = scores["unit"] + f"/{fraction}"
    units["unit"] = units["unit"] + f"/{fraction}"
    units["train_fraction"] = fraction
    units["n_train"] = (units["n_train"] * fraction).astype(int)
    return units, scores


def _training(unit: dict[str, Any], place: int) -> dict[str, Any]:
    """The training behind a unit; each takes a little longer and more memory than the last."""
    told = {name: unit.get(name) for name in TRAINING_COLUMNS if name in unit}
    return told | {
        "training": f"key-{place}",
        "epochs": 4,
        "kept_epoch": 2 + place % 3,
        "input": "256x256",
        "batch_size": 32,
        "accumulation": 1 if place % 2 else 2,
        "parameters": 3_927_618,
        "trainable_parameters": 3_927_618,
        "flops_per_image": 1.5e9,
        "network_time_s": 100.0 + place,
        "images_per_s": 50.0,
        "peak_host_bytes": (place + 1) * 2**30,
        "smallest_gpu_gb": 4 if place < 3 else 8,
        "gpu_estimated": True,
        "precision": "bfloat16",
        "device": "cpu",
        "notes": "" if place % 2 else "batch of 32 in parts of 16",
    }


def _history(training: dict[str, Any], epochs: int) -> list[dict[str, Any]]:
    told = {name: training.get(name) for name in HISTORY_COLUMNS if name in training}
    slow = 1 + sum(map(ord, training["training"])) % 5 / 10
    return [
        told
        | {
            "epoch": epoch,
            "learning_rate": 1e-3,
            "train_loss": slow / epoch,
            "train_accuracy": 1 - 0.4 * slow / epoch,
            "test_loss": 0.5 + slow / epoch,
            "test_accuracy": 0.7 - 0.2 / epoch,
        }
        for epoch in range(1, epochs + 1)
    ]


def _recipe(name: str, epochs: int) -> dict[str, Any]:
    told = dict.fromkeys(RECIPE_COLUMNS) | {"extractor": name, "recipe": "quick", "epochs": epochs}
    return told | {
        "batch_size": 32,
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "decayed": "all",
        "schedule": "cosine",
        "warmup_epochs": 1,
        "label_smoothing": 0.0,
        "augmentation": "flip, rotation 0.02",
        "localization": "paper, weight 0.1" if name.endswith("drloc") else "",
        "layers": "all",
        "inner_validation": 0.0,
    }


def _unit(
    system: dict[str, Any], repeat: int, fold: int, rows: pd.DataFrame, n: int, failed: bool
) -> dict[str, Any]:
    key = "/".join(map(str, [*system.values(), repeat, fold]))
    made = {**system, "unit": key, "repeat": repeat, "fold": fold, "n_train": 4 * n}
    made |= {"n_test": len(rows), "n_test_patients": rows["patient_id"].nunique()}
    if failed:
        return made | {"status": "weights not cached: python -m bench doctor", "notes": ""}
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
        "schema": MANIFEST_SCHEMA,
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
            "organ": "breast",
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
            extractor_facts(name)
            | {
                "weights_digest": "ab" * 8,
                "precision": "float32",
                "feature_width": 384,
                "input": "224x224",
                "parameters": 22_050_664,
                "images_per_s": 31.4159265,
                "extraction_s": 12.5,
                "min_cosine": 0.999998,
                "status": "weights not cached: python -m bench doctor" if name == failed else "ok",
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
                "topic": "audit",
                "command": "python -m bench all --preset full",
            }
        ],
        "units": [{"unit": unit["unit"], "state": unit["status"]} for unit in units],
    }
