"""How a crop stack lies on disk: the raw squares in one file, and a JSON beside it, written last.

The JSON carries the checksum of the squares and of itself; whatever does not fit is removed and
counts as absent, so that it is decoded again.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bench.atomic_files import atomic_path, write_atomically
from bench.store import array_digest, digest, file_digest

Record = dict[str, Any]


class StackWriter:
    """Takes crops in any order and remembers what became of every row.

    Squares go through plain writes, not a memory map: on a full disk a write is an error that can
    be told, a memory map ends the process.
    """

    def __init__(self, stream: BinaryIO, rows: int, size: int) -> None:
        self._stream = stream
        self._bytes = size * size
        self.records: list[Record] = [{} for _ in range(rows)]

    def put(
        self, place: int, square: NDArray[np.uint8], shape: tuple[int, int], told: Record
    ) -> None:
        """Keep the square of a row with its native shape and what else is told of it."""
        self._stream.seek(place * self._bytes)
        self._stream.write(square.tobytes())
        self.records[place] = {
            "digest": array_digest(square),
            "height": shape[0],
            "width": shape[1],
            **told,
        }

    def skip(self, place: int, reason: str) -> None:
        """Note that a row has no square."""
        self.records[place] = {"reason": reason}

    def readable(self) -> list[bool]:
        """For every row whether it has a square."""
        return ["digest" in record for record in self.records]

    def close_gaps(self) -> None:
        """Move squares together where rows were skipped, and cut the file to its length."""
        kept = 0
        for place, has_square in enumerate(self.readable()):
            if has_square:
                if kept != place:
                    self._stream.seek(place * self._bytes)
                    square = self._stream.read(self._bytes)
                    self._stream.seek(kept * self._bytes)
                    self._stream.write(square)
                kept += 1
        self._stream.truncate(kept * self._bytes)


@contextlib.contextmanager
def writing(file: Path, rows: int, size: int) -> Iterator[StackWriter]:
    """A writer whose stack stands at `file` once the block has ended well, and nowhere before."""
    note = file.with_suffix(".json")
    with atomic_path(file) as temporary:
        with temporary.open("w+b") as stream:
            writer = StackWriter(stream, rows, size)
            yield writer
            writer.close_gaps()
        body = {"records": writer.records, "images": file_digest(temporary)}
    write_atomically(note, json.dumps({"body": body, "sha256": digest(body)}))


def forget(file: Path) -> None:
    """Let a stack count as absent; what has loaded it keeps it."""
    file.with_suffix(".json").unlink(missing_ok=True)


def load(file: Path, rows: int, size: int) -> tuple[NDArray[np.uint8], list[Record]] | None:
    """The squares (read-only) and every row's record, or None where they are not whole."""
    note = file.with_suffix(".json")
    try:
        content = json.loads(note.read_text())
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
    except (OSError, ValueError, KeyError, TypeError):
        pass
    with contextlib.suppress(OSError):
        note.unlink(missing_ok=True)
    return None
