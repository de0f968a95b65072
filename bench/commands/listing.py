"""`bench list`: what can be named on the command line."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.printing import print_table, say
from bench.errors import UnusableInput

if TYPE_CHECKING:
    from extractors import BackboneInfo

app = typer.Typer(help="List what can be named on the command line.", no_args_is_help=True)


@app.command("extractors")
def list_extractors(
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of checkpoint files.")] = None,
    plugin: Annotated[
        list[Path] | None, typer.Option(help="Python file that registers backbones.")
    ] = None,
    medical: Annotated[
        bool, typer.Option("--medical", help="The registry of medical models instead.")
    ] = False,
) -> None:
    """The backbones and networks of the comparison and all plugins, with their weights."""
    if medical:
        print_medical()
        return
    from bench.planning.presets import DEFAULT_EXTRACTORS
    from extractors import BackboneError, available, load_plugin_file
    from extractors.networks import NETWORKS

    try:
        for file in plugin or ():
            load_plugin_file(file)
        print_extractors(available((*DEFAULT_EXTRACTORS, *NETWORKS), weights_dir))
    except BackboneError as error:
        raise UnusableInput(str(error)) from error


def print_medical() -> None:
    """Print the registry of medical models: names, access, licence, what they were trained on."""
    from extractors.pretrained.medical.registry import medical_models

    columns = ("extractor", "what", "input", "access", "licence", "pretrained on", "tried here")
    rows = [
        (
            f"medical:{model.id}" if model.repository else f"({model.id})",
            f"{model.title}; {model.loads or (model.file.name if model.file else model.page)}",
            f"{model.size[0]} × {model.size[1]} px" if model.size else "not known",
            *(model.access, model.licence),
            ", ".join(corpus.title for corpus in model.pretrained_on),
            "yes" if model.tried else "no",
        )
        for model in medical_models().values()
    ]
    print_table("", columns, rows)
    say("")
    for model in medical_models().values():
        unchecked = f"; not checked: {', '.join(model.unchecked)}" if model.unchecked else ""
        note = f"; {model.note}" if model.note else ""
        say(f"{model.id}: {model.citation}; {model.page}{unchecked}{note}")
    say("")
    say(
        "A model's own configuration decides on the input. hf: and open_clip: need the extra [hub]."
    )
    say("Gated models want their terms accepted on their page, then `hf auth login` or HF_TOKEN.")


def print_extractors(infos: Iterable["BackboneInfo"]) -> None:
    """Print backbones with their weights, and how to get those that are not cached."""
    from extractors.networks import NETWORKS
    from extractors.training.trainable import recipe_for, trains

    rows = []
    for info in infos:
        size = f"{info.input.height} px" if info.input else ""
        if info.problem is not None:
            state = f"broken: {info.problem}; {info.hint}"
        elif info.kind == "network":
            state = f"trained in the run: {NETWORKS[info.architecture].title}"
        elif trains(info.name):
            state = f"trained in the run, by its own recipe {recipe_for(info.name, 'quick').name}"
        else:
            state = "cached" if info.cached else info.hint
        rows.append((info.name, info.weights, size, state))
    print_table("", ("extractor", "weights", "input", "weights cached?"), rows)
    localized = ", ".join(n for n, network in NETWORKS.items() if network.localization_weight)
    say("")
    say(
        "Any other timm:NAME[.TAG][@LAYER] or torchvision:NAME works by its name alone; "
        "random:NAME draws seeded random weights."
    )
    say(
        "So do models on the Hugging Face Hub: hf-hub:ORG/NAME (timm), "
        "hf:ORG/NAME[@pooled|@cls|@mean] (transformers), open_clip:NAME[.TAG] and "
        "open_clip:hf-hub:ORG/NAME; docs/backbones.md."
    )
    say(
        "NAME+finetuned trains a backbone on from its weights, NAME+finetuned-last its last layers."
    )
    say(f"+drloc and +drloc-released add the localization loss to {localized}.")
    say(
        "selected is, in every fold, whichever frozen extractor and SVM kernel of the run does best"
    )
    say("inside the training rows, on inner folds by patient.")
    say("fusion:A+B puts the features of several of these side by side.")


@app.command("classifiers")
def list_classifiers(
    plugin: Annotated[
        list[Path] | None, typer.Option(help="Python file that registers classifiers.")
    ] = None,
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
    print_table("", ("classifier", "what it is"), rows)
    say("")
    say("Endings combine in this order: cubic+pca+tuned+platt. Others than SVMs take +platt alone.")
    say("x and z are features standardised by the training rows, P is their number.")


@app.command("datasets")
def list_datasets(
    plugin: Annotated[
        list[Path] | None, typer.Option(help="Python file that registers data sets.")
    ] = None,
) -> None:
    """The kinds of data that can be read."""
    from bench.data.loading import known_loaders
    from bench.plugins.datasets import DATASET_PLUGINS
    from bench.plugins.files import load_plugins

    load_plugins(plugin or ())
    rows = [(loader.name, loader.title) for loader in known_loaders()]
    broken = [(one.name, f"broken: {one.problem}") for one in DATASET_PLUGINS.broken()]
    print_table("", ("data set", "what is read"), [*rows, *broken])


@app.command("protocols")
def list_protocols() -> None:
    """The ways to split the crops into training and test rows; audits leak on purpose."""
    from bench.planning.protocols import PROTOCOLS

    rows = ((name, protocol.description) for name, protocol in PROTOCOLS.items())
    print_table("", ("protocol", "what it is"), rows)


@app.command("presets")
def list_presets() -> None:
    """How much work a run does by default."""
    from bench.planning.presets import PRESETS
    from extractors.recipes import RECIPES

    rows = [(n, ", ".join(p.protocols), p.repeats, p.description) for n, p in PRESETS.items()]
    print_table("", ("preset", "protocols", "repeats", "what for"), rows)
    trained = {"A": "the thesis' networks", "B": "small-data hybrids", "C": "fine-tuning"}
    recipes = [
        (
            *(preset, trained[section], r.epochs, r.batch_size, r.learning_rate, r.weight_decay),
            *(r.schedule, r.input_size or "its own", "strong" if r.augmentation else "none"),
        )
        for (preset, section), r in RECIPES.items()
    ]
    columns = ("preset", "what is trained", "epochs", "batch", "learning rate", "weight decay")
    say("")
    print_table("", (*columns, "schedule", "pixels", "augmentation"), recipes)
    say("")
    say("Two of the thesis' networks have its augmentation; a run's report prints recipes whole.")
