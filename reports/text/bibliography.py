"""The papers that a report can cite, read from references.bib, and what each is cited for."""

import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

# Name of a data set -> the keys of its papers.
DATA_SETS = {
    "cbis-ddsm": ("lee2017curated",),
    "mias": ("suckling1994mias",),
    "inbreast": ("moreira2012inbreast",),
    "vindr": ("nguyen2023vindr",),
    "cmmd": ("cui2021cmmd",),
    "rsna": ("carr2022rsna",),
    "busi": ("aldhabyani2020dataset",),
}

# What the name of a library's architecture contains -> the key of that network's paper.
NETWORKS = {
    r"alexnet": "krizhevsky2014weird",
    r"googlenet": "szegedy2015going",
    r"resnet": "he2016deep",
    r"(^|:)vit_|thesis_vit": "dosovitskiy2021image",
    r"deit": "touvron2021training",
    r"swin": "liu2021swin",
    r"convnext": "liu2022convnet",
    r"dinov2": "oquab2024dinov2",
    r"efficientnet": "tan2019efficientnet",
    r"cvt_": "wu2021cvt",
    r"t2t_vit": "yuan2021tokens",
    r"cct_": "hassani2021escaping",
    r"spt_lsa": "lee2021vision",
}

# The dense relative localization loss.
LOCALIZATION = "liu2021efficient"

IMAGENET = "russakovsky2015imagenet"

SVM = ("cortes1995support", "chang2011libsvm")

# Distribution -> the key of its paper.
LIBRARIES = {
    "torch": "paszke2019pytorch",
    "timm": "wightman2019timm",
    "torchvision": "torchvision2016",
    "scikit-learn": "pedregosa2011scikit",
    "numpy": "harris2020array",
    "scipy": "virtanen2020scipy",
    "pandas": "mckinney2010data",
    "statsmodels": "seabold2010statsmodels",
    "kornia": "riba2020kornia",
    "matplotlib": "hunter2007matplotlib",
    "seaborn": "waskom2021seaborn",
}

# What a statistic is called in a methods text -> the keys of its papers.
STATISTICS = {
    "bootstrap": ("efron1993bootstrap", "field2007bootstrapping"),
    "holm": ("holm1979simple",),
    # The standard error of the difference is that of the bootstrap.
    "split": ("efron1993bootstrap",),
    "folds": ("nadeau2003inference", "bouckaert2004evaluating"),
    "platt": ("platt1999probabilistic", "lin2007note"),
    "brier": ("brier1950verification",),
    "decision": ("vickers2006decision",),
}

# Where the page shows where scores come from.
SALIENCY = ("selvaraju2017grad", "adebayo2018sanity", "kokhlikyan2020captum")

_ENTRY = re.compile(r"@\w+\{(\w+),\n(?:  \w+ = \{.*\},\n)+\}\n")


class Reference(NamedTuple):
    """An entry of a bibliography.

    Attributes
    ----------
    key : str
        What a text cites it by.
    bibtex : str
        The whole entry, from its @ to the line break behind it.
    """

    key: str
    bibtex: str


@cache
def bibliography() -> dict[str, Reference]:
    """Every entry of references.bib by its key."""
    return read_bibtex((files("reports.text") / "references.bib").read_text(encoding="utf-8"))


def read_bibtex(text: str) -> dict[str, Reference]:
    """The entries of a file with a field a line, as references.bib is written, by their keys.

    Raises
    ------
    ValueError
        If a line is neither empty nor a comment nor part of an entry, or a key occurs twice.
    """
    found = [Reference(entry[1], entry[0]) for entry in _ENTRY.finditer(text)]
    for line in _ENTRY.sub("", text).splitlines():
        if line and not line.startswith("%"):
            raise ValueError(f"not an entry with a field a line: {line!r}")
    keys = [reference.key for reference in found]
    twice = [key for key in dict.fromkeys(keys) if keys.count(key) > 1]
    if twice:
        raise ValueError(f"more than one entry for {', '.join(twice)}")
    return dict(zip(keys, found, strict=True))
