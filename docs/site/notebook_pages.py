"""A notebook as a page: its text and its code, without outputs."""

import json
from pathlib import Path


def as_markdown(notebook: Path) -> str:
    """The cells of a notebook in Markdown, with a link to the file."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        text = "".join(cell["source"]).strip()
        if cell["cell_type"] == "markdown":
            parts.append(text.replace("](../docs/", "](../"))
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{text}\n```")
    # Behind the heading, which is the first line of the first cell.
    heading, _, rest = parts[0].partition("\n")
    link = f"[The notebook]({notebook.name}): save it, and open it in Jupyter."
    return "\n\n".join([heading, link, rest.strip(), *parts[1:]]) + "\n"
