"""Downloading the real set: what is printed, checked, kept and resumed; libraries are simulated."""

import dataclasses
import logging
import os
import shutil
import sys
import types
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from bench.__main__ import main
from bench.data.cbis_ddsm import download, download_sources
from bench.data.cbis_ddsm.case_tables import PUBLISHED_ROWS
from bench.data.cbis_ddsm.loader import CITATION, LICENCE
from bench.errors import INTERRUPTED, UnusableInput

TABLES = [f"{kind}_case_description_{split}_set.csv" for kind, split in PUBLISHED_ROWS]
SERIES = ["1.3.6.1", "1.3.6.2", "1.3.6.3"]
IMAGES = 4  # of the small set in these tests


@pytest.fixture(autouse=True)
def small_sources(monkeypatch):
    """Both sources with a small set, no bytes to speak of, and a library that is always there."""
    for name, source in download.SOURCES.items():
        small = dataclasses.replace(source, library="json", images=IMAGES, disk=1000)
        monkeypatch.setitem(download.SOURCES, name, small)


def change(monkeypatch, name, **changes):
    changed = dataclasses.replace(download.SOURCES[name], **changes)
    monkeypatch.setitem(download.SOURCES, name, changed)


def write(file, content=b"."):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def write_kaggle_set(folder):
    for name in TABLES:
        write(folder / "csv" / name)
    for number in range(IMAGES):
        write(folder / "jpeg" / f"1.3.6.{number}" / "1-001.jpg")


class Kagglehub(types.ModuleType):
    """Keeps its files below $KAGGLEHUB_CACHE as the library does; fails when `stops` is set."""

    def __init__(self):
        super().__init__("kagglehub")
        self.stops = None
        self.handles = []
        self.resumed_from = []
        self.seen = {}

    def dataset_download(self, handle):
        self.handles.append(handle)
        self.seen = dict(os.environ)
        base = Path(os.environ["KAGGLEHUB_CACHE"]) / "datasets" / "owner" / "set"
        archive, unpacked = base / "1.archive", base / "versions" / "1"
        if not (base / "1.complete").exists():
            self.resumed_from.append(archive.stat().st_size if archive.exists() else 0)
            if self.stops is not None:
                write(archive, b"half of it")
                raise self.stops
            write_kaggle_set(unpacked)
            archive.unlink(missing_ok=True)
            write(base / "1.complete")
        return str(unpacked)


@pytest.fixture
def kagglehub(monkeypatch):
    library = Kagglehub()
    monkeypatch.setitem(sys.modules, "kagglehub", library)
    return library


class IdcClient:
    """Writes two files a series; as idc-index, reports only in its log what was not downloaded."""

    def __init__(self):
        self.requested = []
        self.lost = set()
        rows = [("cbis_ddsm", uid, count) for uid, count in zip(SERIES, (1, 2, 1), strict=True)]
        rows.append(("another", "1.9.9", 1))
        columns = ["collection_id", "SeriesInstanceUID", "instanceCount"]
        self.index = pd.DataFrame(rows, columns=columns)

    def download_from_selection(self, downloadDir, seriesInstanceUID, dirTemplate):
        assert dirTemplate == "%SeriesInstanceUID"
        self.requested.append(list(seriesInstanceUID))
        counts = self.index.set_index("SeriesInstanceUID")["instanceCount"]
        for uid in seriesInstanceUID:
            if uid in self.lost:
                message = f'it failed:\nERROR "cp s3://{uid}/* there": dial tcp: no such host'
                logging.getLogger("idc_index.index").error(message)
                continue
            for number in range(counts[uid]):
                write(Path(downloadDir) / uid / f"{number}.dcm")


@pytest.fixture
def idc(monkeypatch):
    client = IdcClient()
    module = types.ModuleType("idc_index.index")
    module.IDCClient = lambda: client
    monkeypatch.setitem(sys.modules, "idc_index", types.ModuleType("idc_index"))
    monkeypatch.setitem(sys.modules, "idc_index.index", module)
    monkeypatch.setattr(download_sources, "_check_reachable", lambda address: None)
    return client


def fetched(name, folder):
    lines = []
    download.download(name, folder, lines.append)
    return lines


