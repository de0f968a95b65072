"""Every system under every protocol of its run, side by side."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reports.systems.groups import any_protocol
from reports.systems.pairs import WITHOUT_PROTOCOL, audit_order
from reports.systems.pooling import PooledSystem
from reports.systems.protocols import protocol_order
from reports.systems.run_folder import Run
from reports.tables.published import nearest_published
from reports.tables.report_table import ReportTable
from reports.tables.summary import rows_by_system
from reports.values import estimate

if TYPE_CHECKING:
    import pandas as pd

_MEASURES = ("auc", "accuracy")
_PUBLISHED = ("published", "published_system", "published_data", "published_protocol")

_Row = Mapping[str, Any]


def side_by_side(
    run: Run, systems: Sequence[PooledSystem], rows: Mapping[int, _Row]
) -> "pd.DataFrame":
    """Every system that ran under an audit, with a column a protocol; empty without such a system.

    A row a system and measure (AUC, accuracy). A cell is the text 'mean ± std [interval]', as in
    summary.csv, which holds the same as numbers; an audit's column says that it is one. The
    published figure nearest to a row stands in columns of its own with its data and protocol, on
    the mass crops of CBIS-DDSM, where nothing was changed.

    rows: of the summary, by the `id` of each of `systems`.
    """
    import pandas as pd

    table: dict[tuple[str, ...], dict[str, _Row]] = {}
    for system in sorted(audit_order(systems), key=_place_among(systems)):
        key = tuple(str(system.identity[name]) for name in WITHOUT_PROTOCOL)
        table.setdefault(key, {})[str(system.identity["protocol"])] = rows[id(system)]
    table = {key: of for key, of in table.items() if set(of) & set(run.audits)}
    ran = {protocol for by_protocol in table.values() for protocol in by_protocol}
    shown = [name for name in protocol_order(run) if name in ran]
    shown += sorted(ran - set(shown))
    heading = {name: f"{name} (audit)" if name in run.audits else name for name in shown}
    lines = []
    for by_protocol in table.values():
        first = next(iter(by_protocol.values()))
        for measure in _MEASURES:
            line = {name: first[name] for name in WITHOUT_PROTOCOL} | {"measure": measure}
            cells = {
                heading[name]: estimate(by_protocol[name], measure) if name in by_protocol else ""
                for name in shown
            }
            marked = run.has_published_figures and not run.synthetic
            known = _published(first, measure) if marked else {}
            lines.append(line | cells | known)
    columns = [*WITHOUT_PROTOCOL, "measure", *heading.values()]
    if any("published" in line for line in lines):
        columns += _PUBLISHED
    return pd.DataFrame([[line.get(name) for name in columns] for line in lines], columns=columns)


def _place_among(systems: Iterable[PooledSystem]) -> Callable[[PooledSystem], int]:
    """Sorts by subset, region and the like, in order of appearance."""
    order = list(dict.fromkeys(any_protocol(system.group) for system in systems))
    return lambda system: order.index(any_protocol(system.group))


def _published(row: _Row, measure: str) -> dict[str, Any]:
    """The published figure nearest to a row, where it has this measure."""
    known = nearest_published(row)
    figure = known.figures.get(measure) if known else None
    if known is None or figure is None:
        return {}
    return dict(zip(_PUBLISHED, (figure, known.system, known.data, known.protocol), strict=True))


SIDE_BY_SIDE_TABLE = ReportTable(
    "protocols_side_by_side",
    lambda pooled, tables: side_by_side(
        pooled.run, pooled.systems, rows_by_system(pooled.systems, tables["summary"])
    ),
    title="Protocols side by side",
    place="audit",
    intro=lambda pooled, table: (
        "Every system that ran under an audit, under each protocol of the run: mean ± standard "
        f"deviation over repeats, [ ] 95 % interval over {pooled.run.patients}, given the trained "
        "models where there are folds. Protocols test different rows, so that only those named as "
        "a pair below are set against each other."
        + (
            " A published figure is no cell of ours: other rows, another AlexNet, and a protocol "
            "that is not known."
            if "published" in table
            else ""
        )
    ),
)
