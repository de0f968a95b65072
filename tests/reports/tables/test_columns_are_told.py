"""docs/site/columns.toml has every column of the tables that a report writes."""

import csv
import tomllib
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_each_column_of_each_table(reported_run: Path) -> None:
    told = tomllib.loads((ROOT / "docs/site/columns.toml").read_text("utf-8"))["tables"]
    for file in sorted((reported_run / "tables").glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as lines:
            columns = set(next(csv.reader(lines)))
        known: set[str] = set()
        for entry in told[file.stem]:
            module, colon, name = entry.partition(":")
            known |= set(getattr(import_module(module), name)) if colon else {entry}
        if not any(name.isupper() and len(name) > 1 for name in known):
            assert columns <= known | {"audit"}, file.stem
