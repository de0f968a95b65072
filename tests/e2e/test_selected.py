"""The row `selected` from the command line to the tables: whose scores it has, of whom it tells."""

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bench.data import write_phantom


@pytest.fixture
def cases(tmp_path):
    """Patients enough for inner folds inside the training rows of a fold."""
    write_phantom(tmp_path / "cases", patients=60, seed=2)
    return tmp_path / "cases"


def test_the_row_selected_has_the_scores_of_what_it_chose(bench, cases, plugin, tmp_path):
    ended = bench(
        "all", "--data", cases, "--plugin", plugin, "--out", tmp_path / "run", "--subset", "mass",
        "--extractors", "tiny-a,selected,tiny-b", "--classifiers", "linear,cubic,cubic+tuned,knn",
        "--protocols", "official,patient-cv,image-cv",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    units = pd.read_parquet(tmp_path / "run" / "units.parquet")
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet").set_index("unit")
    rows = units[units["extractor"] == "selected"]
    assert sorted(rows["protocol"]) == ["official"] + ["patient-cv"] * 5
    for row in rows.to_dict("records"):
        fold = units[(units["protocol"] == row["protocol"]) & (units["fold"] == row["fold"])]
        judged = fold[
            fold["inner_auc"].notna() & fold["chosen_C"].isna() & (fold["extractor"] != "selected")
        ]
        assert set(judged["classifier"]) == {"linear", "cubic"}
        best = judged.loc[judged["inner_auc"].idxmax()]
        assert (row["chosen_extractor"], row["chosen_classifier"]) == (
            best["extractor"],
            best["classifier"],
        )
        own, others = predictions.loc[row["unit"]], predictions.loc[best["unit"]]
        assert list(own["score"]) == list(others["score"])
    official = rows[rows["protocol"] == "official"].iloc[0]
    scores = predictions.loc[official["unit"]]
    summary = pd.read_csv(tmp_path / "run" / "tables" / "summary.csv")
    shown = summary[(summary["extractor"] == "selected") & (summary["protocol"] == "official")]
    assert abs(shown["auc"].iloc[0] - roc_auc_score(scores["label"], scores["score"])) < 1e-6
    candidates = pd.read_csv(tmp_path / "run" / "tables" / "candidates.csv")
    assert len(candidates) == 2 * 2 * 2
    counted = candidates.groupby("protocol")["folds_chosen"].sum().to_dict()
    assert counted == {"official": 1, "patient-cv": 5}
    ranked = pd.read_csv(tmp_path / "run" / "tables" / "ranks.csv")
    assert "selected" not in set(ranked["extractor"])
