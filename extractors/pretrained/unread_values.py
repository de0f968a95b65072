"""Plain values that training scripts leave in checkpoints: named here, and never built.

Only tensors are wanted of a checkpoint. Where its pickle names one of these classes or functions, a
stand-in is put in its place, so that nothing of NumPy's or of anyone else's runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any


class UnreadValue:
    """Stands where a value would: takes whatever is given, and keeps nothing."""

    def __new__(cls, *_given: object) -> UnreadValue:
        return super().__new__(cls)

    def __init__(self, *_given: object) -> None:
        return

    def __setstate__(self, _state: object) -> None:
        return


def _plain_dict(*_given: object) -> dict[Any, Any]:
    """In place of a defaultdict, which is filled by the instructions that follow."""
    return {}


_NUMPY = (
    # NumPy 1 and NumPy 2 have the same functions in modules of different names.
    *(f"numpy.{core}.multiarray" for core in ("core", "_core")),
    *(f"numpy.{core}.numeric" for core in ("core", "_core")),
)
_SCALARS = (
    *("bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "longdouble", "complex64", "complex128", "clongdouble"),
    *("longlong", "ulonglong", "str_", "bytes_", "datetime64", "timedelta64", "object_", "void"),
)
_PLAIN = (
    *(".".join(pair) for pair in itertools.product(_NUMPY, ("scalar", "_reconstruct"))),
    *(f"{module}._frombuffer" for module in _NUMPY),
    *(f"numpy.{name}" for name in ("dtype", "ndarray", *_SCALARS)),
    *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
    *("argparse.Namespace", "types.SimpleNamespace"),
    *(
        # Python 3.13 has the classes of paths in a module of their own.
        f"{module}.{kind}"
        for module in ("pathlib", "pathlib._local")
        for kind in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    ),
    *(
        f"builtins.{name}"
        for name in ("bool", "dict", "float", "frozenset", "int", "list", "range", "slice", "str")
    ),
    *("builtins.tuple", "builtins.bytes", "builtins.object", "fractions.Fraction"),
)

# What `torch.serialization.safe_globals` takes.
UNREAD: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    *((UnreadValue, name) for name in _PLAIN),
    (_plain_dict, "collections.defaultdict"),
]
