"""What the page shows besides the systems: wrong crops, splits, audits, and the list of files."""

from typing import TYPE_CHECKING, Any

from reports.evaluation import Evaluation
from reports.figures.drawing import Drawing
from reports.figures.pictures import at_most, read_grey
from reports.page.cards import audit_slopes
from reports.page.lead import counted
from reports.page.saliency import as_address
from reports.page.sketches import slopes, split
from reports.systems.entries import FigureGroup, class_names
from reports.systems.groups import titles
from reports.systems.kinds import drawn, sees_images
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run, manifest_records, section
from reports.tables.every_table import TABLES
from reports.tables.mistakes import hardest
from reports.values import clean

if TYPE_CHECKING:
    from markupsafe import Markup

_SIDE = 128  # pixels of a picture


def legend_of(group: FigureGroup) -> str:
    """What ± and [ ] mean here; with folds, the interval leaves out what refitting changes."""
    repeated = any(len(entry.system.repeats) > 1 for entry in group.entries)
    estimated = "Mean ± standard deviation over repeats" if repeated else "One repeat, so without ±"
    text = f"{estimated}; [ ] 95 % interval of a bootstrap over {group.patients}"
    if any(len(set(entry.system.units["fold"])) > 1 for entry in group.entries):
        return (
            f"{text}, given the trained models: what training again would change is not in it. "
            "The AUC compares crops of one fold only."
        )
    trained = [e.system for e in group.entries if e.system.trained and len(e.system.repeats) > 1]
    if trained and all(map(_on_the_same_rows, trained)):
        return (
            f"{text}. The split is fixed: the repeats of a trained network are trainings on the "
            "same rows from different seeds, so ± is what the seed alone changes."
        )
    return f"{text}."


def _on_the_same_rows(system: PooledSystem) -> bool:
    """Whether all repeats of a system were tested on the same rows: nothing was drawn anew."""
    first, *others = (rows.patient.tolist() for rows in system.repeats)
    return all(rows == first for rows in others)


def mistaken_crops(evaluation: Evaluation) -> list[tuple[str, list[dict[str, Any]]]]:
    """By comparison, the crops that most network systems get wrong, where there are pictures."""
    run = evaluation.run
    data = section(run.manifest, "data")
    files = {
        clean(entry.get("crop_id")): entry.get("file")
        for name in ("thumbnails", "mistakes")
        for entry in manifest_records(data, name)
    }
    title = titles(evaluation.close, run)
    found, number = [], 0
    for key, members in evaluation.close.items():
        seen = [system for system in members if sees_images(system) and not drawn(system)]
        crops = []
        for mistake in hardest(run, seen) if len(seen) > 1 else []:
            picture = read_grey(run.folder, files.get(clean(mistake["crop_id"])))
            if picture is not None:
                number += 1
                crops.append(
                    {
                        "number": number,
                        "crop_id": str(mistake["crop_id"]),
                        "kind": mistake["kind"],
                        "wrong": mistake["systems_wrong"],
                        "of": mistake["of_systems"],
                        "picture": as_address(at_most(picture, _SIDE)),
                    }
                )
        if crops:
            found.append((title[key], crops))
    return found


def split_pictures(run: Run) -> list[tuple[str, "Markup"]]:
    """For each subset how many crops of each class are on each side of its split."""
    counts: dict[str, dict[str, list[tuple[str, int, bool]]]] = {}
    for row in manifest_records(section(run.manifest, "data"), "counts"):
        subset, side, label = (str(row.get(name, "")) for name in ("subset", "split", "label"))
        crops = row.get("crops")
        if isinstance(crops, int):
            positive = label == class_names(run, subset)["positive"]
            counts.setdefault(subset, {}).setdefault(side, []).append((label, crops, positive))
    return [
        (f"{subset}: crops by side of the split", split(list(sides.items()), f"Split of {subset}"))
        for subset, sides in counts.items()
    ]


def slope_pictures(evaluation: Evaluation) -> list[tuple[str, "Markup"]]:
    """For each audit the AUC of each system without it and under it; the audit is hatched."""
    return [
        (
            f"AUC of {counted(len(pairs), 'system')}: {twin}, then {audit} (audit)",
            slopes(pairs, (twin, audit), f"AUC under {twin} and under {audit}"),
        )
        for (audit, twin), pairs in audit_slopes(evaluation)
    ]


def written_files(evaluation: Evaluation, drawings: list[Drawing]) -> list[tuple[str, str]]:
    """Every file of the report, and for a table how many rows it has."""
    found = []
    for declared in TABLES:
        if declared.name in evaluation.tables:
            rows = counted(len(evaluation.tables[declared.name]), "row")
            found += [(f"tables/{declared.name}.{end}", rows) for end in ("csv", "tex")]
    found += [
        (f"figures/{drawing.slug}.{end}", drawing.title)
        for drawing in drawings
        for end in ("svg", "pdf")
    ]
    return [*found, ("paper/methods.txt", ""), ("paper/references.bib", "")]
