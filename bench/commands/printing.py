"""What the command line prints: plans, data sets, lists and findings, as tables."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from bench.commands.doctor import Check
    from bench.data.crops.stack import CropStack
    from bench.data.lesions import Dataset
    from bench.planning.extractor import Extractor
    from bench.planning.job import Job
    from extractors import BackboneInfo

# Left-out rows that are printed one by one; the report lists all of them.
LISTED_ROWS = 20


def _console() -> Console:
    # In a pipe there is no width to keep to: a cut cell would be lost.
    # Names have colons; what stands between two of them is no emoji.
    width = None if Console().is_terminal else 1000
    return Console(highlight=False, emoji=False, width=width)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    if title:
        # As a line of its own: a table would fold a title that is wider than it is.
        say(title)
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    for row in cells:
        table.add_row(*(_plain(cell) for cell in row))
    _console().print(table)


def _plain(cell: str) -> str:
    from rich.markup import escape

    return escape(cell)


def say(line: str) -> None:
    _console().print(line, markup=False, soft_wrap=True)


def print_plan(job: "Job") -> None:
    """The units of a run, extractor by extractor."""
    from bench.data.summary import left_out_notice

    plan = job.plan
    say(f"data      {job.dataset.name}: {len(job.dataset.table)} crops")
    say(f"device    {job.device}")
    say(f"store     {job.cache}")
    say(f"run       {job.out}")
    left_out = left_out_notice(job.dataset.left_out, len(job.dataset.table))
    for notice in (*job.dataset.notices, *left_out, *plan.notices):
        say(f"note      {notice}")
    say("")
    places = list(dict.fromkeys((c.subset, c.protocol, c.train_fraction) for c in plan.folds))
    rows = []
    for place in places:
        folds = [c for c in plan.folds if (c.subset, c.protocol, c.train_fraction) == place]
        frozen = len({c.repeat for c in folds if c.for_frozen})
        trained = len({c.repeat for c in folds if c.for_networks})
        train = sum(len(c.train) for c in folds) / len(folds)
        test = sum(len(c.test) for c in folds) / len({c.repeat for c in folds})
        share = f"{place[2]:g}"
        counts = (frozen, trained, len(folds), f"{train:.0f}", f"{test:.0f}")
        rows.append((*place[:2], share, *counts))
    columns = (
        *("subset", "protocol", "share of patients", "repeats", "of networks", "folds in all"),
        *("training crops", "test crops"),
    )
    print_table("", columns, rows)
    say("")
    by_name = {extractor.name: extractor for extractor in job.extractors}
    units = []
    for name in plan.extractors():
        extractor = by_name.get(name)
        pairs = [system.classifier for _, systems in plan.work(name) for system in systems]
        classifiers = ", ".join(dict.fromkeys(pairs))
        weights, state = _weights_of(extractor)
        units.append((name, weights, classifiers, len(pairs), state))
    print_table("", ("extractor", "weights", "classifiers", "units", "status"), units)
    say("")
    say(f"{plan.n_units()} units of work; crops that prove unreadable are left out, with a reason")


def _weights_of(extractor: "Extractor | None") -> tuple[str, str]:
    if extractor is None:
        return "", "reference point"
    if extractor.info is not None and not extractor.info.cached and extractor.info.downloadable:
        return extractor.weights, f"downloaded if there is a network, else {extractor.status}"
    return extractor.weights, extractor.status


def print_dataset(dataset: "Dataset", stack: "CropStack | None" = None) -> None:
    """What a data set holds, what was left out of it and why.

    stack : where given, crops that cannot be decoded are among what was left out.
    """
    from bench.data.summary import rare_first, summarise

    tables = summarise(dataset, stack)
    synthetic = ", synthetic: its figures mean nothing for mammography" * dataset.synthetic
    say(
        f"{dataset.name}: {len((stack or dataset).table)} crops at {dataset.source.root}{synthetic}"
    )
    if dataset.licence:
        say(f"licence: {dataset.licence}")
    if dataset.citation:
        say(f"cite: {dataset.citation}")
    for notice in dataset.notices:
        say(f"note: {notice}")
    for title, name in (
        ("Case tables (images: full mammograms)", "source_tables"),
        ("Patients that two tables share", "overlaps"),
        ("Lesions whose views have different pathology", "conflicts"),
        ("Crops", "counts"),
        ("Pathologies", "pathology"),
        ("Longest side of a crop in pixels", "sizes"),
        ("Patients in both splits", "shared_patients"),
        ("Left out", "left_out"),
    ):
        table = tables.get(name, ())
        if len(table):
            say("")
            print_table(title, list(table.columns), table.itertuples(index=False))
    left_out = (stack or dataset).left_out
    if len(left_out):
        say("")
        shown = rare_first(left_out).head(LISTED_ROWS).itertuples(index=False)
        print_table("Rows left out", list(left_out.columns), shown)
        if len(left_out) > LISTED_ROWS:
            say(f"... and {len(left_out) - LISTED_ROWS} more; a run's report lists them all")


def print_extractors(infos: Iterable["BackboneInfo"]) -> None:
    """Backbones with their weights, and how to get those that are not cached."""
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
        "NAME+finetuned trains a backbone on from its weights, NAME+finetuned-last its last layers."
    )
    say(f"+drloc and +drloc-released add the localization loss to {localized}.")
    say(
        "selected is, in every fold, whichever frozen extractor and SVM kernel of the run does best"
    )
    say("inside the training rows, on inner folds by patient.")
    say("fusion:A+B puts the features of several of these side by side.")


def print_classifiers() -> None:
    """The SVM kernels and the reference classifiers."""
    from classifiers import KERNELS, REFERENCE_CLASSIFIERS

    rows = []
    for kernel in KERNELS.values():
        factor = {0.25: "√P / 4", 1.0: "√P", 4.0: "4 √P"}[kernel.scale_factor]
        rows.append((kernel.name, f"SVM, C = 1, K(x, z) = {kernel.formula}, s = {factor}"))
    endings = (
        ("softmax", "the own head of a network that is trained in the run"),
        ("KERNEL+pca", "on the principal components that keep 95 % of the variance"),
        ("KERNEL+tuned", "C and scale chosen by patient-grouped inner folds; --tune adds them all"),
        ("KERNEL+platt", "scores as probabilities, by a sigmoid fitted on such inner folds"),
    )
    print_table("", ("classifier", "what it is"), [*rows, *endings, *REFERENCE_CLASSIFIERS.items()])
    say("")
    say("Endings combine in this order: cubic+pca+tuned+platt.")
    say("x and z are features standardised by the training rows, P is their number.")


def print_datasets() -> None:
    """The kinds of data that can be read."""
    from bench.data import DATASETS

    print_table("", ("data set", "what is read"), DATASETS.items())


def print_presets() -> None:
    """The presets, and how each trains networks."""
    from bench.planning.config import PRESETS
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


def print_findings(findings: Iterable["Check"]) -> None:
    """The doctor's findings: what is fine in a line each, then what is not, with its remedy.

    Backbones whose weights are cached are named together: there are dozens.
    """
    findings = list(findings)
    fine = [f for f in findings if f.state == "ok"]
    cached = [f.what for f in fine if f.backbone]
    for f in fine:
        if not f.backbone:
            _wrapped(f"ok    {f.what}: {f.found}")
    if cached:
        _wrapped(f"ok    weights cached: {', '.join(cached)}")
    # One hint may be that of many backbones.
    alike: dict[tuple[str, str, str], list[str]] = {}
    for f in findings:
        if f.state != "ok":
            alike.setdefault((f.state, f.found, f.hint), []).append(f.what)
    for (state, found, hint), names in alike.items():
        _wrapped(f"{state:<5} {', '.join(names)}: {found}")
        if hint:
            _wrapped(f"      -> {hint}")


# Columns of a terminal that nobody has widened.
_WIDTH = 80


def _wrapped(line: str) -> None:
    """One paragraph within 80 columns, later lines further in; a name is never cut."""
    import textwrap

    further = " " * 9 if line.startswith("      -> ") else " " * 6
    told = textwrap.wrap(
        line, _WIDTH, subsequent_indent=further, break_long_words=False, break_on_hyphens=False
    )
    for part in told:
        say(part)
