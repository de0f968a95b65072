"""The font of the figures made lean, because cutting the whole one down took a third of a report.

Every PDF carries the letters that it uses (TrueType, as publishers ask), cut from a font file. From
matplotlib's own DejaVu Sans that takes 70 ms a figure, most of it for layout rules and hinting;
from a file without them, and with the letters of a few scripts only, 14 ms.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

SANS = "DejaVu Sans"
_LEAN_NAME = "DejaVu Sans, lean"
# Latin, Greek, Cyrillic; punctuation, sub- and superscripts, currencies, arrows, operators.
_LETTERS = (*range(0x20, 0x7F), *range(0xA0, 0x250), *range(0x370, 0x530), *range(0x2000, 0x2300))
_LAYOUT_TABLES = ("GSUB", "GPOS", "GDEF", "MATH", "FFTM")
# In a font's table of names: family, full name, typographic family.
_FAMILY_NAMES = (1, 4, 16)


class _Lean(NamedTuple):
    letters: frozenset[str]
    # Removes the files when the process ends, not before: they are read at every figure.
    folder: "TemporaryDirectory[str]"


def families(text: Iterable[str]) -> list[str]:
    """Names of fonts, best first, for a figure with these letters: the lean one if it has all."""
    return [_LEAN_NAME, SANS] if _lean().letters.issuperset(text) else [SANS]


@cache
def _lean() -> _Lean:
    """Makes the font, upright and bold, once a process, and registers it with matplotlib."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager

    folder = TemporaryDirectory(prefix="report-fonts-", ignore_cleanup_errors=True)
    known = []
    for weight in ("normal", "bold"):
        whole = findfont(FontProperties(family=SANS, weight=weight))
        path = Path(folder.name) / f"{weight}.ttf"
        known.append(_cut_down(whole, path))
        fontManager.addfont(path)
    return _Lean(frozenset.intersection(*known), folder)


def _cut_down(whole: Any, path: Path) -> frozenset[str]:
    """Writes the lean copy of a font file under another name; returns its letters."""
    from fontTools.subset import Options, Subsetter, load_font, save_font

    options = Options(hinting=False, legacy_kern=True, name_IDs=["*"])
    options.drop_tables += _LAYOUT_TABLES
    with load_font(str(whole), options) as font:
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=_LETTERS)
        subsetter.subset(font)
        for record in list(font["name"].names):
            if record.nameID in _FAMILY_NAMES:
                font["name"].setName(
                    _LEAN_NAME, record.nameID, record.platformID, record.platEncID, record.langID
                )
        letters = frozenset(map(chr, font.getBestCmap()))
        save_font(font, str(path), options)
    return letters
