"""What weights were pretrained on, whether that may hold tested images, and how they are cited."""

from collections.abc import Collection, Iterable, Mapping

from extractors.backbone import BackboneInfo
from extractors.pretrained.medical.registry import Corpus, model_of, pretrained_on

NOTHING, UNKNOWN = "nothing", "not known"


def pretraining(info: BackboneInfo) -> str:
    """What a backbone's weights were pretrained on, in words."""
    corpora = pretrained_on(info)
    if corpora is None:
        return UNKNOWN
    return ", ".join(corpus.title for corpus in corpora) or NOTHING


def pretraining_notices(
    backbones: Mapping[str, BackboneInfo | None], tested: Collection[str], own_images: bool
) -> list[str]:
    """What a reader must know where pretraining may have seen test images.

    Parameters
    ----------
    backbones : Mapping[str, BackboneInfo | None]
        Those that run, by name; None where features come from elsewhere.
    tested : Collection[str]
        The kinds of data sets that are tested on, as `Corpus.overlaps` names them.
    own_images : bool
        Whether some of them are a user's own: which images they hold is known to nobody here.

    Returns
    -------
    list[str]
        A line for each model with images of these sets, and a line each for those of which nothing
        is known, and for medical images where a set is a user's own.
    """
    found = {
        name: pretrained_on(info) if info is not None else None for name, info in backbones.items()
    }
    lines = []
    for name, corpora in found.items():
        shared = [corpus for corpus in corpora or () if set(tested) & set(corpus.overlaps)]
        if shared:
            lines.append(
                f"{name} was pretrained on images of a data set that is tested here "
                f"({_titles(shared)}): it may have seen test images, and its rows are no estimate "
                "of performance"
            )
    hidden = [name for name, corpora in found.items() if corpora is None or not _known(corpora)]
    if hidden:
        lines.append(
            "what these weights were trained on is told nowhere, or not all of it: it is not known "
            f"whether they have seen test images: {', '.join(hidden)}"
        )
    medical = {
        name: corpora
        for name, corpora in found.items()
        if name not in hidden and any(corpus.kind == "medical" for corpus in corpora or ())
    }
    if medical and own_images:
        named = "; ".join(f"{name}: {_titles(corpora or ())}" for name, corpora in medical.items())
        lines.append(
            "these were pretrained on medical images; make sure that the tested ones are not among "
            f"them ({named})"
        )
    return lines


def _titles(corpora: Iterable[Corpus]) -> str:
    return ", ".join(corpus.title for corpus in corpora)


def _known(corpora: Iterable[Corpus]) -> bool:
    return all(corpus.known for corpus in corpora)


def how_to_cite(info: BackboneInfo) -> str:
    """What a paper cites a backbone by, besides its architecture's paper.

    Parameters
    ----------
    info : BackboneInfo
        From `describe`.

    Returns
    -------
    str
        The citation of a model of the registry, else the repository of a model on the Hub; empty
        for what a library publishes, which is cited by its name, and for what nobody has published.
    """
    if info.origin != "pretrained":
        return ""
    if (model := model_of(info)) is not None:
        return f"{model.citation}; {model.page}"
    # Only models on the Hub need files besides their weights.
    on_hub = info.source if info.config_files and info.source else ""
    return f"{on_hub}, Hugging Face Hub; https://huggingface.co/{on_hub}" if on_hub else ""
