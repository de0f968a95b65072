"""The report as one self-contained HTML file that loads nothing from the network.

Everything that a name, a note or a file could carry in is escaped by the template engine, and the
page forbids itself all outside content: only its own styles, its own script and data: images run.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from reports.evaluation import Evaluation
from reports.figures.drawing import Drawing
from reports.page.cards import cards
from reports.page.closed_tables import closed_tables, table_values
from reports.page.lead import counted, data_line, lead
from reports.page.overview import MEASURES, overview
from reports.page.pictures import (
    legend_of,
    mistaken_crops,
    slope_pictures,
    split_pictures,
    written_files,
)
from reports.page.saliency import numbered, saliency_legend, shown
from reports.page.static_forest import references_of, static_forest, static_lines, static_rows
from reports.page.uncertainty import untold
from reports.systems.counted import classifiers_counted, extractors_counted
from reports.systems.hosts import hosts_of
from reports.systems.kinds import networks
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run, listing, manifest_records, section
from reports.tables.every_table import TABLES
from reports.tables.published import SOURCES, of_published_data
from reports.tables.report_table import ReportTable
from reports.text.leakage_audit import audit_text
from reports.text.reading import kinds_of_probabilities, reading
from reports.values import in_a_row, missing, short
from reports.wanted import VERDICTS

if TYPE_CHECKING:
    from markupsafe import Markup

SYNTHETIC = "Synthetic data: the figures mean nothing for mammography."
AUDIT = (
    "Audits: under these protocols patients stand in training and test on purpose. "
    "Their figures are no estimates of performance."
)
AUDIT_WITHOUT_IDS = (
    "Audits: these protocols do not look at whose an image is. "
    "Their figures are no estimates of performance."
)

WITHOUT_IMAGES = (
    "Images and saliency maps are left out of this report and its folder (--no-images)."
)


def render(
    evaluation: Evaluation, drawings: list[Drawing], paragraphs: list[str], bibtex: str
) -> str:
    """The page's HTML, with the paragraphs of `methods` and the text of references.bib."""
    run, systems, tables = evaluation.run, evaluation.systems, evaluation.tables
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # autoescape always: the default decides by file suffix, which is easy to get wrong.
    environment = Environment(
        loader=PackageLoader("reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = breakable
    script = squeezed(_asset("forest.js") + _asset("report.js"))
    closed = closed_tables(evaluation, TABLES)
    saliency = shown(run)
    pictures = numbered(saliency)
    values = overview(evaluation) | {"tables": table_values(closed), "pictures": list(pictures)}
    answered, lacking = cards(evaluation)
    page = environment.get_template("report.html.j2").render(
        style=_asset("forest.css") + _asset("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        values=as_json(values),
        title=f"Benchmark report: {_name(run)}",
        name=_name(run),
        synthetic=SYNTHETIC if run.synthetic else "",
        audit_banner=AUDIT if run.patient_ids else AUDIT_WITHOUT_IDS,
        audits=any(group["audit"] for group in values["groups"]),
        measures=MEASURES,
        data_line=data_line(run),
        failed=_distinct(f"{s.identity['extractor']}: {s.status}" for s in systems if not s.ran),
        facts=_facts(run, systems),
        cards=answered,
        methods=paragraphs,
        references=bibtex,
        audit_text=audit_text(run, tables["leakage_audit"]) if "leakage_audit" in tables else None,
        some_ran=any(system.ran for system in systems),
        in_part=any(not system.whole for system in systems),
        sources=SOURCES,
        published_data=of_published_data(run, tables["summary"]),
        reading=reading(evaluation),
        patients=run.patients,
        by_patient=run.by_patient,
        kinds_of_probabilities=kinds_of_probabilities(tables),
        tables=closed,
        places=_places(TABLES),
        filled=_places(declared for declared in TABLES if declared.name in tables),
        n_rows=counted(len(systems), "row"),
        saliency=saliency,
        pictures=pictures,
        without_images=WITHOUT_IMAGES if run.manifest.get("images") is False else "",
        saliency_most=in_a_row([f"{most} {verdict}s" for verdict, most in VERDICTS.items()]),
        saliency_legend=saliency_legend(),
        mistakes=mistaken_crops(evaluation),
        splits=split_pictures(run),
        legends=_distinct(legend_of(group) for group in evaluation.groups),
        slopes=slope_pictures(evaluation),
        files=written_files(evaluation, drawings),
        data=section(run.manifest, "data"),
        notices=_distinct(
            [*listing(run.manifest, "notices"), *listing(section(run.manifest, "data"), "notices")]
        ),
        not_run=_not_run(evaluation, lacking),
        command=section(run.manifest, "run").get("command", ""),
        suite=section(run.manifest, "suite"),
        created=section(run.manifest, "run").get("created", ""),
        **_first(evaluation, values["groups"]),
    )
    # A lone surrogate in a file name cannot be written as UTF-8.
    return page.encode("utf-8", "replace").decode()


def _first(evaluation: Evaluation, told: list[dict[str, Any]]) -> dict[str, Any]:
    """The first view without a script, of the first comparison that is no audit."""
    places = [place for place, one in enumerate(told) if not one["audit"]] or [*range(len(told))]
    if not places:
        return {"first": None, "first_lead": "", "still": "", "still_rows": []}
    first, group = told[places[0]], evaluation.groups[places[0]]
    chosen = [
        place
        for place, system in enumerate(first["systems"])
        if system.get("d") and not system.get("random")
    ]
    values = {
        place: first["systems"][place]["v"][0][0]
        for place in chosen
        if first["systems"][place].get("v") and first["systems"][place]["v"][0][0] is not None
    }
    apart = None if first["few"] else untold(first, values, "declared")
    lines = static_lines(first, apart)
    return {
        "first": first,
        "first_lead": lead(
            group, [group.entries[p] for p in chosen], None if apart is None else len(apart)
        ),
        "still": static_forest(first["title"], lines, references_of(first)),
        "still_rows": static_rows(first),
    }


def _not_run(evaluation: Evaluation, lacking: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Everything that a reader may miss, once each, with the command that runs it."""
    rows = manifest_records(evaluation.run.manifest, "not_run")
    found = [(str(row.get("what", "")), str(row.get("command") or "")) for row in rows]
    commands = {command for _, command in found}
    found += [(what, command) for what, command in lacking if command not in commands]
    table = evaluation.tables.get("comparisons")
    if table is not None and len(table) and not (table["status"] == "ok").any():
        found.append(("none of the declared comparisons: the run lacks one side of each", ""))
    if not of_published_data(evaluation.run, evaluation.tables["summary"]):
        found.append(
            (
                "published figures: they are of the mass crops of CBIS-DDSM, these data are others",
                "",
            )
        )
    return found


def as_json(values: Any) -> "Markup":
    """JSON that can stand in a script element: nothing in it opens or ends one."""
    from markupsafe import Markup

    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))


def squeezed(script: str) -> "Markup":
    """The script without the space before its lines and without lines that are comments."""
    from markupsafe import Markup

    text = re.sub(r"/\*.*?\*/", "", script, flags=re.DOTALL)
    lines = (line.strip() for line in text.splitlines())
    return Markup("\n".join(line for line in lines if line and not line.startswith("//")))


# Shorter names stand on one line.
_LONGEST_WHOLE = 12


def breakable(text: str) -> "Markup | str":
    """The text, escaped, with leave to break a long name after a sign that joins its parts."""
    from markupsafe import Markup, escape

    if len(text) <= _LONGEST_WHOLE:
        return text
    words = text.split(" ")
    pieces = [
        # After a figure's point or minus there is no break, nor after what begins a word.
        Markup("<wbr>").join(map(escape, re.split(r"(?<=\w[:_+@/])(?=\w)", word)))
        if len(word) > _LONGEST_WHOLE
        else escape(word)
        for word in words
    ]
    return Markup(" ").join(pieces)


def _places(among: Iterable[ReportTable]) -> dict[str, list[str]]:
    """The names of tables by their place on the page."""
    found: dict[str, list[str]] = {}
    for declared in among:
        found.setdefault(declared.place, []).append(declared.name)
    return found


def _asset(name: str) -> "Markup":
    """One of the package's own files, which needs no escaping."""
    from markupsafe import Markup

    return Markup((files("reports.page") / "templates" / name).read_text(encoding="utf-8"))


def _name(run: Run) -> str:
    return str(section(run.manifest, "run").get("name") or run.folder.resolve().name)


def _distinct(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(map(str, values)))


def _facts(run: Run, systems: list[PooledSystem]) -> list[tuple[str, str]]:
    """What was compared, in a few words each; what the manifest does not tell is left out."""
    environment = section(run.manifest, "environment")
    extractors = networks(run)
    precision = _distinct(
        part
        for extractor in extractors
        if not missing(value := extractor.get("precision")) and value
        # A fusion names those of its parts.
        for part in str(value).split(", ")
    )
    regions = _distinct(s.identity["region"] for s in systems)
    device = environment.get("device_name") or environment.get("cpu") or ""
    facts = {
        "Data set": ", ".join(_distinct(s.identity["dataset"] for s in systems)),
        "Subsets": ", ".join(_distinct(s.identity["subset"] for s in systems)),
        "Region": "" if regions == ["crop"] else ", ".join(regions),
        "Protocols": ", ".join(
            f"{name} (audit)" if name in run.audits else name
            for name in _distinct(s.identity["protocol"] for s in systems)
        ),
        "Extractors": extractors_counted(systems),
        "Classifiers": classifiers_counted(systems),
        "Rows": f"{len(systems)} ({sum(s.ran for s in systems)} ran)",
        "Device": " ".join(str(part) for part in (environment.get("device"), device) if part),
        "Machines": ", ".join(found) if len(found := hosts_of(run)) > 1 else "",
        "Precision": ", ".join(precision),
        "Seeds": ", ".join(_distinct(short(s.identity["seed"]) for s in systems)),
        "Made": str(section(run.manifest, "run").get("created", ""))[:16].replace("T", " "),
    }
    return [(name, text) for name, text in facts.items() if text]
