"""The image files below a folder, found in one walk."""

import os
from dataclasses import dataclass
from pathlib import Path

from bench.data.phantom.cases import MARKER

DICOM_ENDINGS = (".dcm", ".dicom")
JPEG_ENDINGS = (".jpg", ".jpeg")
ENDINGS = (*DICOM_ENDINGS, ".png", ".tif", ".tiff", *JPEG_ENDINGS)


@dataclass(frozen=True)
class IndexedFile:
    """An image file.

    Attributes
    ----------
    path : str
        POSIX, relative to the root.
    size : int
        In bytes.
    changed : int
        Time of the last change, of content or attributes, in nanoseconds.
    """

    path: str
    size: int
    changed: int

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def folders(self) -> list[str]:
        """The folders above the file, outermost first."""
        return self.path.split("/")[:-1]

    def ends_with(self, endings: tuple[str, ...]) -> bool:
        """Whether the name has one of some endings, in upper or lower case."""
        return self.path.lower().endswith(endings)


class Walk:
    """A walk over everything below a folder that is not hidden; all its lists are sorted.

    Parameters
    ----------
    root : Path
        The folder.
    follow_links : bool, default False
        Whether symbolic links may lead out of it.

    Attributes
    ----------
    files : list[IndexedFile]
        The image files, by path.
    links : list[str]
        Symbolic links that lead out of the root and are not followed.
    unreadable : list[str]
        Files and folders that cannot be accessed, each with the reason.
    phantoms : list[str]
        Folders ("" is the root) that hold a phantom's marker.
    """

    def __init__(self, root: Path, follow_links: bool = False) -> None:
        self.files: list[IndexedFile] = []
        self.links: list[str] = []
        self.unreadable: list[str] = []
        self.phantoms: list[str] = []
        self._real_root = os.path.realpath(root)
        self._follow_links = follow_links
        self._followed: set[str] = set()
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                # Path.iterdir gives no file types: thousands of files would be looked up twice.
                entries = list(os.scandir(f"{root}/{folder}"))
            except OSError as error:
                self.unreadable.append(f"{folder or '.'} ({error.strerror})")
                continue
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name.startswith(".") or not _is_text(entry.name):
                    continue
                try:
                    waiting += [path] if self._add(entry, path) else []
                except OSError as error:
                    self.unreadable.append(f"{path} ({error.strerror})")
                if entry.name == MARKER:
                    self.phantoms.append(folder)
        self.files.sort(key=lambda file: file.path)
        for names in (self.links, self.unreadable, self.phantoms):
            names.sort()

    def _add(self, entry: "os.DirEntry[str]", path: str) -> bool:
        """Add a file or a link; whether the entry is a folder to be walked."""
        if entry.is_dir(follow_symlinks=False):
            return True
        is_image = entry.name.lower().endswith(ENDINGS)
        leads_out = entry.is_symlink() and not _is_within(self._real_root, entry.path)
        if leads_out and self._follow_links and entry.is_dir():
            return self._is_new(entry.path)
        if leads_out and not self._follow_links:
            if is_image or entry.is_dir():
                self.links.append(path)
        elif is_image and entry.is_file():
            status = entry.stat()
            changed = max(status.st_mtime_ns, status.st_ctime_ns)
            self.files.append(IndexedFile(path, status.st_size, changed))
        return False

    def _is_new(self, link: str) -> bool:
        """Whether a folder outside is met for the first time and does not hold the root."""
        real = os.path.realpath(link)
        if real in self._followed or _is_within(real, self._real_root):
            return False
        self._followed.add(real)
        return True


def _is_within(real_root: str, path: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(real_root)


def _is_text(name: str) -> bool:
    """Whether a name can be decoded in the file system's encoding."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