def refused(name, folder):
    with pytest.raises(UnusableInput) as caught:
        fetched(name, folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


# what is printed


@pytest.mark.parametrize("name", ["kaggle", "idc"])
def test_everything_is_announced_before_anything_is_fetched(monkeypatch, tmp_path, name):
    events = []

    def fetch(folder):
        events.append("FETCH")
        raise OSError("enough")

    change(monkeypatch, name, fetch=fetch)
    with pytest.raises(UnusableInput, match="enough"):
        download.download(name, tmp_path / "set", events.append)
    assert events[-1] == "FETCH"
    text = "\n".join(events[:-1])
    for part in (LICENCE, CITATION, str(tmp_path / "set"), "about", "GB to download"):
        assert part in text


def test_idc_says_before_and_after_which_tables_to_put_where(idc, tmp_path):
    lines = fetched("idc", tmp_path)
    about = [number for number, line in enumerate(lines) if all(name in line for name in TABLES)]
    assert len(about) == 2
    for number in about:
        assert str(tmp_path / "csv") in lines[number + 1]
        assert download.TABLES_PAGE in lines[number + 1]
    counted = next(n for n, line in enumerate(lines) if "4 image files and 0 of 4" in line)
    assert about[0] < counted < about[1]


def test_idc_asks_only_for_the_tables_that_are_missing(idc, tmp_path):
    for name in TABLES[:3]:
        write(tmp_path / "csv" / name)
    lines = fetched("idc", tmp_path)
    assert any(TABLES[3] in line for line in lines)
    assert not any(TABLES[0] in line for line in lines)
    write(tmp_path / "csv" / TABLES[3])
    assert not any("csv" in line for line in fetched("idc", tmp_path))


def test_the_next_command_can_be_pasted(kagglehub, tmp_path):
    lines = fetched("kaggle", tmp_path / "my data")
    assert lines[-1] == f"next: python -m bench data info '{tmp_path / 'my data'}'"


# Kaggle


def test_kaggle_ends_with_images_and_tables_in_the_folder_itself(kagglehub, tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", "mine")
    monkeypatch.delenv("DISABLE_KAGGLE_CACHE", raising=False)
    lines = fetched("kaggle", tmp_path / "set")
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["csv", "jpeg"]
    assert len(list((tmp_path / "set").glob("jpeg/*/*.jpg"))) == IMAGES
    assert any("4 image files and 4 of 4 case tables" in line for line in lines)
    assert kagglehub.handles == ["awsaf49/cbis-ddsm-breast-cancer-image-dataset/versions/1"]
    assert kagglehub.seen["DISABLE_KAGGLE_CACHE"] == kagglehub.seen["DISABLE_COLAB_CACHE"] == "true"
    assert Path(kagglehub.seen["KAGGLEHUB_CACHE"]).parent == tmp_path / "set"
    assert os.environ["KAGGLEHUB_CACHE"] == "mine"
    assert "DISABLE_KAGGLE_CACHE" not in os.environ


def test_kaggle_goes_on_from_a_partial_archive(kagglehub, tmp_path):
    kagglehub.stops = OSError("connection reset")
    message = refused("kaggle", tmp_path)
    assert "connection reset" in message
    assert "run the same command again" in message
    assert not (tmp_path / "jpeg").exists()
    kagglehub.stops = None
    fetched("kaggle", tmp_path)
    assert kagglehub.resumed_from == [0, len(b"half of it")]


def test_kaggle_goes_on_with_a_move_that_was_interrupted(kagglehub, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download_sources, "_move_into", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetched("kaggle", tmp_path)
    unpacked = next(tmp_path.glob(".kagglehub/datasets/*/*/versions/1"))
    (tmp_path / "jpeg").mkdir()
    (unpacked / "jpeg" / "1.3.6.0").rename(tmp_path / "jpeg" / "1.3.6.0")
    fetched("kaggle", tmp_path)
    assert kagglehub.resumed_from == [0]  # nothing was fetched twice
    assert len(list(tmp_path.glob("jpeg/*/*.jpg"))) == IMAGES
    assert not (tmp_path / ".kagglehub").exists()


def interrupt(*_):
    raise KeyboardInterrupt


def test_kaggle_replaces_no_file_that_is_not_its_own(kagglehub, tmp_path):
    kagglehub.stops = OSError("connection reset")
    refused("kaggle", tmp_path)
    kagglehub.stops = None
    write(tmp_path / "csv" / TABLES[0], b"mine")
    message = refused("kaggle", tmp_path)
    assert str(tmp_path / "csv" / TABLES[0]) in message
    assert (tmp_path / "csv" / TABLES[0]).read_bytes() == b"mine"
    (tmp_path / "csv" / TABLES[0]).unlink()
    fetched("kaggle", tmp_path)


@pytest.mark.parametrize("name", ["csv", "jpeg"])
def test_kaggle_refuses_a_folder_with_such_files_before_it_fetches(kagglehub, tmp_path, name):
    write(tmp_path / name / "notes.txt")
    assert f"holds {name} already" in refused("kaggle", tmp_path)
    assert kagglehub.handles == []


# the Imaging Data Commons


def test_idc_fetches_the_collection_alone_into_folders_of_series(idc, tmp_path):
    fetched("idc", tmp_path)
    assert idc.requested == [SERIES]
    assert sorted(path.name for path in (tmp_path / "dicom").iterdir()) == SERIES


def test_idc_asks_again_only_for_series_that_are_not_whole(idc, tmp_path):
    place = tmp_path / "dicom"
    write(place / SERIES[0] / "0.dcm")
    write(place / SERIES[1] / "0.dcm")
    write(place / SERIES[1] / "1.dcm123456")  # how s5cmd names a file until it is whole
    fetched("idc", tmp_path)
    assert idc.requested == [SERIES[1:]]
    assert not list(place.glob("*/*.dcm?*"))


def test_idc_stops_after_the_first_call_that_brings_too_little(idc, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(download_sources, "IDC_BATCH", 1)
    idc.lost = {SERIES[1]}
    message = refused("idc", tmp_path)
    assert "1 of 1 series were not downloaded: dial tcp: no such host" in message
    assert idc.requested == [[SERIES[0]], [SERIES[1]]]
    assert not caplog.records  # thousands of lines otherwise, with nothing that is not in the one
    idc.lost = set()
    fetched("idc", tmp_path)
    assert idc.requested[2:] == [[SERIES[1]], [SERIES[2]]]


def test_idc_asks_nothing_where_nothing_answers(idc, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    with pytest.raises(OSError, match="no such host"):
        download_sources.fetch_idc(tmp_path)
    assert idc.requested == []


def test_any_answer_counts_as_reachable(monkeypatch):
    def denied(address, timeout):
        raise urllib.error.HTTPError(address, 403, "Forbidden", None, None)

    monkeypatch.setattr(urllib.request, "urlopen", denied)
    download_sources._check_reachable(download_sources.IDC_BUCKET)


def no_network(address, timeout):
    raise urllib.error.URLError(OSError(-2, "no such host"))


# what is there already


@pytest.mark.parametrize("name", ["kaggle", "idc"])
def test_a_complete_download_is_not_fetched_again(monkeypatch, kagglehub, idc, tmp_path, name):
    fetched(name, tmp_path)
    change(monkeypatch, name, fetch=interrupt, library="no_such_library", disk=10**18)
    lines = fetched(name, tmp_path)
    assert lines[0].startswith("nothing to fetch")
    assert lines[-1].startswith("next: ")


@pytest.mark.parametrize("name", ["kaggle", "idc"])
def test_a_lost_file_makes_it_incomplete(monkeypatch, kagglehub, idc, tmp_path, name):
    fetched(name, tmp_path)
    next(tmp_path.glob(download.SOURCES[name].pattern)).unlink()
    if name == "idc":
        assert "nothing to fetch" not in fetched(name, tmp_path)[0]
    else:
        assert "holds csv and jpeg already" in refused(name, tmp_path)


def test_a_download_that_ends_short_is_no_success(monkeypatch, kagglehub, tmp_path):
    change(monkeypatch, "kaggle", images=IMAGES + 1)
    message = refused("kaggle", tmp_path)
    assert "4 of 5 image files and 4 case tables" in message


# refusals


def test_an_unknown_source_is_refused(tmp_path):
    message = refused("tcia", tmp_path)
    assert "'tcia'" in message
    assert "kaggle, idc" in message


def test_a_missing_library_is_named_with_the_way_to_get_it(monkeypatch, tmp_path):
    change(monkeypatch, "kaggle", library="no_such_library")
    message = refused("kaggle", tmp_path / "set")
    assert message == "no_such_library is not installed: pip install 'vit-svm-bench[download]'"
    assert not (tmp_path / "set").exists()


def test_a_file_is_no_folder(tmp_path):
    write(tmp_path / "set")
    assert "is a file" in refused("idc", tmp_path / "set")


def test_too_small_a_disk_is_refused_with_both_figures(monkeypatch, idc, tmp_path):
    usage = shutil.disk_usage(tmp_path)._replace(free=999)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    message = refused("idc", tmp_path / "new" / "set")
    assert "1,000 bytes are needed" in message
    assert "999 are free" in message
    assert idc.requested == []


@pytest.mark.parametrize(
    ("name", "kept"),
    [("kaggle", ".kagglehub/datasets/owner/set/1.archive"), ("idc", "dicom/1.3.6.1/0.dcm")],
)
def test_what_is_there_already_needs_no_space_again(
    monkeypatch, kagglehub, idc, tmp_path, name, kept
):
    usage = shutil.disk_usage(tmp_path)._replace(free=400)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    write(tmp_path / kept, bytes(599))
    assert "401 bytes are needed" in refused(name, tmp_path)
    write(tmp_path / kept, bytes(600))
    fetched(name, tmp_path)


# why a download stopped


class HttpError(OSError):
    """As requests raises it: with the server's response."""

    def __init__(self, status):
        super().__init__(f"{status} Client Error.\n\nYou don't have permission")
        self.response = types.SimpleNamespace(status_code=status)


def layered():
    """A lost connection as requests reports it: three layers, the cause in the lowest."""
    try:
        try:
            raise OSError(-2, "Name or service not known")
        except OSError as error:
            raise RuntimeError("Max retries exceeded with url: /v1/" + "x" * 300) from error
    except RuntimeError as error:
        wrapped = OSError(error)
        wrapped.__context__ = error
        return wrapped


def bad_credentials():
    """A broken kaggle.json as kagglehub reports it: the file is named in the uppermost layer."""
    error = ValueError("Invalid Kaggle credentials file at kaggle.json")
    error.__cause__ = ValueError("Expecting value: line 1 column 1")
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (layered(), "(Name or service not known)"),
        (HttpError(401), "the server answered 401: an API token is needed"),
        (HttpError(403), "https://www.kaggle.com/settings/api"),
        (HttpError(404), "404 Client Error. You don't have permission"),
        (bad_credentials(), "Invalid Kaggle credentials file at kaggle.json"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_a_failure_is_one_line_with_its_cause(kagglehub, tmp_path, error, cause):
    kagglehub.stops = error
    message = refused("kaggle", tmp_path)
    assert message.startswith(f"{tmp_path}: the download stopped (")
    assert cause in message
    assert "run the same command again to continue it" in message
    assert list(tmp_path.glob(".kagglehub/**/1.archive"))


# the command


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["bench", "data", "download", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_the_command_fetches_from_kaggle_by_default(monkeypatch, capsys, kagglehub, tmp_path):
    assert not run(monkeypatch, tmp_path)
    assert "next: python -m bench data info" in capsys.readouterr().out
    assert len(kagglehub.handles) == 1


def test_a_failure_ends_the_command_in_one_line_and_status_2(
    monkeypatch, capsys, kagglehub, tmp_path
):
    kagglehub.stops = OSError("connection reset")
    assert run(monkeypatch, tmp_path, "--source", "kaggle") == 2
    error = capsys.readouterr().err
    assert error.startswith("bench: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error


def test_ctrl_c_ends_the_command_with_status_130(monkeypatch, capsys, kagglehub, tmp_path):
    kagglehub.stops = KeyboardInterrupt()
    assert run(monkeypatch, tmp_path) == INTERRUPTED
    assert "the same command goes on" in capsys.readouterr().err
    assert list(tmp_path.glob(".kagglehub/**/1.archive"))
