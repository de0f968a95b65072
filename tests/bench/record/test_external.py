"""What a run folder says of external sets."""

from types import SimpleNamespace

import pandas as pd

from bench.data.lesions import Dataset, SubsetInfo
from bench.data.sources import FolderSource
from bench.record.external import external_lesions


def lesions(**columns):
    told = {
        "crop_id": ["a", "b"],
        "lesion_id": ["a", "b"],
        "patient_id": ["p", "q"],
        "subset": "mass",
        "label": [0, 1],
    }
    return pd.DataFrame(told | columns)


def test_sets_with_numbers_and_with_words_are_kept_in_one_table(tmp_path):
    tables = {
        "numbers": lesions(density=pd.array([1, None], dtype="Int64"), radius=[1.5, 2.5]),
        "words": lesions(density=["a", "4a"]),
    }
    info = {"mass": SubsetInfo(("mass",))}
    sets = {
        name: Dataset("made", FolderSource(tmp_path), table, pd.DataFrame(), info)
        for name, table in tables.items()
    }
    job = SimpleNamespace(
        externals=[SimpleNamespace(name=name, dataset=one) for name, one in sets.items()]
    )
    stacks = SimpleNamespace(
        others={name: SimpleNamespace(table=table) for name, table in tables.items()}
    )
    external_lesions(job, stacks).to_parquet(tmp_path / "external.parquet")
    kept = pd.read_parquet(tmp_path / "external.parquet")
    assert kept["density"].isna().tolist() == [False, True, False, False]
    assert kept["density"].dropna().tolist() == ["1", "a", "4a"]
    assert kept["radius"].dropna().tolist() == [1.5, 2.5]
    assert kept["crop_id"].tolist() == ["numbers:a", "numbers:b", "words:a", "words:b"]
    assert "person" not in kept
