"""A crop stack on disk: the raw squares in one file, and a JSON file beside it, written last.

The JSON file holds the checksum of the squares and of itself. What does not match is removed and
counts as absent, so that it is decoded again.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bench.atomic_files import write_atomically
from bench.store import array_digest, digest, file_digest
from reports.whole_files import whole_path

Record = dict[str, Any]


class StackWriter:
    """Takes squares in any order and records for every row its square or why it has none.

    Squares go through plain writes, not a memory map: on a full disk a write is an error that can
    be reported, a memory map ends the process.

    Parameters
    ----------
    stream : BinaryIO
        Where the squares go.
    rows : int
        Number of rows.
    size : int
        Side of a square in pixels.
    """

    def __init__(self, stream: BinaryIO, rows: int, size: int) -> None:
        self._stream = stream
        self._bytes = size * size
        self.records: list[Record] = [{} for _ in range(rows)]

    def put(
        self, row: int, square: NDArray[np.uint8], shape: tuple[int, int], facts: Record
    ) -> None:
        """Keep the square of a row with its native shape and further facts."""
        self._stream.seek(row * self._bytes)
        self._stream.write(square.tobytes())
        self.records[row] = {
            "digest": array_digest(square),
            "height": shape[0],
            "width": shape[1],
            **facts,
        }

    def skip(self, row: int, reason: str) -> None:
        """Note that a row has no square."""
        self.records[row] = {"reason": reason}

    def readable(self) -> list[bool]:
        """For every row whether it has a square."""
        return ["digest" in record for record in self.records]

    def close_gaps(self) -> None:
        """Move squares together where rows were skipped, and cut the file to its length."""
        kept = 0
        for row, has_square in enumerate(self.readable()):
            if has_square:
                if kept != row:
                    self._stream.seek(row * self._bytes)
                    square = self._stream.read(self._bytes)
                    self._stream.seek(kept * self._bytes)
                    self._stream.write(square)
                kept += 1
        self._stream.truncate(kept * self._bytes)


@contextlib.contextmanager
def writing(file: Path, rows: int, size: int) -> Iterator[StackWriter]:
    """A writer whose stack appears at `file` once the block has ended without an error."""
    sidecar = file.with_suffix(".json")
    with whole_path(file) as temporary:
        with temporary.open("w+b") as stream:
            writer = StackWriter(stream, rows, size)
            yield writer
            writer.close_gaps()
        body = {"records": writer.records, "images": file_digest(temporary)}
    write_atomically(sidecar, json.dumps({"body": body, "sha256": digest(body)}))


def forget(file: Path) -> None:
    """Make a stack count as absent; whoever has opened it can go on reading."""
    file.with_suffix(".json").unlink(missing_ok=True)


def open_stack(file: Path, rows: int, size: int) -> tuple[NDArray[np.uint8], list[Record]] | None:
    """The squares (read-only) and every row's record, or None where they are not whole.

    OSError where they are there and cannot be read now.
    """
    sidecar = file.with_suffix(".json")
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
        body = content["body"]
        records: list[Record] = body["records"]
        kept = sum("digest" in record for record in records)
        whole = (
            digest(body) == content["sha256"]
            and len(records) == rows
            and file.stat().st_size == kept * size * size
            and file_digest(file) == body["images"]
        )
        if whole:
            return np.memmap(file, np.uint8, "r", shape=(kept, size, size)), records
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError):
        pass
    with contextlib.suppress(OSError):
        sidecar.unlink(missing_ok=True)
    return None
