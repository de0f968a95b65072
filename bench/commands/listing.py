"""`bench list`: what can be named on the command line."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.options import WholeSentences
from bench.commands.printing import print_json, print_table, say, say_wrapped
from bench.errors import UnusableInput

if TYPE_CHECKING:
    from extractors import BackboneInfo
    from extractors.pretrained.medical.registry import MedicalModel

app = typer.Typer(
    cls=WholeSentences, help="List what can be named on the command line.", no_args_is_help=True
)

Plugins = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="Python file that registers some more.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]


@app.command("extractors")
def list_extractors(
    weights_dir: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Folder of checkpoint files.")
    ] = None,
    plugin: Plugins = None,
    medical: Annotated[
        bool, typer.Option("--medical", help="The registry of medical models instead.")
    ] = False,
    long: Annotated[
        bool, typer.Option("--long", help="With addresses, file names and citations.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The backbones and networks of the comparison and all plugins, with their weights."""
    from bench.planning.presets import DEFAULT_EXTRACTORS
    from extractors import BackboneError, available, load_plugin_file
    from extractors.networks import NETWORKS
    from extractors.pretrained.medical.registry import medical_models

    if medical:
        models = medical_models().values()
        if as_json:
            print_json([asdict(model) for model in models])
        else:
            print_medical(models, long)
        return
    try:
        for file in plugin or ():
            load_plugin_file(file)
        infos = list(available((*DEFAULT_EXTRACTORS, *NETWORKS), weights_dir))
        if as_json:
            print_json([_as_object(info) for info in infos])
        else:
            print_extractors(infos, long)
    except BackboneError as error:
        raise UnusableInput(str(error)) from error


def print_medical(models: Iterable["MedicalModel"], long: bool = False) -> None:
    """Print medical models: names, access, licence, what they were trained on."""
    models = list(models)
    columns = ("extractor", "what", "input", "access", "licence", "pretrained on", "tried here")
    rows = [
        (
            f"medical:{model.id}" if model.repository else f"({model.id})",
            model.title,
            f"{model.size[0]} × {model.size[1]} px" if model.size else "not known",
            *(model.access, model.licence),
            ", ".join(corpus.title for corpus in model.pretrained_on),
            "yes" if model.tried else "no",
        )
        for model in models
    ]
    print_table("", columns, rows)
    say("")
    for model in models if long else ():
        loads = model.loads or (model.file.name if model.file else "")
        unchecked = f"not checked: {', '.join(model.unchecked)}" if model.unchecked else ""
        told = (model.citation, model.page, loads and f"loads {loads}", unchecked, model.note)
        say_wrapped(f"{model.id}: {'; '.join(filter(None, told))}", "  ")
    if long:
        say("")
    say_wrapped(
        "A model's own configuration decides on the input. hf: and open_clip: need the extra "
        "[hub]. Gated models want their terms accepted on their page, then `hf auth login` or "
        "HF_TOKEN."
    )
    if not long:
        say_wrapped("--long adds citations, pages and what has not been checked.")


def print_extractors(infos: Iterable["BackboneInfo"], long: bool = False) -> None:
    """Print backbones with their weights; `long`: how to get those that are not cached, too."""
    from extractors.networks import NETWORKS

    found = [_as_object(info) for info in infos]
    rows = []
    for one in found:
        size = f"{one['input_px']} px" if one["input_px"] else ""
        more = one["get"] or one["title"] if long else ""
        state = f"{one['state']}: {more}" if more else one["state"]
        rows.append((one["extractor"], one["weights"], size, state))
    print_table("", ("extractor", "weights", "input", "their state"), rows)
    say("")
    for one in found:
        if one["state"] == BROKEN:
            say_wrapped(f"{one['extractor']} is broken: {one['problem']}; {one['get']}", "  ")
    if not long and any(one["state"] == MISSING for one in found):
        say_wrapped(
            "missing weights are downloaded by a run where there is a network, or by `weights "
            "download NAME --to DIR`; --long says where they are published and under which name "
            "they are saved."
        )
    say_wrapped(
        f"what is {TRAINED} is trained in the run itself, on the training rows of each fold."
    )
    localized = ", ".join(n for n, network in NETWORKS.items() if network.localization_weight)
    for line in _FURTHER_NAMES:
        say_wrapped(line.format(localized), "  ")


# What may be said of a backbone's weights.
CACHED, MISSING, TRAINED, BROKEN = "cached", "missing", "trained", "broken"

_FURTHER_NAMES = (
    "Any other timm:NAME[.TAG][@LAYER] or torchvision:NAME works by its name alone; random:NAME "
    "draws seeded random weights.",
    "So do models on the Hugging Face Hub: hf-hub:ORG/NAME (timm), hf:ORG/NAME[@pooled|@cls|@mean] "
    "(transformers), open_clip:NAME[.TAG] and open_clip:hf-hub:ORG/NAME; docs/backbones.md.",
    "NAME+finetuned trains a backbone on from its weights, NAME+finetuned-last its last layers.",
    "+drloc and +drloc-released add the localization loss to {}.",
    "selected is, in every fold, whichever frozen extractor and SVM kernel of the run does best "
    "inside the training rows, on inner folds by patient.",
    "fusion:A+B puts the features of several of these side by side.",
)


