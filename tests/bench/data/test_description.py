"""`dataset.json` at a data root: read, checked, shown; and copies that pass for the original."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from bench.data import Dataset, load_lesions
from bench.data.description import described
from bench.errors import UnusableInput

GIVEN = {
    "name": "A reduced copy",
    "derived_from": "CBIS-DDSM",
    "changed": "scaled to 800 x 800",
    "licence": "CC BY 3.0",
    "citation": "Someone (2017)",
}


def test_it_is_shown(classes: Path) -> None:
    (classes / "dataset.json").write_text(json.dumps(GIVEN))
    dataset = load_lesions(classes)
    assert dataset.title == "A reduced copy (folder)"
    assert (dataset.licence, dataset.citation) == ("CC BY 3.0", "Someone (2017)")
    assert "derived from CBIS-DDSM" in dataset.notices[0]
    assert "published figures do not belong" in dataset.notices[0]
    assert not dataset.published_figures


def test_every_field_may_be_left_out(classes: Path) -> None:
    (classes / "dataset.json").write_text('{"name": "Mine"}')
    named = load_lesions(classes)
    (classes / "dataset.json").unlink()
    plain = load_lesions(classes)
    assert named.notices == plain.notices
    assert named.published_figures
    assert (named.title, plain.title) == ("Mine (folder)", "folder")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[1]", "must hold one object"),
        ('{"name": 3}', "name must be text"),
        ('{"changed": {"a": 1}}', "changed must be text"),
        ('{"citation": "' + "x" * 2000 + '"}', "characters, more than"),
        (" " * 70_000, "bytes, more than"),
    ],
)
def test_a_bad_one_is_refused_in_one_line(classes: Path, text: str, reason: str) -> None:
    (classes / "dataset.json").write_text(text)
    with pytest.raises(UnusableInput, match=reason) as caught:
        load_lesions(classes)
    assert len(str(caught.value).splitlines()) == 1
    assert "dataset.json" in str(caught.value)


def with_films(classes: Path, shape: Callable[[int], tuple[int, int]]) -> Dataset:
    from dataclasses import replace

    dataset = load_lesions(classes)
    paths = [f"film{number}.png" for number in range(len(dataset.table))]
    for number, path in enumerate(paths):
        Image.new("L", shape(number)).save(classes / path)
    return replace(dataset, name="cbis-ddsm", table=dataset.table.assign(film_path=paths))


def test_square_mammograms_of_one_size_are_called_resampled(classes: Path) -> None:
    dataset = described(with_films(classes, lambda _: (80, 80)))
    assert "resampled" in dataset.notices[0]
    assert not dataset.published_figures
    for shape in (lambda _: (80, 70), lambda number: (80 + number, 80 + number)):
        found = described(with_films(classes, shape))
        assert found.published_figures
        assert not any("resampled" in notice for notice in found.notices)
