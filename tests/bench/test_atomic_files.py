"""What a person names to be written is written whole, and nothing else is lost for it."""

import os
from pathlib import Path

import pytest

from bench.atomic_files import whole_folder
from bench.errors import UnusableInput
from bench.record.folder import output_file
from reports.whole_files import write_whole


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "mine"

    def fill(also: Exception | None) -> None:
        with whole_folder(target) as folder:
            (folder / "first").write_text("1")
            if also is not None:
                raise also

    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            fill(error)  # type: ignore[arg-type]
        assert list(target.parent.iterdir()) == []
    fill(None)
    assert [one.name for one in target.parent.iterdir()] == ["mine"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_no_device_and_no_pipe_is_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=r"a device or a pipe.*pipe"):
        write_whole(pipe, b"x")
    assert pipe.is_fifo()
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


def test_a_link_stays_one_and_its_file_is_written(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    try:
        link.symlink_to(tmp_path / "target.csv")
    except OSError:
        pytest.skip("this system makes no links")
    write_whole(output_file(link), b"x")
    assert link.is_symlink()
    assert (tmp_path / "target.csv").read_bytes() == b"x"
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    with pytest.raises(UnusableInput, match="leads to itself"):
        output_file(loop)
