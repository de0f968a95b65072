"""Reads `models.toml`: medical models, and what published weights were pretrained on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from extractors.backbone import BackboneInfo


@dataclass(frozen=True, kw_only=True)
class CheckpointFile:
    """A checkpoint of a form of its own; see the head of `models.toml`.

    Attributes
    ----------
    repository : str
        On the Hub.
    name : str
        Of the file in it.
    architecture : str
        The name of the backbone whose weights it holds.
    size : tuple[int, int]
        Height and width of the input.
    mean, std : float
        Of all channels, on [0, 1].
    prefix : str
        What the names of the network's tensors begin with.
    rename : tuple[tuple[str, str], ...]
        Beginnings of names, without the prefix, and what they are in the architecture.
    in_order : bool
        Whether the tensors go by their order, not by their names.
    """

    repository: str
    name: str
    architecture: str
    size: tuple[int, int]
    mean: float
    std: float
    prefix: str = ""
    rename: tuple[tuple[str, str], ...] = ()
    in_order: bool = False


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Images that weights were pretrained on.

    Attributes
    ----------
    title : str
        For people.
    kind : str
        "natural", "web" or "medical".
    overlaps : tuple[str, ...]
        Data sets whose images are, or may be, among them.
    known : bool
        Whether it is known outside what is in it.
    """

    title: str
    kind: str
    overlaps: tuple[str, ...] = ()
    known: bool = True


@dataclass(frozen=True, kw_only=True)
class MedicalModel:
    """A model of the registry; see the head of `models.toml`.

    Attributes
    ----------
    id : str
        Its name after `medical:`.
    title : str
        For people.
    page : str
        Where it is described.
    access : str
        "open", "gated" or "on request".
    licence, citation : str
        As published.
    pretrained_on : tuple[Corpus, ...]
        The images.
    tried : bool
        Whether somebody of this project has loaded the published weights.
    unchecked : tuple[str, ...]
        What was not seen in the model's own documents.
    loads : str
        The extractor that it is; empty where it is a file.
    file : CheckpointFile | None
        A checkpoint of a form of its own.
    size : tuple[int, int] | None
        Height and width of the input, as published.
    note : str
        What a user should know.
    """

    id: str
    title: str
    page: str
    access: str
    licence: str
    citation: str
    pretrained_on: tuple[Corpus, ...]
    tried: bool
    unchecked: tuple[str, ...]
    loads: str = ""
    file: CheckpointFile | None = None
    size: tuple[int, int] | None = None
    note: str = ""

    @property
    def repository(self) -> str | None:
        """Where its weights are on the Hub."""
        if self.file is not None:
            return self.file.repository
        return self.loads.rpartition(":")[2] or None


@cache
def _data() -> dict[str, Any]:
    text = files("extractors.pretrained.medical").joinpath("models.toml").read_text("utf-8")
    return tomllib.loads(text)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _tuples(value) for name, value in row.items()}


@cache
def corpora() -> Mapping[str, Corpus]:
    """What weights were pretrained on, by id."""
    return MappingProxyType({n: Corpus(**_fields(row)) for n, row in _data()["corpus"].items()})


@cache
def medical_models() -> Mapping[str, MedicalModel]:
    """The models of the registry by id, in its order."""
    known = corpora()
    models = {}
    for row in _data()["model"]:
        values = _fields(row) | {"pretrained_on": tuple(known[one] for one in row["pretrained_on"])}
        if "file" in row:
            values["file"] = CheckpointFile(**_fields(row["file"]))
        models[row["id"]] = MedicalModel(**values)
    return MappingProxyType(models)


def pretrained_on(info: BackboneInfo) -> tuple[Corpus, ...] | None:
    """What the weights of a backbone were pretrained on, before any training here.

    Parameters
    ----------
    info : BackboneInfo
        From `describe`.

    Returns
    -------
    tuple[Corpus, ...] | None
        Nothing for drawn weights; None where nothing is known, as of files and plugins.
    """
    if info.origin in ("random", "scratch"):
        return ()
    if info.origin != "pretrained":
        return None
    if (model := model_of(info)) is not None:
        return model.pretrained_on
    # Of a repository the name says it, with timm's tag behind its last dot; else the tag does.
    text = (f"{info.source} " if info.config_files else "") + info.weights
    found = [row["corpus"] for row in _data()["weights"] if re.search(row["pattern"], text, re.I)]
    return tuple(corpora()[name] for name in found) or None


def model_of(info: BackboneInfo) -> MedicalModel | None:
    """The model of the registry whose published weights a backbone has; None for all others."""
    for model in medical_models().values():
        same = info.source is not None and info.source == model.repository
        if same and (model.file is None or model.file.name in info.download_files):
            return model
    return None
