"""Headings are for people, names of columns for programs."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from reports.page.page import breakable
from reports.tables.every_table import TABLES
from reports.tables.formats import to_latex
from reports.tables.headings import heading
from reports.tables.run_facts import CONFLICTS_TABLE


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        ("trainings", "peak_host_gib", "peak host memory (GiB)"),
        ("summary", "n_train", "training crops"),
        ("summary", "auc_ci_low", "AUC, interval, low"),
        ("published", "published_training_time_s", "training (s), published"),
        ("source_tables", "images", "full mammograms"),
        ("source_tables", "BENIGN_WITHOUT_CALLBACK", "benign without callback"),
        ("conflicts", "MLO", "MLO"),
    ],
)
def test_a_column_is_called_by_words_and_units(table: str, column: str, said: str) -> None:
    (declared,) = (one for one in TABLES if one.name == table)
    assert heading(column, declared.headings) == said


def test_print_has_the_headings_of_the_page_and_the_csv_the_columns(trained_run: Path) -> None:
    page = (trained_run / "report.html").read_text()
    found = re.search(r'<script id="data-of-page"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found
    tables = json.loads(found[1])["tables"].values()
    shown = {title for table in tables for title, _ in table["columns"]}
    assert "Peak host memory (GiB)" in shown
    assert [text for text in shown if re.search(r"_|\bn \w|gib\b|gb\b| s$(?<!per s)", text)] == []
    assert r"peak host memory (GiB)" in (trained_run / "tables" / "trainings.tex").read_text()
    assert "peak_host_gib" in (trained_run / "tables" / "trainings.csv").read_text()


def test_a_heading_from_the_data_is_escaped_in_print() -> None:
    assert r"a\&b" in to_latex(CONFLICTS_TABLE, pd.DataFrame({"lesion_id": ["x"], "a&b": ["y"]}))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("torchvision:alexnet+finetuned", ["torchvision:", "alexnet+", "finetuned"]),
        ("timm:vit_small_patch16_224", ["timm:", "vit_", "small_", "patch16_", "224"]),
        ("0.812 ± 0.010 [-0.032, 0.438]", ["0.812 ± 0.010 [-0.032, 0.438]"]),
        ("cnn_baseline", ["cnn_baseline"]),
    ],
)
def test_a_name_breaks_after_the_signs_that_join_its_parts(text: str, pieces: list[str]) -> None:
    assert str(breakable(text)).split("<wbr>") == pieces


def test_what_is_breakable_is_escaped() -> None:
    assert breakable("fusion:<b>&a_name:alexnet") == (
        "fusion:&lt;b&gt;&amp;a_<wbr>name:<wbr>alexnet"
    )
