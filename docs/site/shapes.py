"""Docstrings say `features : NDArray[np.float32], shape (n, d)`; the shape belongs to the text."""

import re
from typing import Any

import griffe

_TYPED = re.compile(r"^( *)(.*\S), (shapes? \(.*)\n(\s+)(?=\S)", re.MULTILINE)


class Shapes(griffe.Extension):
    """Puts the shape of an array from its type to the beginning of its description."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object that was read."""
        if obj.docstring is not None:
            text = obj.docstring.value
            obj.docstring.value = _TYPED.sub(
                lambda m: f"{m[1]}{m[2]}\n{m[4]}{m[3][0].upper()}{m[3][1:]}. ", text
            )
