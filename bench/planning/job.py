"""A run that is all decided and not yet begun: what is requested, looked up and planned."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bench.data.crops.joined import ExternalRows, joined_rows
from bench.errors import UnusableInput
from bench.planning.config import Configuration, check_names
from bench.planning.external import ExternalSet, load_all, match
from bench.planning.extractor import Extractor, choose_device
from bench.planning.imports import ImportedFeatures, import_features
from bench.planning.known_extractors import known_extractors
from bench.planning.plan import SOFTMAX, NetworkWork, Plan
from bench.planning.planner import Request, make_plan
from bench.planning.presets import EXTERNAL
from bench.planning.protocols import PROTOCOLS
from bench.plugins.classifiers import known_classifiers
from bench.plugins.files import load_plugins, names_in_plugins
from bench.store import Store, cache_folder
from classifiers import KERNELS, VARIANTS
from extractors.pretrained.medical.pretraining import pretraining_notices

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.lesions import Dataset
    from extractors.recipes import Recipe


@dataclass(frozen=True)
class Job:
    """Everything that can be decided before work begins.

    Attributes
    ----------
    configuration : Configuration
        What is requested.
    dataset : Dataset
        The lesion table and where its images lie.
    subsets : tuple[str, ...]
        The subsets to run on.
    extractors : tuple[Extractor, ...]
        With their weights looked up.
    classifiers : tuple[str, ...]
        Names, tuned ones among them.
    device : str
        Where networks run.
    cache : Path
        The folder of the store.
    out : Path
        The run folder.
    plan : Plan
        Over the lesion table as it was read: crops that prove unreadable are in it.
    externals : tuple[ExternalSet, ...]
        What is tested on besides.
    imports : tuple[ImportedFeatures, ...]
        The features that are given, matched with the crops.
    """

    configuration: Configuration
    dataset: "Dataset"
    subsets: tuple[str, ...]
    extractors: tuple[Extractor, ...]
    classifiers: tuple[str, ...]
    device: str
    cache: Path
    out: Path
    plan: Plan
    externals: tuple[ExternalSet, ...] = ()
    imports: tuple[ImportedFeatures, ...] = ()

    @cached_property
    def table(self) -> "pd.DataFrame":
        """The rows of all sets as they were read."""
        others = [ExternalRows(one.name, one.dataset, one.dataset.table) for one in self.externals]
        return joined_rows(self.dataset, self.dataset.table, others)

    def plan_over(self, table: "pd.DataFrame") -> Plan:
        """The plan over another table of the same data sets."""
        request = Request(
            {name: self.dataset.subsets[name].parts for name in self.subsets},
            [extractor.name for extractor in self.extractors],
            self.classifiers,
            tuple(KERNELS),
            self.configuration.chosen_protocols(),
            self.configuration.chosen_repeats(),
            self.configuration.seed,
            self._network_work(),
            self.configuration.train_fraction,
            self.dataset.patient_ids,
            {one.name: one.tested for one in self.externals},
            frozenset(extractor.name for extractor in self.extractors if extractor.imports),
        )
        return make_plan(table, request)

    def _network_work(self) -> NetworkWork:
        """Which extractors are trained; within the budget of the built-in run on one subset."""
        seeds, repeats = self.configuration.chosen_network_runs()
        names = frozenset(e.name for e in self.extractors if e.trained)
        subsets = self.subsets[:1] if self.within_budget else self.subsets
        return NetworkWork(names, seeds, repeats, frozenset(subsets))

    @property
    def recipes(self) -> "dict[str, Recipe]":
        """How each network is trained, parts of fusions among them."""
        return {part.name: part.recipe for part in self.backbones if part.recipe is not None}

    @property
    def backbones(self) -> list[Extractor]:
        """Each extractor that is no fusion, and the parts of those that are."""
        return [part for one in self.extractors for part in (one.parts or (one,))]

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reader must know of features, epochs and pretrained weights, a line each."""
        return (
            *(one.notice for one in self.imports),
            *self._other_epochs(),
            *self._pretraining(),
        )

    def _pretraining(self) -> list[str]:
        """What may have seen test images before; nothing has seen synthetic ones."""
        sets = (self.dataset, *(one.dataset for one in self.externals))
        tested = [dataset for dataset in sets if not dataset.synthetic]
        if not tested:
            return []
        running = [part for part in self.backbones if part.status == "ok" and part.sees_images]
        return pretraining_notices(
            {part.name: part.info for part in running},
            {dataset.name for dataset in tested},
            # Which images a user's own set holds is known to nobody here.
            own_images=any(dataset.own for dataset in tested),
        )

    def _other_epochs(self) -> list[str]:
        """What a reader must know where --epochs takes the place of the recipes' own numbers."""
        epochs, preset = self.configuration.epochs, self.configuration.preset
        if epochs is None:
            return []
        # Not before: it imports torch, which a run that finds all its work done does without.
        from extractors import recipe_for

        own = {name: recipe_for(name, preset).epochs for name in self.recipes}
        departing = [f"{name} ({number})" for name, number in own.items() if number != epochs]
        if not departing:
            return []
        return [
            f"networks are trained for {epochs} epochs by --epochs, which departs from their "
            f"recipes of --preset {preset}: {', '.join(departing)}"
        ]

    @property
    def within_budget(self) -> bool:
        """Whether this is the run that a fresh machine makes, which is to end within minutes."""
        options = self.configuration
        return self.dataset.synthetic and options.preset == "quick" and options.subset is None


