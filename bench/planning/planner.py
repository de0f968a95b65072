"""From a request and a lesion table to a plan. Pure: nothing is read or written here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from bench.data.crops.rotated import rotated_positions, rotated_rows
from bench.data.lesions import shared_patients
from bench.errors import UnusableInput
from bench.planning.plan import (
    NO_NETWORKS,
    SOFTMAX,
    Fold,
    NetworkWork,
    Plan,
    Positions,
    System,
    may_be_selected,
)
from bench.planning.presets import SELECTED
from bench.planning.protocols import PROTOCOLS, external_protocol, protocol_of
from bench.planning.reference_points import reference_points, transferred_points
from bench.planning.splits import Protocol, RowSplit, has_official_split, nested_training
from extractors.names import FUSION

if TYPE_CHECKING:
    import pandas as pd

# Draws of training patients for each share of them, where the protocol has one split only.
LEARNING_DRAWS = 5
# Why a subset has no row for the data set's own split.
NO_SPLIT = "there is no official split"


@dataclass(frozen=True)
class Request:
    """What a plan is made for.

    Attributes
    ----------
    subsets : Mapping[str, Sequence[str]]
        Each subset with the values of the table's `subset` column in it.
    extractors, classifiers : Sequence[str]
        Their names.
    kernels : Sequence[str]
        Those names of classifiers that are SVM kernels.
    protocols : Sequence[str]
        Their names. One that a subset has no rows for is passed over with a notice; where that is
        for want of an official split and no other is left, `patient-cv` takes its place.
    repeats : int
        Of a protocol that is drawn anew for each, for frozen features.
    seed : int
        Of the splits.
    networks : NetworkWork
        Which extractors are trained, and how often.
    train_fractions : Sequence[float]
        Shares of the training patients. Below 1 a single split is run with several draws of them.
    patient_ids : bool
        Whether the data say whose an image is; the words of the notices depend on it.
    externals : Mapping[str, Mapping[str, Sequence[str]]]
        Each external set with, for each subset, the values of the table's `subset` column that are
        tested on.
    imported : frozenset[str]
        Which extractors have features from a file: of the data set's own upright crops alone.
    """

    subsets: Mapping[str, Sequence[str]]
    extractors: Sequence[str]
    classifiers: Sequence[str]
    kernels: Sequence[str]
    protocols: Sequence[str]
    repeats: int
    seed: int
    networks: NetworkWork = NO_NETWORKS
    train_fractions: Sequence[float] = (1.0,)
    patient_ids: bool = True
    externals: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    imported: frozenset[str] = frozenset()


def make_plan(table: "pd.DataFrame", request: Request) -> Plan:
    """Lay out the units of a run.

    Parameters
    ----------
    table : pd.DataFrame
        The lesion table in the order of the crop stack.
    request : Request
        What is requested.

    Returns
    -------
    Plan
        Systems, folds and reference points, in the order in which they are worked on.

    Raises
    ------
    UnusableInput
        If a protocol cannot be carried out on a subset, or nothing is left to do.
    """
    folds: list[Fold] = []
    notices: list[str] = []
    for subset in request.subsets:
        folds += _folds_of_subset(table, subset, request, notices)
    asked = (*request.protocols, *map(external_protocol, request.externals))
    protocols = ", ".join(asked)
    if not folds:
        raise UnusableInput(f"nothing is left to run under {protocols}: {'; '.join(notices)}")
    systems = _systems(request, notices)
    without_row = _without_imported(request, folds)
    notices += without_row
    references = {
        subset: tuple(
            System(*point, *_presets(point[1], request.kernels))
            for point in reference_points(table[table["subset"].isin(list(parts))])
        )
        for subset, parts in request.subsets.items()
    }
    plan = Plan(
        systems,
        tuple(folds),
        tuple(notices),
        references,
        request.networks.names,
        _transferred(table, request),
        request.imported,
    )
    if without_row and not any(True for s in systems for _ in plan.work(s.extractor)):
        raise UnusableInput("; ".join(without_row))
    if not plan.n_units():
        raise UnusableInput(f"nothing is left to run under {protocols}: {SOFTMAX} has no row there")
    return plan


def _transferred(
    table: "pd.DataFrame", request: Request
) -> dict[tuple[str, str], tuple[System, ...]]:
    """The reference points of each subset that an external set can have, by protocol."""
    return {
        (subset, external_protocol(name)): tuple(
            System(*point, *_presets(point[1], request.kernels))
            for point in transferred_points(
                *(table[table["subset"].isin(list(parts))] for parts in (own, tested[subset]))
            )
        )
        for name, tested in request.externals.items()
        for subset, own in request.subsets.items()
    }


def _without_imported(request: Request, folds: Sequence[Fold]) -> list[str]:
    """Why features from a file have no row under some protocols."""
    names = [name for name in request.extractors if name in request.imported]
    needing = dict.fromkeys(fold.protocol for fold in folds if fold.needs_extraction)
    if not names or not needing:
        return []
    return [
        f"{', '.join(names)}: no row under {', '.join(needing)}, which needs the features of "
        "rotated crops or of another set; a file has those of the own, upright ones"
    ]


def _folds_of_subset(
    table: "pd.DataFrame", subset: str, request: Request, notices: list[str]
) -> list[Fold]:
    """The folds of all protocols that a subset has rows for."""
    networks, parts = request.networks, list(request.subsets[subset])
    of_subset = np.flatnonzero(table["subset"].isin(parts).to_numpy())
    upright = table.iloc[of_subset].reset_index(drop=True)
    _check_subset(subset, upright, one_of_many=len(request.subsets) > 1)
    if networks.names and subset not in networks.subsets:
        notices.append(
            f"{subset}: no network is trained on it in a quick run on synthetic data; name the "
            "subsets (--subset) to have them trained"
        )
    folds: list[Fold] = []
    for name in _possible(request, upright, subset, notices):
        positions, rows = of_subset, upright
        if PROTOCOLS[name].rotated:
            positions, rows = rotated_positions(of_subset, len(table)), rotated_rows(upright)
        found = _folds_of_protocol(subset, name, rows, request, notices)
        folds += [_within(fold, positions) for fold in found]
    for name, tested in request.externals.items():
        others = np.flatnonzero(table["subset"].isin(list(tested[subset])).to_numpy())
        positions = np.concatenate([of_subset, others])
        rows = table.iloc[positions].reset_index(drop=True)
        found = _folds_of_protocol(subset, external_protocol(name), rows, request, notices)
        folds += [_within(fold, positions) for fold in found]
    return folds


def _folds_of_protocol(
    subset: str, name: str, rows: "pd.DataFrame", request: Request, notices: list[str]
) -> list[Fold]:
    protocol, networks = protocol_of(name), request.networks
    drawn = max(request.repeats, networks.repeats) if networks.names else request.repeats
    # Learning curves are about the own set, and about networks that see these rows alone.
    alone = not (protocol.reuses_network or protocol.internal)
    shares = request.train_fractions if alone else (1.0,)
    try:
        split = protocol.split(rows, drawn, request.seed)
        found = [
            fold
            for row_split in split.folds
            for share in shares
            for fold in _repeated(subset, name, row_split, rows, share, request)
        ]
    except UnusableInput as error:
        raise UnusableInput(f"subset {subset}, {name}: {error}") from error
    words = split.notices if request.patient_ids else map(_of_images, split.notices)
    notices += [f"{subset}, {name}: {notice}" for notice in words]
    return found


def _of_images(notice: str) -> str:
    """A notice on patients for data in which every image counts as one."""
    return notice.replace("patients", "images").replace(" or may be the same persons", "")


def _systems(request: Request, notices: list[str]) -> tuple[System, ...]:
    """Each extractor requested with each classifier that fits it, and the row `selected`."""
    trained = request.networks.names
    systems = tuple(
        System(extractor, name, *_presets(name, request.kernels))
        for extractor in request.extractors
        if extractor != SELECTED
        for name in request.classifiers
        # Only a network that is trained here has a head of its own, and a fusion has none.
        if name != SOFTMAX or (extractor in trained and not extractor.startswith(FUSION))
    )
    if not systems:
        raise UnusableInput(
            f"--classifiers {SOFTMAX}: no extractor requested has a head of its own: only networks "
            "that are trained have one, and fusions have none"
        )
    if SELECTED in request.extractors:
        systems += _selection(systems, request, notices)
    return systems


def _selection(
    systems: Sequence[System], request: Request, notices: list[str]
) -> tuple[System, ...]:
    """The system that is another one in every fold: whichever does best inside the training rows.

    A network's features cannot be judged there, because it has been trained on all of those rows.
    """
    if any(may_be_selected(s, request.kernels, request.networks.names) for s in systems):
        return (System(SELECTED, SELECTED, None, ""),)
    notices.append(
        f"{SELECTED} has no row: it is chosen among frozen features with SVM kernels, and none is "
        "requested"
    )
    return ()


def _repeated(
    subset: str,
    protocol: str,
    row_split: RowSplit,
    rows: "pd.DataFrame",
    share: float,
    request: Request,
) -> Iterator[Fold]:
    """One fold as often as it is run with this share of its training patients."""
    networks = request.networks
    here = _trains_on(subset, networks)
    if protocol_of(protocol).repeated:
        numbers, frozen, trained = [row_split.repeat], request.repeats, networks.repeats
    elif share < 1:
        numbers, frozen, trained = [*range(LEARNING_DRAWS)], LEARNING_DRAWS, LEARNING_DRAWS
    else:
        numbers, frozen, trained = [*range(networks.seeds if here else 1)], 1, networks.seeds
    for number in numbers:
        for_frozen = number < frozen and row_split.network is None
        for_networks = here and number < trained
        if not (for_frozen or for_networks):
            continue
        train = row_split.train
        if share < 1:
            drawn = np.random.SeedSequence([request.seed, number, row_split.number])
            train = nested_training(rows, train, share, int(drawn.generate_state(1)[0]))
        yield Fold(
            *(subset, protocol, number, row_split.number, train, row_split.test, share),
            for_networks=for_networks,
            for_frozen=for_frozen,
            network=row_split.network,
            held_out=row_split.held_out,
        )


def _within(fold: Fold, positions: Positions) -> Fold:
    """A fold on some rows of a table as a fold on the table; `positions` are those of the rows."""
    network = fold.network and (positions[fold.network[0]], positions[fold.network[1]])
    held_out = None if fold.held_out is None else positions[fold.held_out]
    train, test = positions[fold.train], positions[fold.test]
    return replace(fold, train=train, test=test, network=network, held_out=held_out)


def _trains_on(subset: str, networks: NetworkWork) -> bool:
    """Whether any network is trained on this subset."""
    return bool(networks.names) and subset in networks.subsets


def _possible(request: Request, rows: "pd.DataFrame", subset: str, notices: list[str]) -> list[str]:
    """The protocols that a subset has rows for; the notices say why not the others."""
    protocols, trained = request.protocols, _trains_on(subset, request.networks)
    missing = {name: _missing(PROTOCOLS[name], rows, trained) for name in protocols}
    possible = [name for name in protocols if not missing[name]]
    instead = not possible and NO_SPLIT in missing.values()
    for reason in dict.fromkeys(filter(None, missing.values())):
        names = ", ".join(name for name in protocols if missing[name] == reason)
        more = "; patient-cv takes its place" if instead and reason == NO_SPLIT else ""
        notices.append(f"{subset}: {reason}, so no row for {names}{more}")
    return ["patient-cv"] if instead else possible


def _missing(protocol: Protocol, rows: "pd.DataFrame", trained: bool) -> str:
    """What a protocol needs and a subset lacks; empty where it lacks nothing."""
    if protocol.needs_official_split and not has_official_split(rows):
        return NO_SPLIT
    if protocol.needs_shared_patients and not shared_patients(rows):
        return "no patient stands in both splits"
    if protocol.reuses_network and not trained:
        return "no network is trained on it"
    return ""


def _check_subset(subset: str, rows: "pd.DataFrame", one_of_many: bool) -> None:
    """Raise UnusableInput for a subset that cannot be classified at all."""
    if rows.empty:
        raise UnusableInput(f"subset {subset}: none of its crops can be read")
    if rows["label"].nunique() < 2:
        raise UnusableInput(
            f"subset {subset} holds one class only (label {rows['label'].iloc[0]})"
            + ": choose others with --subset" * one_of_many
        )


def _presets(classifier: str, kernels: Sequence[str]) -> tuple[float | None, str]:
    kernel, *steps = classifier.split("+")
    if kernel in kernels:
        return (None, "") if "tuned" in steps else (1.0, "auto")
    return (1.0 if kernel == "logistic" else None), ""
