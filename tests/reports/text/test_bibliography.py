"""The bibliography is a file that is read, and every entry of it is cited for something."""

import pytest

from reports.text import bibliography as cited
from reports.text.bibliography import bibliography, read_bibtex

ENTRY = "@misc{a2020,\n  author = {A},\n  title = {{T}},\n}\n"


def test_every_key_has_an_entry_and_every_entry_is_cited() -> None:
    several = (*cited.DATA_SETS.values(), *cited.STATISTICS.values(), cited.SVM, cited.SALIENCY)
    keys = [
        *(key for group in several for key in group),
        *(key for group in (cited.NETWORKS, cited.LIBRARIES) for key in group.values()),
        cited.IMAGENET,
        cited.LOCALIZATION,
    ]
    # One paper may stand behind two statistics.
    assert sorted(set(keys)) == sorted(bibliography())
    for reference in bibliography().values():
        assert reference.bibtex.count("{") == reference.bibtex.count("}"), reference.key


def test_an_entry_is_kept_as_it_stands() -> None:
    found = read_bibtex(f"% a comment\n\n{ENTRY}\n{ENTRY.replace('a2020', 'b2021')}")
    assert list(found) == ["a2020", "b2021"]
    assert found["a2020"].bibtex == ENTRY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY.replace("},\n}", "}\n}"), "not an entry"),
        (ENTRY[:-3], "not an entry"),
        ("author = {B},\n" + ENTRY, "not an entry"),
        (ENTRY + "\n" + ENTRY, "more than one entry for a2020"),
    ],
)
def test_what_is_no_entry_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_bibtex(text)
