"""Builds the site: pages that are filled from the code, and links that lead out of docs/.

A page of docs/ that holds `<!-- filled: NAME -->` has there what the function NAME in FILLED gives;
on GitHub it is read without. Files of the root (README and others) and the notebooks become pages.
"""

import re
from pathlib import Path

import filled_from_code
import filled_from_options
import filled_from_tables
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebook_pages import as_markdown

ROOT = Path(__file__).resolve().parents[2]

FILLED = {
    "commands": filled_from_options.commands,
    "keys": filled_from_options.keys,
    "messages": filled_from_code.messages,
    "tables": filled_from_tables.tables,
    "run files": filled_from_tables.run_files,
    "manifest": filled_from_tables.manifest,
    **{
        f"names of {package}": filled_from_code.names(package)
        for package in filled_from_code.PACKAGES
    },
}

# Files of the root that are pages of the site.
PAGES = {
    "README.md": "overview.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "code_of_conduct.md",
    "SECURITY.md": "security.md",
}
# Files of the root that pages link to.
FILES = ("CITATION.cff", "LICENSE")

_LINK = re.compile(r"(?<=\]\()([^)#\s]+)(?=[)#])")
_MARK = re.compile(r"<!-- filled: ([\w. ]+) -->")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    for name in FILES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for notebook in sorted((ROOT / "examples").glob("*.ipynb")):
        page = f"notebooks/{notebook.stem}.md"
        files.append(File.generated(config, page, content=as_markdown(notebook)))
        place = f"notebooks/{notebook.name}"
        files.append(File.generated(config, place, abs_src_path=str(notebook)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill what is marked, and turn links to the repository's files into links to pages."""

    def fill(match: re.Match[str]) -> str:
        if match[1] not in FILLED:
            raise PluginError(f"{page.file.src_uri}: nothing fills {match[1]!r}")
        return FILLED[match[1]]()

    where = page.file.src_uri
    # How a link to the root begins on this page; the pages of the root are there themselves.
    to_root = "" if where in PAGES.values() else "../" * (where.count("/") + 1)
    text = _LINK.sub(lambda match: _on_the_site(match[1], to_root, where.count("/")), markdown)
    return _MARK.sub(fill, text)


def _on_the_site(link: str, to_root: str, depth: int) -> str:
    """Where a link of a page leads on the site, whose root is docs/; others stay as they are."""
    if link.startswith(("http:", "https:", "mailto:")) or not link.startswith(to_root):
        return link
    name = link.removeprefix(to_root)
    if name.startswith("examples/"):
        name = name.replace("examples/", "notebooks/").replace(".ipynb", ".md")
    return "../" * depth + PAGES.get(name, name.removeprefix("docs/"))