def load_data(
    configuration: Configuration, cache: Path, progress: Callable[[int], None] | None = None
) -> "Dataset":
    """The data set requested; the built-in phantom, written to the cache first, where none is."""
    from bench.data import builtin_phantom, load_lesions
    from bench.data.loading import check_dataset_name

    check_dataset_name(configuration.dataset, "--dataset")
    root = configuration.data or os.environ.get("BENCH_DATA") or None
    columns = configuration.named_columns()
    if root is None and columns:
        raise UnusableInput(
            "--columns is for a CSV manifest; it needs --data PATH (or $BENCH_DATA)"
        )
    if root is None and configuration.dataset in ("auto", "phantom"):
        return load_lesions(
            builtin_phantom(cache), "phantom", positive=configuration.positive, cache=cache
        )
    if root is None:
        raise UnusableInput(f"--dataset {configuration.dataset} needs --data PATH (or $BENCH_DATA)")
    return load_lesions(
        *(root, configuration.dataset, configuration.tables),
        positive=configuration.positive,
        columns=columns,
        follow_links=configuration.follow_links,
        cache=cache,
        progress=progress,
    )


def load_images(
    configuration: Configuration, cache: Path, progress: Callable[[int], None] | None = None
) -> "tuple[Dataset, bool]":
    """The data set requested, and whether its labels are known: features can be had without."""
    from bench.data.loaders.unlabelled import find_unlabelled, load_unlabelled

    try:
        return load_data(configuration, cache, progress), True
    except UnusableInput as error:
        root = configuration.data or os.environ.get("BENCH_DATA") or ""
        asked = configuration.positive or configuration.dataset not in ("auto", "folder")
        columns, links = configuration.named_columns(), configuration.follow_links
        found = find_unlabelled(Path(root).expanduser(), columns, links) if root else None
        if asked or found is None:
            raise
        reason = str(error).removeprefix(f"{root}: ")
        return load_unlabelled(found, columns, links, reason), False


def _with_tuned(configuration: Configuration) -> tuple[str, ...]:
    """The classifiers requested; with `--tune` every kernel has its tuned twin behind it.

    Those of plugin files are among the default ones.
    """
    own = names_in_plugins("classifier", configuration.plugin)
    requested = configuration.classifiers or (SOFTMAX, *KERNELS, *own)
    if not configuration.tune:
        return requested
    pairs = [(name, f"{name}+tuned") if name in KERNELS else (name,) for name in requested]
    return tuple(dict.fromkeys(name for pair in pairs for name in pair))


def prepare_job(configuration: Configuration, progress: Callable[[int], None] | None = None) -> Job:
    """Decide everything that can be decided before work begins, the cheap checks first.

    Parameters
    ----------
    configuration : Configuration
        What is requested.
    progress : Callable[[int], None] | None
        Called with the number of image headers read since the last call.

    Returns
    -------
    Job
        The run, not yet begun.

    Raises
    ------
    UnusableInput
        If anything requested does not exist or cannot be used.
    """
    from extractors import use_caches_only

    use_caches_only(configuration.offline)
    load_plugins(configuration.plugin)
    known = (*VARIANTS, *known_classifiers(configuration.classifiers or ()), SOFTMAX)
    check_names("classifiers", configuration.classifiers or (), known)
    check_names("protocols", configuration.chosen_protocols(), tuple(PROTOCOLS))
    if EXTERNAL in (configuration.protocols or ()) and not configuration.external:
        raise UnusableInput(f"--protocols {EXTERNAL} needs --external NAME=PATH")
    cache = cache_folder(configuration.cache)
    dataset, others = load_all(
        lambda positive: load_data(_with_positive(configuration, positive), cache, progress),
        {
            name: partial(_load_external, path, configuration, cache, progress)
            for name, path in configuration.external_paths().items()
        },
        configuration.positive,
    )
    return job_on(dataset, configuration, others)


def _with_positive(configuration: Configuration, positive: str | None) -> Configuration:
    return configuration.model_copy(update={"positive": positive})


def _load_external(
    path: Path,
    configuration: Configuration,
    cache: Path,
    progress: Callable[[int], None] | None,
    positive: str | None,
) -> "Dataset":
    """What kind of data set it is shows; case tables and columns are the other set's options."""
    from bench.data import load_lesions

    return load_lesions(
        path,
        positive=positive,
        follow_links=configuration.follow_links,
        cache=cache,
        progress=progress,
    )


def job_on(
    dataset: "Dataset",
    configuration: Configuration,
    others: Mapping[str, "Dataset"] = MappingProxyType({}),
) -> Job:
    """As `prepare_job`, on data that have been loaded; `others` are the external sets."""
    from extractors import use_caches_only

    use_caches_only(configuration.offline)
    classifiers = _with_tuned(configuration)
    subsets = configuration.subset or tuple(dataset.subsets)
    check_names("subset", subsets, tuple(dataset.subsets))
    device, cache = choose_device(configuration.device), cache_folder(configuration.cache)
    store = Store(cache)
    imports = import_features(configuration, dataset, subsets, store)
    extractors = known_extractors(configuration, dataset.synthetic, store, imports)
    default_out = Path("runs") / f"{dataset.name}-{configuration.preset}"
    job = Job(
        configuration=configuration,
        dataset=dataset,
        subsets=subsets,
        extractors=extractors,
        classifiers=classifiers,
        device=device,
        cache=cache,
        out=(configuration.out or default_out).expanduser(),
        plan=Plan((), (), (), {}),
        externals=tuple(
            match(name, other, dataset, subsets, configuration.positive)
            for name, other in others.items()
        ),
        imports=imports,
    )
    return replace(job, plan=job.plan_over(job.table))
