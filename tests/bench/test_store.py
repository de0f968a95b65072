"""The store: what is written whole stays, what was cut short or altered is never handed out."""

import errno
import fcntl
import io
import os
from pathlib import Path

import numpy as np
import pytest

from bench.atomic_files import STALE_SECONDS, remove_stale, write_atomically
from bench.data import write_phantom
from bench.data.crops.stack_files import open_stack, writing
from bench.store import Store, array_digest, digest, noting_use
from reports.whole_files import WRITING, whole_path, write_whole


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def put(store, key="ab" * 32, values=(1.0, 2.0)):
    store.put("features", key, {"x": np.array(values)}, {"seconds": 0.5})
    return store.path("features", key)


def test_arrays_and_dictionary_come_back_as_they_were(store):
    put(store)
    found = store.get("features", "ab" * 32)
    np.testing.assert_array_equal(found.arrays["x"], [1.0, 2.0])
    assert found.meta == {"seconds": 0.5}
    assert store.get("features", "cd" * 32) is None
    assert store.get("units", "ab" * 32) is None


def test_an_artifact_may_hold_no_array(store):
    store.put("profiles", "k" * 64, {}, {"precision": "float32"})
    assert store.get("profiles", "k" * 64).meta == {"precision": "float32"}


@pytest.mark.parametrize("position", ["first", "middle", "last"])
def test_any_altered_byte_is_noticed_and_the_artifact_removed(store, position):
    path = put(store, values=np.linspace(0, 1, 50))
    content = bytearray(path.read_bytes())
    place = {"first": 9, "middle": len(content) // 2, "last": len(content) - 1}[position]
    content[place] ^= 0x41
    path.write_bytes(content)
    assert store.get("features", "ab" * 32) is None
    assert not path.exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_cut_short_counts_as_none(store, share):
    path = put(store, values=np.linspace(0, 1, 50))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert store.get("features", "ab" * 32) is None


def test_what_cannot_be_read_now_is_an_error_and_not_absent(store, tmp_path):
    import resource

    path = put(store)
    with writing(tmp_path / "crops.stack", 1, 2) as writer:
        writer.put(0, np.zeros((2, 2), np.uint8), (2, 2), {})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files") as of_store:
            store.get("features", "ab" * 32)
        with pytest.raises(OSError, match="Too many open files"):
            open_stack(tmp_path / "crops.stack", 1, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert of_store.value.filename == str(path)
    assert store.get("features", "ab" * 32) is not None
    assert open_stack(tmp_path / "crops.stack", 1, 2) is not None


OPERATIONS = {
    "get": lambda store: store.get("features", "ab" * 32),
    "contains": lambda store: ("features", "ab" * 32) in store,
    "entries": lambda store: list(store.entries("features")),
    "put": put,
    "remove": lambda store: store.remove("features", "ab" * 32),
}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.ESTALE, errno.EIO])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_takes_what_cannot_be_opened_for_absent(store, monkeypatch, operation, number):
    path = put(store)

    def fail(*given, **options):
        raise OSError(number, os.strerror(number), str(path))

    with monkeypatch.context() as patch:
        for place, name in (
            (Path, "stat"), (Path, "open"), (Path, "read_bytes"), (Path, "unlink"),
            (Path, "replace"), (os, "scandir"),
        ):  # fmt: skip
            patch.setattr(place, name, fail)
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            OPERATIONS[operation](store)
    assert caught.value.errno == number
    assert store.get("features", "ab" * 32) is not None


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO])
def test_a_disk_that_is_lost_while_a_file_is_read_is_an_error(store, monkeypatch, number):
    path = put(store)

    class Lost(io.BytesIO):
        def read(self, *size):
            raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda *given, **options: Lost())
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            store.get("features", "ab" * 32)
    assert caught.value.filename == str(path)
    assert path.exists()


