"""Who counts as one patient: columns that hold patient ids, spellings of an id, and groups.

What can only be spelling is normalised. What may be one person, or shares a picture, stays apart in
`patient_id` and is kept together by the column `group_id`, by which splits and intervals go.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

GROUP = "group_id"

# Names of a column with patient ids, without case, blanks and punctuation; the first one wins.
PATIENT_COLUMNS = (
    *("patientid", "patient", "patientidentifier", "patientno", "patientnr", "patientnum"),
    *("patientnumber", "patientcode", "patientkey", "patientuid", "patid", "ptid", "pid"),
    *(
        "patients",
        "patientsid",
        "patientids",
        "idofpatient",
        "pat",
        "pt",
        "ptno",
        "ptnr",
        "ptnumber",
    ),
    *("anonymizedpatientid", "anonpatientid", "anonymouspatientid", "deidentifiedpatientid"),
    *("anonymisedpatientid", "patientidanon", "patientidanonymized", "pseudonymizedpatientid"),
    *("subjectid", "subject", "subjectidentifier", "subjectno", "subjectnumber", "subjectcode"),
    *("subj", "subjid", "subjno", "subid", "individual", "individualid", "proband", "probandid"),
    *("participantid", "participant", "personid", "person", "mrn", "medicalrecordnumber"),
    *("patno", "patnr", "patnum", "patnumber", "patkey", "patcode", "patientidnumber"),
    *("patientnummer", "subjectnr", "subjectnum", "participantno"),
    *("hospitalnumber", "nhsnumber", "patientenid", "patientennummer", "patientennr", "idpatient"),
    *("idpaciente", "pacienteid", "paciente", "idpaziente", "pazienteid", "paziente"),
    *("患者id", "患者编号", "患者番号", "患者", "病人id", "病人", "пациент", "idпациента"),
)
# What may stand before a patient's number and says no more than that it is one.
_TITLES = (
    "p",
    "pt",
    "pat",
    "patient",
    "pid",
    "id",
    "subject",
    "subj",
    "sub",
    "case",
    "mrn",
    "nr",
    "no",
)
# What a program adds to a whole number; three zeros after a comma may be its thousands.
_NOTHING_AFTER = r"(\.0+|,0(0|0{3,})?)"
# What tells the pictures of one patient apart at the end of a name.
_LAST_PART = re.compile(r"[ _.\-]*(\(?\d+\)?|(?<![a-z])[a-z]|(?<![a-z])(left|right|cc|mlo))$", re.I)
# All of a name up to the end of its first number, which is no year and no date.
_FIRST_NUMBER = re.compile(r"\D*(?!(?:19|20)\d\d(?:\d{4})?(?!\d))\d+")
# Parts of names that point to a person, and of those that say something else of one.
_PERSON = (
    *("patient", "subject", "subj", "person", "participant", "case", "study", "exam", "mrn", "pid"),
    *("individ", "proband", "donor", "volunteer", "client", "owner", "animal", "mouse", "anon"),
    *("record", "hospital", "pacien", "pazient", "пациент", "患者", "病人"),
)
# Whole names that may number persons, and often number something else.
_MAYBE_PERSON = (
    *("id", "ids", "uid", "rid", "eid", "ipp", "empi", "dossier", "fall", "fallnr", "fallnummer"),
    *("barcode", "sample", "sampleid", "slide", "slideid"),
)
_ATTRIBUTES = ("age", "sex", "gender", "birth", "weight", "height", "race", "ethnic", "date")


def find_column(names: Sequence[str]) -> str | None:
    """The column that holds the patient's id, None where there is none.

    Parameters
    ----------
    names : Sequence[str]
        The column names of a table.

    Returns
    -------
    str | None
        The one that comes first in `PATIENT_COLUMNS`.
    """
    plain = [squeezed(name) for name in names]
    known = [name for name in PATIENT_COLUMNS if name in plain]
    return names[plain.index(known[0])] if known else None


def near_misses(names: Iterable[str]) -> list[str]:
    """The columns that may hold patient ids under a name that is not known, or are misspelt."""
    from difflib import get_close_matches

    found = []
    for name in names:
        plain = squeezed(name)
        says_else = any(word in plain for word in _ATTRIBUTES)
        named = any(word in plain for word in _PERSON) or plain in _MAYBE_PERSON
        misspelt = get_close_matches(plain, ("patientid", "subjectid", "patient"), 1, 0.75)
        if not says_else and (named or misspelt):
            found.append(name)
    return found


def squeezed(text: str) -> str:
    """A text without case, blanks and punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum())


def normalised_ids(ids: Sequence[str]) -> list[str]:
    """Patient ids without what can only be spelling.

    Blanks around them go, several blanks become one, and characters that look the same have one
    code; the `.0` goes that a program adds to whole numbers, if all ids are numbers.

    Parameters
    ----------
    ids : Sequence[str]
        One a row.

    Returns
    -------
    list[str]
        The same in the same order.
    """
    plain = [" ".join(_visible(one).split()) for one in ids]
    if all(re.fullmatch(rf"\d+({_NOTHING_AFTER})?", one) for one in plain):
        plain = [re.sub(rf"{_NOTHING_AFTER}$", "", one) for one in plain]
    return plain


def _visible(text: str) -> str:
    """A text in its plain form, without characters that take no room, with the digits 0 to 9."""
    text = unicodedata.normalize("NFKC", text)
    shown = (char for char in text if unicodedata.category(char) not in ("Cf", "Cc"))
    return "".join(str(unicodedata.decimal(char, char)) for char in shown)


