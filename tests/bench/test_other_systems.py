"""What differs on Windows and macOS: encodings, names of files, paths, how processes begin."""

import ast
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.commands import doctor
from bench.commands.plugin import write_skeleton
from bench.errors import UnusableInput
from bench.file_names import LONGEST, clashes, is_reserved, portable
from bench.inventory import KINDS
from bench.record.feature_files import check_place
from reports.systems.groups import slugs

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    *(
        f
        for n in ("bench", "classifiers", "extractors", "reports")
        for f in (ROOT / n).rglob("*.py")
    ),
    *(ROOT / "docs").glob("*.py"),
]
# They open images, archives and sockets.
BINARY = {"Image", "tarfile", "zipfile", "webbrowser", "os", "h5py"}


def calls(file: Path) -> Iterator[tuple[ast.Call, str, str]]:
    """Each call with the name of the function and of what it is taken from."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func
            of = getattr(getattr(called, "value", None), "id", "")
            yield node, getattr(called, "attr", getattr(called, "id", "")), of


def is_binary(call: ast.Call) -> bool:
    values = [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
    texts = [one.value for one in values if isinstance(one, ast.Constant)]
    return any(isinstance(text, str) and len(text) < 4 and "b" in text for text in texts)


def names_encoding(call: ast.Call, name: str) -> bool:
    if any(word.arg == "encoding" for word in call.keywords):
        return True
    # The encoding is the first argument of a method of reading.
    return name == "read_text" and any(isinstance(one, ast.Constant) for one in call.args)


def test_every_text_file_is_opened_with_its_encoding() -> None:
    """Windows has another one by default, and the user's locale decides it elsewhere."""
    missing = []
    for file in FILES:
        for call, name, of in calls(file):
            text = name in ("read_text", "write_text")
            opened = name in ("open", "fdopen", "TextIOWrapper", "NamedTemporaryFile")
            opened = opened and of not in BINARY and not is_binary(call)
            piped = name in ("run", "Popen", "check_output") and any(
                word.arg in ("text", "universal_newlines") for word in call.keywords
            )
            if (text or opened or piped) and not names_encoding(call, name):
                missing.append(f"{file.relative_to(ROOT)}:{call.lineno}")
    assert not missing


def test_no_process_is_forked() -> None:
    """Windows cannot, and a fork of a process with threads may hang on macOS."""
    forks = {"fork", "forkpty", "get_context", "set_start_method", "Process", "Pool"}
    found = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in FILES
        for call, name, of in calls(file)
        if name in forks and of in ("os", "multiprocessing", "mp", "")
    ]
    assert not found


@pytest.mark.parametrize("name", ["CON", "aux.py", "Nul.tar.gz", "com1", "LPT9.csv", "prn "])
def test_devices_of_windows_are_known(name: str) -> None:
    assert is_reserved(name)
    assert not is_reserved(portable(name))


@pytest.mark.parametrize("name", ["context", "com10", "auxiliary.py", "my.con"])
def test_other_names_are_no_devices(name: str) -> None:
    assert not is_reserved(name)
    assert portable(name) == name


def test_a_name_becomes_that_of_a_file() -> None:
    assert portable("timm:vit/small@518") == "timm_vit_small_518"
    long = [portable("x" * 300 + end) for end in "ab"]
    assert {len(name) for name in long} == {LONGEST}
    assert long[0] != long[1]
    assert portable("") == "_"


def test_names_that_differ_in_case_clash() -> None:
    taken = set[str]()
    assert not clashes("Net.csv", taken)
    assert clashes("net.CSV", taken)


def test_features_of_two_extractors_have_two_files_on_every_disk(tmp_path: Path) -> None:
    places = check_place(tmp_path, ["con", "net"], "csv")
    assert places["con"].name == "_con.csv"
    with pytest.raises(UnusableInput, match="two extractors would have this file"):
        check_place(tmp_path, ["Net", "net"], "csv")


@pytest.mark.parametrize("name", ["con", "AUX", "nul"])
def test_a_plugin_is_not_named_after_a_device(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="on Windows"):
        write_skeleton(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_figures_of_groups_with_long_names_have_short_files() -> None:
    keys = [("d", "s" * 300 + end, "crop", "256", "official", "1.0") for end in "ab"]
    found = list(slugs(keys).values())
    assert len(set(found)) == 2
    assert max(map(len, found)) < 100


def on_windows(monkeypatch: pytest.MonkeyPatch, enabled: int | None) -> None:
    class Key:
        def __enter__(self) -> "Key":
            return self

        def __exit__(self, *error: object) -> None: ...

    def value(key: Key, name: str) -> tuple[int, int]:
        if enabled is None:
            raise FileNotFoundError
        return enabled, 4

    registry = types.SimpleNamespace(
        OpenKey=lambda root, place: Key(), QueryValueEx=value, HKEY_LOCAL_MACHINE=0
    )
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "winreg", registry)


@pytest.mark.parametrize(
    ("letters", "enabled", "states"),
    [(60, 0, ["ok"]), (60, None, ["ok"]), (200, 0, ["bad"]), (200, 1, [])],
)
def test_paths_that_windows_refuses_are_found_before_a_run(
    monkeypatch: pytest.MonkeyPatch, letters: int, enabled: int | None, states: list[str]
) -> None:
    on_windows(monkeypatch, enabled)
    found = list(doctor._long_paths(Path("/" + "c" * (letters - 1))))
    assert [one.state for one in found] == states


def test_the_longest_kind_is_no_longer_than_the_doctor_thinks() -> None:
    assert max(map(len, KINDS)) <= doctor._LONGEST_KIND


def test_elsewhere_there_is_no_limit() -> None:
    if sys.platform != "win32":
        assert list(doctor._long_paths(Path("/" + "c" * 300))) == []
