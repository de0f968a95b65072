"""What is published of the package: versions agree, and everything that is no module goes along."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bench", "classifiers", "extractors", "reports")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_says_that_it_is_typed_and_takes_its_files_along() -> None:
    carried = PROJECT["tool"]["setuptools"]["package-data"]
    for name in PACKAGES:
        assert (ROOT / name / "py.typed").is_file()
        found = {file for pattern in carried[name] for file in (ROOT / name).glob(pattern)}
        others = {
            file
            for file in (ROOT / name).rglob("*")
            if file.is_file() and file.suffix not in (".py", ".pyc")
        }
        assert others == found


def test_the_version_is_one() -> None:
    version = PROJECT["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.M) == [version]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## ([\d.]+)", changes, re.M)[0] == version


def test_authors_and_licence_agree_with_the_citation() -> None:
    (author,) = PROJECT["project"]["authors"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"name: {author['name']}" in citation
    assert f"license: {PROJECT['project']['license']}" in citation


def test_each_dependency_has_a_lower_bound() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(one for extra in extras for one in extra)]
    assert [one for one in wanted if not re.fullmatch(r"[\w-]+>=[\d.]+", one)] == []
