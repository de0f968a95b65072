"""The image files of a set by their names, in whatever format they were converted to."""

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from bench.data.folder_files import IMAGE_ENDINGS, escapes_source, files_in
from bench.data.images.decoding import DICOM_ENDINGS
from bench.data.sources import FolderSource, path_problem

MISSING = "no image file of this name is there"
_LOSSY = (".jpg", ".jpeg", ".webp", ".gif")


class ImageFiles:
    """All image files below a folder, by their names without the ending, in lower case.

    Parameters
    ----------
    source : FolderSource
        The data root.
    key : Callable[[str], str], optional
        What of a name, in lower case and without its ending, tells the image.
    """

    def __init__(self, source: FolderSource, key: Callable[[str], str] = str) -> None:
        self._source = source
        self.paths: list[str] = []
        self.others: list[str] = []
        self._by_key: dict[str, list[str]] = {}
        for path in files_in(source, source.root):
            if not path.lower().endswith(IMAGE_ENDINGS):
                self.others.append(path)
                continue
            self.paths.append(path)
            name = key(PurePosixPath(path).stem.lower())
            self._by_key.setdefault(name, []).append(path)

    def find(self, names: Iterable[str], folder: str = "") -> tuple[str, str]:
        """The file for an image, and the reason why there is none; one of the two is empty.

        Parameters
        ----------
        names : Iterable[str]
            What it may be called; the first name that any file has counts.
        folder : str, optional
            Part of the path of the right one, where several have the name.
        """
        for name in names:
            found = self._by_key.get(name.lower(), [])
            right = [path for path in found if folder and folder.lower() in path.lower().split("/")]
            if found:
                best = min(right or found, key=_preference)
                problem = self.problem(best)
                return ("", problem) if problem else (best, "")
        return "", MISSING

    def not_among(self, names: Iterable[str]) -> list[str]:
        """The files that have none of these names."""
        known = {name.lower() for name in names}
        unnamed = (paths for name, paths in self._by_key.items() if name not in known)
        return sorted(path for paths in unnamed for path in paths)

    def problem(self, path: str) -> str:
        """Why a file cannot be read as it lies there; empty if nothing is known."""
        wrong = path_problem(path)
        if wrong:
            return f"its path {wrong}"
        if escapes_source(self._source, path):
            return "a symbolic link leads out of the data root (--follow-links follows it)"
        return "" if (self._source.root / path).is_file() else "the file is missing"


def format_preference(path: str) -> tuple[int, str]:
    """Which of two files of an image comes first: DICOM, PNG and its like, what loses detail."""
    name = path.lower()
    if name.endswith(DICOM_ENDINGS):
        return 0, ""
    return (2 if name.endswith(_LOSSY) else 1), PurePosixPath(name).suffix


def _preference(path: str) -> tuple[int, str]:
    return format_preference(path)[0], path