def _as_object(info: "BackboneInfo") -> dict[str, Any]:
    """What is listed of a backbone."""
    from extractors.networks import NETWORKS
    from extractors.training.trainable import recipe_for, trains

    title = ""
    if info.problem is not None:
        state = BROKEN
    elif info.kind == "network":
        state, title = TRAINED, NETWORKS[info.architecture].title
    elif trains(info.name):
        state, title = TRAINED, f"by its own recipe {recipe_for(info.name, 'quick').name}"
    else:
        state = CACHED if info.cached else MISSING
    return {
        "extractor": info.name,
        "weights": info.weights,
        "input_px": info.input.height if info.input else None,
        "state": state,
        "title": title,
        "source": info.source,
        "get": info.hint if state in (MISSING, BROKEN) else "",
        "problem": info.problem,
    }


@app.command("classifiers")
def list_classifiers(
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """The SVM kernels, the reference classifiers and those of plugins."""
    from bench.plugins.classifiers import CLASSIFIERS
    from bench.plugins.files import load_plugins
    from classifiers import KERNELS, REFERENCE_CLASSIFIERS

    load_plugins(plugin or ())
    rows = []
    for kernel in KERNELS.values():
        text = f"SVM, C = 1, K(x, z) = {kernel.formula}, s = {kernel.scale_formula}"
        rows.append((kernel.name, text))
    endings = (
        ("softmax", "the own head of a network that is trained in the run"),
        ("KERNEL+pca", "on the principal components that keep 95 % of the variance"),
        ("KERNEL+tuned", "C and scale chosen by patient-grouped inner folds; --tune adds them all"),
        ("KERNEL+platt", "scores as probabilities, by a sigmoid fitted on such inner folds"),
    )
    own = [(one.name, f"{one.value.title} ({one.origin})") for one in CLASSIFIERS.all()]
    broken = [(one.name, f"broken: {one.problem}") for one in CLASSIFIERS.broken()]
    rows += [*endings, *REFERENCE_CLASSIFIERS.items(), *own, *broken]
    _print_listed(("classifier", "what it is"), rows, as_json)
    if not as_json:
        say("")
        say_wrapped(
            "Endings combine in this order: cubic+pca+tuned+platt. Others than SVMs take +platt "
            "alone. x and z are features standardised by the training rows, P is their number."
        )


@app.command("datasets")
def list_datasets(
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """The kinds of data that can be read."""
    from bench.data.loading import known_loaders
    from bench.plugins.datasets import DATASET_PLUGINS
    from bench.plugins.files import load_plugins

    load_plugins(plugin or ())
    rows = [(loader.name, loader.title) for loader in known_loaders()]
    broken = [(one.name, f"broken: {one.problem}") for one in DATASET_PLUGINS.broken()]
    _print_listed(("data set", "what is read"), [*rows, *broken], as_json)


@app.command("protocols")
def list_protocols(as_json: AsJson = False) -> None:
    """The ways to split the crops into training and test rows; audits leak on purpose."""
    from bench.planning.protocols import PROTOCOLS

    rows = [(name, protocol.description) for name, protocol in PROTOCOLS.items()]
    _print_listed(("protocol", "what it is"), rows, as_json)


@app.command("presets")
def list_presets(as_json: AsJson = False) -> None:
    """How much work a run does by default."""
    from bench.planning.presets import PRESETS
    from extractors.recipes import RECIPES

    rows = [(n, ", ".join(p.protocols), p.repeats, p.description) for n, p in PRESETS.items()]
    columns = ("preset", "protocols", "repeats", "what for")
    trained = {"A": "the thesis' networks", "B": "small-data hybrids", "C": "fine-tuned backbones"}
    recipes = [
        (
            *(preset, trained[section], r.epochs, r.batch_size, r.learning_rate, r.weight_decay),
            *(r.schedule, r.input_size or "its own", "strongly" if r.augmentation else "no"),
        )
        for (preset, section), r in RECIPES.items()
    ]
    of_recipes = (
        *("preset", "what is trained", "epochs", "batch", "learning rate", "weight decay"),
        *("schedule", "pixels", "augmented"),
    )
    if as_json:
        print_json({"presets": _objects(columns, rows), "recipes": _objects(of_recipes, recipes)})
        return
    print_table("", columns, rows)
    say("")
    print_table("", of_recipes, recipes)
    say("")
    say_wrapped(
        "Two of the thesis' networks have its augmentation; a run's report prints recipes whole."
    )


def _print_listed(columns: Sequence[str], rows: Sequence[Sequence[object]], as_json: bool) -> None:
    if as_json:
        print_json(_objects(columns, rows))
    else:
        print_table("", columns, rows)


def _objects(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[dict[str, object]]:
    """Each row as an object whose keys are the columns' names with _ for each space."""
    keys = [name.replace(" ", "_") for name in columns]
    return [dict(zip(keys, row, strict=True)) for row in rows]
