"""The protocols of a run by its manifest: descriptions, headlines, and the twins of audits.

No protocol is named here: only the program that ran them knows which there are.
"""

from dataclasses import dataclass

from reports.systems.run_folder import Run, listing, manifest_records
from reports.systems.schema import ALL_ROWS, SHARED, UNSHARED
from reports.values import short


@dataclass(frozen=True)
class Comparison:
    """An audit and what it is compared with.

    Attributes
    ----------
    audit, twin : str
        Names of two protocols, or of one whose test rows are compared in two parts.
    besides : str
        What the two differ in besides patients on both sides; the numbers of training rows are in
        the table.
    rows, twin_rows : str
        Which test rows of each side are measured: ALL_ROWS, SHARED or UNSHARED.
    """

    audit: str
    twin: str
    besides: str
    rows: str = ALL_ROWS
    twin_rows: str = ALL_ROWS

    def title(self, run: Run) -> str:
        """'image-cv (audit) less patient-cv', with the rows where they are not all."""
        one, other = (
            f"{short(name)} (audit)" if name in run.audits else short(name)
            for name in (self.audit, self.twin)
        )
        rows, twin_rows = (run.of_rows(name) for name in (self.rows, self.twin_rows))
        if self.rows == self.twin_rows == ALL_ROWS:
            return f"{one} less {other}"
        if self.audit == self.twin:
            return f"{one}, test rows {rows} less those {twin_rows}"
        return f"{one} less {other}, test rows {rows}"


def protocol_order(run: Run) -> list[str]:
    """The protocols of a run in the order in which they are shown."""
    return [str(row.get("name")) for row in manifest_records(run.manifest, "protocols")]


def headline_protocols(run: Run) -> set[str]:
    """The protocols whose results may be headlines: neither an audit nor a rotated twin of one."""
    rows = manifest_records(run.manifest, "protocols")
    return {str(row.get("name")) for row in rows if row.get("headline") is True} - set(run.audits)


def methods_words(run: Run) -> dict[str, str]:
    """The description of each protocol for a methods section."""
    rows = manifest_records(run.manifest, "protocols")
    return {str(row.get("name")): str(row.get("in_methods")) for row in rows}


@dataclass(frozen=True)
class ExternalTest:
    """A protocol that tests on an external set.

    Attributes
    ----------
    protocol, name : str
        The protocol, and the set's name.
    internal : tuple[str, ...]
        The protocols that it is compared with; the first one that was run counts.
    """

    protocol: str
    name: str
    internal: tuple[str, ...]


def external_tests(run: Run) -> list[ExternalTest]:
    """The protocols of a run that test on external sets."""
    return [
        ExternalTest(
            str(row.get("name")),
            str(row["external"]),
            tuple(map(str, listing(row, "internal"))),
        )
        for row in manifest_records(run.manifest, "protocols")
        if row.get("external")
    ]


def audit_comparisons(run: Run) -> list[Comparison]:
    """What each audit of a run is compared with; first its twin without leakage."""
    found = []
    for row in manifest_records(run.manifest, "protocols"):
        audit = str(row.get("name"))
        for twin in manifest_records(row, "twins") if audit in run.audits else []:
            rows, twin_rows = (str(twin.get(side)) for side in ("rows", "twin_rows"))
            if {rows, twin_rows} <= {ALL_ROWS, SHARED, UNSHARED}:
                words = str(twin.get("protocol")), str(twin.get("besides"))
                found.append(Comparison(audit, *words, rows, twin_rows))
    return found
