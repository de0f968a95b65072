"""The report as one self-contained HTML file that loads nothing from the network.

Everything that a name, a note or a file could carry in is escaped by the template engine, and the
page forbids itself all outside content: only its own styles, its own script and data: images run.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from reports.evaluation import Evaluation
from reports.figures.drawing import Drawing
from reports.page.cells import (
    audit_layout,
    comparison,
    plain_layout,
    protocols_layout,
    published_layout,
)
from reports.page.external import external_layout
from reports.page.saliency import FAINT, saliency_legend, shown
from reports.systems.counted import classifiers_counted, extractors_counted
from reports.systems.hosts import hosts_note, hosts_of, hosts_of_table
from reports.systems.kinds import drawn, networks
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run, listing, manifest_records, section
from reports.tables.every_table import TABLES
from reports.tables.published import SOURCES, of_published_data
from reports.tables.report_table import ReportTable
from reports.text.answers import answers
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

# What the page shows of some tables is not cell by cell what stands in them.
_LAYOUTS = {
    "published": published_layout,
    "protocols_side_by_side": protocols_layout,
    "leakage_audit": audit_layout,
    "external": external_layout,
}


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
    script = _asset("report.js")
    page = environment.get_template("report.html.j2").render(
        style=_asset("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        title=_title(run),
        banners=_banners(run, systems),
        facts=_facts(run, systems),
        answers=answers(evaluation),
        methods=paragraphs,
        references=bibtex,
        audit_text=audit_text(run, tables["leakage_audit"]) if "leakage_audit" in tables else None,
        groups=[comparison(group) for group in evaluation.groups],
        some_ran=any(system.ran for system in systems),
        in_part=any(not system.whole for system in systems),
        sources=SOURCES,
        measured_too=bool(tables["published"]["measured_extractor"].notna().any()),
        published_data=of_published_data(run, tables["summary"]),
        reading=reading(evaluation),
        patients=run.patients,
        by_patient=run.by_patient,
        patient_ids=run.patient_ids,
        trained=any(system.trained for system in systems),
        kinds_of_probabilities=kinds_of_probabilities(tables),
        figures=_figures(drawings),
        tables=_tables(evaluation),
        places=_places(TABLES),
        filled=_places(declared for declared in TABLES if declared.name in tables),
        saliency=shown(run),
        saliency_most=in_a_row([f"{most} {verdict}s" for verdict, most in VERDICTS.items()]),
        saliency_faint=f"{100 * FAINT:g}",
        saliency_legend=saliency_legend(),
        data_kinds=[d.kind for d in drawings if d.kind.startswith("data-")],
        data=section(run.manifest, "data"),
        notices=[*listing(run.manifest, "notices")],
        data_notices=listing(section(run.manifest, "data"), "notices"),
        not_run=manifest_records(run.manifest, "not_run"),
        command=section(run.manifest, "run").get("command", ""),
        suite=section(run.manifest, "suite"),
        created=section(run.manifest, "run").get("created", ""),
    )
    # A lone surrogate in a file name cannot be written as UTF-8.
    return page.encode("utf-8", "replace").decode()


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


def _tables(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """What the page shows of each table that it shows as one, by name."""
    run, tables = evaluation.run, evaluation.tables
    notes = {name: hosts_note(hosts_of_table(run, tables[name])) for name in tables}
    return {
        declared.name: {
            "name": declared.name,
            "title": declared.title,
            "intro": f"{declared.intro} {notes[declared.name]}".strip(),
            "folded": declared.is_folded(tables[declared.name]),
            **_LAYOUTS.get(declared.name, plain_layout)(declared, tables[declared.name], run),
        }
        for declared in (
            one.in_words_of(evaluation, tables[one.name])
            for one in TABLES
            if one.place and one.name in tables
        )
    }


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


def _title(run: Run) -> str:
    name = section(run.manifest, "run").get("name") or run.folder.resolve().name
    return f"Benchmark report: {name}"


def _banners(run: Run, systems: list[PooledSystem]) -> list[dict[str, Any]]:
    """What a reader has to know before any figure: made-up data, random weights, failures."""
    banners = []
    if run.synthetic:
        banners.append({"kind": "warning", "text": SYNTHETIC, "items": []})
    protocols = _distinct(s.identity["protocol"] for s in systems)
    audits = [name for name in protocols if name in run.audits]
    if audits:
        text = AUDIT if run.patient_ids else AUDIT_WITHOUT_IDS
        banners.append({"kind": "warning", "text": text, "items": audits})
    random = _distinct(s.identity["extractor"] for s in systems if drawn(s))
    if random:
        text = (
            "Random weights: these backbones had learnt nothing before this run; their figures say "
            "nothing of them."
        )
        banners.append({"kind": "warning", "text": text, "items": random})
    failed = _distinct(f"{s.identity['extractor']}: {s.status}" for s in systems if not s.ran)
    if failed:
        text = "Not every system ran; each keeps its row."
        banners.append({"kind": "failure", "text": text, "items": failed})
    return banners


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


def _figures(drawings: list[Drawing]) -> dict[str, list[dict[str, Any]]]:
    """The figures by kind, each as inline SVG."""
    found: dict[str, list[dict[str, Any]]] = {}
    for drawing in drawings:
        entry = {"drawing": drawing, "svg": _inline(drawing)}
        found.setdefault(drawing.kind, []).append(entry)
    return found


def _inline(drawing: Drawing) -> "Markup":
    """The SVG element alone, with identifiers that no other figure of the page has.

    matplotlib escapes the text it writes into an SVG, so the element can stand as it is.
    """
    from markupsafe import Markup, escape

    text = drawing.svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # A style element inside an inline figure would reach the whole page.
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{drawing.slug}-", text)
    # Thousandths of a point cannot be seen and are a third of the file.
    # Only inside tags: in a label a figure would lose digits.
    # Nor in an image's scale: over hundreds of pixels it would slide from under its grid.
    text = re.sub(r"<(?!image)[^>]*>", lambda tag: re.sub(r"(\d+\.\d\d)\d+", r"\1", tag[0]), text)
    name = escape(drawing.alt)
    opening = f'<svg role="img" aria-label="{name}" class="figure"'
    return Markup(text.replace("<svg", opening, 1))