@pytest.mark.parametrize(
    "values", [np.zeros(2, complex), np.array(["a"]), np.zeros(2, np.longdouble)]
)
def test_a_type_that_cannot_be_kept_is_not_told_as_a_full_disk(store, values):
    with pytest.raises(TypeError, match=f"features: arrays of {values.dtype} cannot be kept"):
        store.put("features", "ab" * 32, {"x": values}, {})
    assert not [path for path in store.root.rglob("*") if path.is_file()]


def test_entries_are_the_files_of_a_kind(store):
    path = put(store)
    (store.root / "features" / "ab" / f"{WRITING}1.safetensors").touch()
    (store.root / "features" / "notes.txt").touch()
    (entry,) = store.entries("features")
    assert entry.path == path
    assert entry.key == "ab" * 32
    assert entry.size == path.stat().st_size
    assert not list(store.entries("units"))


def test_what_is_read_and_written_is_noted(store):
    put(store)
    with noting_use() as used:
        store.get("features", "ab" * 32)
        store.get("features", "cd" * 32)
        store.put("units", "ef" * 32, {}, {})
    put(store, "12" * 32)
    assert used == {("features", "ab" * 32), ("units", "ef" * 32)}


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "report.html"
    target.write_text("old")

    def fail():
        with whole_path(target) as temporary:
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_writer_left_is_tidied_but_not_what_another_writes_now(store, tmp_path):
    path = put(store)
    old, young = path.parent / f"{WRITING}old", path.parent / f"{WRITING}young"
    for file in (old, young):
        file.write_text("half")
    past = old.stat().st_mtime - STALE_SECONDS - 1
    os.utime(old, (past, past))
    remove_stale(tmp_path)
    assert not old.exists()
    assert young.exists()
    assert path.exists()


def test_a_killed_writers_folder_is_tidied_as_well(tmp_path):
    old = tmp_path / "phantom" / f"{WRITING}old"
    (old / "csv").mkdir(parents=True)
    (old / "csv" / "half.csv").touch()
    os.utime(old, (1, 1))
    remove_stale(tmp_path)
    assert not old.exists()


def test_who_may_read_a_file_is_decided_as_for_any_other(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        # Between two calls another thread would make files that everybody may write.
        monkeypatch.setattr(os, "umask", None)
        with whole_path(tmp_path / "result") as temporary:
            temporary.write_text("whole")
        monkeypatch.undo()
        assert (tmp_path / "result").stat().st_mode & 0o777 == 0o640
        write_phantom(tmp_path / "set", patients=16)
        assert (tmp_path / "set").stat().st_mode & 0o777 == 0o750
    finally:
        monkeypatch.undo()
        os.umask(before)


@pytest.mark.parametrize("write", [write_atomically, write_whole])
def test_what_is_flushed_is_open_for_writing_and_has_its_last_name_only_then(
    tmp_path, monkeypatch, write
):
    flushed = []

    def fsync(number):
        mode = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
        flushed.append((mode, [path.name for path in tmp_path.iterdir()]))

    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path / "report.html", b"whole")
    # Windows flushes nothing that is open for reading alone.
    ((mode, (name,)),) = flushed
    assert mode in (os.O_WRONLY, os.O_RDWR)
    assert name.startswith(WRITING)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_write_that_does_not_fit_is_an_os_error_and_leaves_nothing(store):
    import resource
    import signal

    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match=r"."):
            put(store, values=np.zeros(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert not [path for path in store.root.rglob("*") if path.is_file()]


def test_digest_tells_values_apart_and_refuses_what_it_cannot_read():
    assert digest({"a": 1, "b": [1.5, None]}) == digest({"b": [1.5, None], "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest("1") != digest(1)
    with pytest.raises(TypeError):
        digest({"seed": np.float32(1)})
    with pytest.raises(ValueError, match="JSON"):
        digest(float("nan"))


def test_array_digest_depends_on_type_shape_and_values():
    values = np.arange(6)
    digests = {
        array_digest(a)
        for a in (values, values.reshape(2, 3), values.astype(float), values[::-1], values[:0])
    }
    assert len(digests) == 5
    assert array_digest(values.reshape(2, 3).T) == array_digest(values.reshape(2, 3).T.copy())
