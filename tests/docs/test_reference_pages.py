"""What is written of tables, keys and messages is written of all, and of none that is gone."""

import ast
import json
import re
from pathlib import Path

import pytest

from reports.systems.schema import EXTRACTOR_FACTS
from reports.tables.every_table import TABLES

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bench", "classifiers", "extractors", "reports")
# Of the operating system, or put together from two places.
NOT_IN_THE_CODE = {"No space left on device", "is unknown; did you mean"}


def test_every_table_and_column_is_told(site) -> None:
    pages = site("filled_from_tables")
    told = pages.known()
    names = {table.name for table in TABLES}
    assert set(told["tables"]) == names
    assert names <= set(told["says"])
    used = {"unit_key"}
    for kind in ("tables", "run_files"):
        for table, entries in told[kind].items():
            for column in pages.columns(entries):
                assert pages.meaning(column, table)
                used.add(column)
    parts = (*pages._PARTS, "_difference", "_drop")
    wholes = {re.sub("|".join(f"{one}$" for one in parts), "", name) for name in used}
    wholes |= {re.sub("^(published|measured|twin|internal)_", "", name) for name in wholes}
    assert set(told["columns"]) <= used | wholes


def test_every_key_of_the_manifests_of_the_results_is_told(site) -> None:
    pages = site("filled_from_tables")
    patterns = pages.manifest_keys()
    files = sorted((ROOT / "docs/results").rglob("manifest.json"))
    assert files
    for file in files:
        for key in pages.keys_of(json.loads(file.read_text("utf-8"))):
            assert any(re.fullmatch(one, key) for one in patterns), (file, key)


def test_every_key_that_a_run_writes_is_told(site) -> None:
    patterns = site("filled_from_tables").manifest_keys()
    told = {re.split(r"\\[.\[]", one)[0] for one in patterns}
    code = ast.parse((ROOT / "bench/record/manifest.py").read_text("utf-8"))
    first = next(
        node.value
        for function in code.body
        if isinstance(function, ast.FunctionDef) and function.name == "make_manifest"
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict)
    )
    written = {key.value for key in first.keys if isinstance(key, ast.Constant)}
    assert len(written) > 10
    assert not written - told


def test_every_fact_of_an_extractor_is_told(site) -> None:
    patterns = site("filled_from_tables").manifest_keys()
    for fact in EXTRACTOR_FACTS:
        assert any(re.fullmatch(one, f"extractors[].{fact}") for one in patterns), fact


def test_a_column_that_nothing_is_written_of_is_named(site) -> None:
    pages = site("filled_from_tables")
    with pytest.raises(KeyError, match="no_such_column"):
        pages.meaning("no_such_column", "summary")


def test_every_message_has_its_area(site) -> None:
    pages = site("filled_from_code")
    raised = list(pages._raised())
    assert len(raised) > 200
    text = pages.messages()
    missing = {file for file, message in raised if f"`{message}`" not in text}
    assert not missing


def test_messages_with_a_remedy_are_in_the_code() -> None:
    page = (ROOT / "docs/errors.md").read_text("utf-8")
    table = page.split("## Commands that end with a line")[1].split("\n## ")[0]
    told = set(re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)) - NOT_IN_THE_CODE
    assert len(told) > 4
    code = " ".join(
        file.read_text("utf-8") for name in PACKAGES for file in (ROOT / name).rglob("*.py")
    )
    # A long message is several pieces of text, one a line; what is put in is a name in braces.
    joined = re.sub(r"\"\s*f?\"", "", code)
    joined = re.sub(r"\{[^{}]*\}", "package", joined)
    assert not {one for one in told if one not in joined}


def test_every_public_name_has_its_page(site) -> None:
    pages = site("filled_from_code")
    for package in pages.PACKAGES:
        text = pages.names(package)()
        for name, module in pages._homes(package).items():
            assert f"::: {module}.{name}" in text


def test_every_command_and_option_is_on_its_page(site) -> None:
    from bench.planning.config import Configuration

    pages = site("filled_from_options")
    commands, keys = pages.commands(), pages.keys()
    for name in Configuration.model_fields:
        option = name.replace("_", "-")
        assert f"--{option}" in commands
        assert f"| `{option}` |" in keys
    for name in ("all", "data info", "cache prune", "plugin check", "weights download"):
        assert f"## bench {name}\n" in commands