def maybe_one_person(ids: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of rows whose ids may be two spellings of one: leading zeros, case, punctuation.

    `P-1`, `P_01`, `p 1`, `Patient 1` and `1` may be one patient; so may `Ana Müller` and `MULLER,
    ANA`. `1-12` and `11-2` are two; but each may be `112`.

    Parameters
    ----------
    ids : Sequence[str]
        Normalised ids, one a row.

    Returns
    -------
    list[tuple[int, int]]
        Positions; rows of equal ids are not among them.
    """
    first_row = {one: row for row, one in reversed(list(enumerate(ids)))}
    unpunctuated = {_without_zeros(squeezed(one)) for one in first_row if one.isalnum()}
    first: dict[tuple[str, ...], int] = {}
    pairs = []
    for one, row in sorted(first_row.items(), key=lambda item: item[1]):
        keys = [_parts(one)]
        bare = _without_zeros(squeezed(one))
        if bare in unpunctuated:
            keys.append(("", bare))
        pairs += [(first.setdefault(key, row), row) for key in keys]
    return [pair for pair in dict.fromkeys(pairs) if pair[0] != pair[1]]


def _parts(one: str) -> tuple[str, ...]:
    """The words and numbers of an id, without case, accents, leading zeros and titles."""
    plain = unicodedata.normalize("NFKD", one.casefold())
    text = "".join(char for char in plain if not unicodedata.combining(char))
    if re.fullmatch(r"\d+([.,]\d+)?e\+?\d{1,2}", text):
        text = f"{float(text.replace(',', '.')):.0f}"  # As programs write large numbers.
    found = re.findall(r"\d+|[^\W\d_]+", re.sub(rf"(?<=\d){_NOTHING_AFTER}$", "", text))
    if not any(part.isdigit() for part in found):
        found.sort()  # Of a name either part may stand first.
    while len(found) > 1 and found[0] in _TITLES and any(part.isdigit() for part in found[1:]):
        del found[0]
    return tuple(_without_zeros(part) for part in found) or (one,)


def plain_id(one: str) -> str:
    """An id without case, punctuation and leading zeros: to be the same person in two data sets.

    Unlike in `maybe_one_person` a title counts: two sets may each have a `1`, and one a `P_00001`.
    """
    return " ".join(
        _without_zeros(part) for part in re.findall(r"\d+|[^\W\d_]+", _visible(one).casefold())
    )


def named_alike(paths: Sequence[str]) -> list[list[str]]:
    """Groups of pictures whose names look as if they were of one patient.

    They differ in a last number, letter or side alone, or they begin with the same number,
    whichever groups more: `P12_1.png` and `P12_2.png`, `P12_LEFT_CC.png` and `P12_RIGHT_MLO.png`,
    and the pictures of a folder `P12`. `image_1.png` and `image_2.png` say nothing.

    Parameters
    ----------
    paths : Sequence[str]
        Relative to the data root, POSIX.

    Returns
    -------
    list[list[str]]
        Groups of two or more in the order of their first paths. None where they are fewer than
        three or one holds a fifth of all pictures: those are parts of a set, not patients.
    """
    by_last, by_first = (_grouped(paths, start_of) for start_of in (_before_last, _through_first))
    return max(by_last, by_first, key=lambda groups: sum(map(len, groups)))


def _grouped(paths: Sequence[str], start_of: Callable[[str], str]) -> list[list[str]]:
    """Groups of pictures whose names begin alike, or that lie in one numbered folder."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        *folders, name = path.split("/")
        start = start_of(name.rpartition(".")[0])
        key = start if _is_numbered(start) else folders[-1] if folders else ""
        if _is_numbered(key):
            groups.setdefault("/".join([*folders, key]), []).append(path)
    found = [group for group in groups.values() if len(group) > 1]
    few = len(found) < 3 or max(map(len, found)) * 5 > len(paths)
    return [] if few else found


def _before_last(stem: str) -> str:
    return _LAST_PART.sub("", stem)


def _through_first(stem: str) -> str:
    """A name up to its first number: `P_00012_LEFT_CC` and `P_00012_RIGHT_MLO_2` are of one."""
    first = _FIRST_NUMBER.match(stem)
    return first[0] if first else ""


def _is_numbered(text: str) -> bool:
    return any(char.isdigit() for char in text)


def _without_zeros(text: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def joined(n: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """The groups that pairs of n things make, directly or through others.

    Parameters
    ----------
    n : int
        The number of things.
    pairs : Sequence[tuple[int, int]]
        Positions of two that belong together.

    Returns
    -------
    NDArray[np.int64], shape (n,)
        For each the position of the first of its group.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    links = coo_array((np.ones(len(pairs), dtype=bool), (first, second)), shape=(n, n))
    labels = connected_components(links, directed=False)[1]
    _, firsts = np.unique(labels, return_index=True)
    groups: NDArray[np.int64] = firsts[labels]
    return groups


def groups_of(table: "pd.DataFrame") -> "pd.Series":
    """What is independent of one another in a lesion table: its groups of patients.

    A group is a patient, named by its id, or all patients that are kept together.
    """
    return table[GROUP] if GROUP in table.columns else table["patient_id"]


def kept_together(table: "pd.DataFrame", pairs: Sequence[tuple[int, int]]) -> "pd.DataFrame":
    """A table whose rows, pair by pair, belong to one group of patients.

    Parameters
    ----------
    table : pd.DataFrame
        A lesion table.
    pairs : Sequence[tuple[int, int]]
        Positions of rows.

    Returns
    -------
    pd.DataFrame
        With the column group_id: the first patient_id of each group. The table as it is, where no
        pair joins two groups.
    """
    before = groups_of(table)
    first = {one: row for row, one in reversed(list(enumerate(before)))}
    same = [(first[one], row) for row, one in enumerate(before)]
    groups = before.to_numpy()[joined(len(table), [*same, *pairs])]
    if (groups == before.to_numpy()).all():
        return table
    return table.assign(**{GROUP: groups})
