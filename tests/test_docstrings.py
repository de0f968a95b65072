"""Docstrings are numpydoc, with types that agree with the signatures.

A section (Parameters, Returns, Yields, Attributes) may be missing where the summary line says all,
but not on what a package exports. A type is written as in the signature, followed, for arrays, by
its shape: `features : NDArray[np.float32], shape (n, d)`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bench", "classifiers", "extractors", "reports")
FILES = [file for name in PACKAGES for file in sorted((ROOT / name).rglob("*.py"))]
# Where notebooks import from.
EXPORTING = ("bench/data", "classifiers", "extractors", "reports")
# What may follow a type.
_AFTER_TYPE = re.compile(r", (shapes?|default|optional)\b.*", re.DOTALL)
# "name : text" outside of a section, which numpydoc would not read as a parameter.
_LOOSE = re.compile(r"(?:^|(?<=\. ))\s*[a-z_]\w*(?:, \w+)* : ", re.MULTILINE)

Definition = ast.FunctionDef | ast.ClassDef


def exported() -> set[str]:
    """The names in the `__all__` of the packages that notebooks import from."""
    names: set[str] = set()
    for package in EXPORTING:
        for node in ast.parse((ROOT / package / "__init__.py").read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names |= set(ast.literal_eval(node.value))
    return names


EXPORTED = exported()


def public(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, Definition, bool]]:
    """Public functions, classes and methods: name, node, and whether it is exported."""
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        is_exported = (owner or node.name) in EXPORTED
        yield f"{owner}.{node.name}".lstrip("."), node, is_exported
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, owner or node.name)


def written(annotation: ast.expr | None) -> str:
    """An annotation as the signature has it, without quotes."""
    return ast.unparse(annotation).replace("'", "").replace('"', "") if annotation else ""


def without_shape(kind: str) -> str:
    """The type of a docstring without shape and default."""
    return _AFTER_TYPE.sub("", " ".join(kind.split())).replace('"', "").replace("'", "")


def arguments(node: ast.FunctionDef) -> dict[str, str]:
    """Names and types of a function's arguments without self and cls."""
    spec = node.args
    every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
    found = {arg.arg: written(arg.annotation) for arg in every if arg.arg not in ("self", "cls")}
    if spec.vararg:
        found[f"*{spec.vararg.arg}"] = written(spec.vararg.annotation)
    if spec.kwarg:
        found[f"**{spec.kwarg.arg}"] = written(spec.kwarg.annotation)
    return found


def fields(node: ast.ClassDef) -> dict[str, str]:
    """Names and types of the public fields that a class declares."""
    return {
        item.target.id: written(item.annotation)
        for item in node.body
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and not item.target.id.startswith("_")
        and item.target.id != "model_config"
    }


def entries(parsed: NumpyDocString, section: str) -> dict[str, tuple[str, str]]:
    """Of each name in a section its type and text; `a, b : type` are two."""
    found = {}
    for entry in parsed[section]:
        for name in entry.name.split(", ") if entry.name else [""]:
            found[name] = (without_shape(entry.type), " ".join(entry.desc).strip())
    return found


def is_plain(node: ast.FunctionDef) -> bool:
    """Whether it is a property or gives back nothing."""
    names = {ast.unparse(decorator) for decorator in node.decorator_list}
    return bool(names & {"property", "cached_property", "functools.cached_property"})


def check_listed(listed: dict[str, tuple[str, str]], actual: dict[str, str]) -> Iterator[str]:
    """What is wrong with a section whose names and types are known."""
    missing = [name for name in actual if name not in listed]
    unknown = [name for name in listed if name not in actual]
    if missing:
        yield f"does not mention {', '.join(missing)}"
    if unknown:
        yield f"mentions {', '.join(unknown)}, which it does not have"
    for name, (kind, text) in listed.items():
        if name in actual and kind != actual[name].replace("'", ""):
            yield f"{name} is {actual[name]!r} in the signature and {kind!r} in the docstring"
        if not text:
            yield f"{name} has no text"


def check_function(node: ast.FunctionDef, text: str, is_exported: bool) -> Iterator[str]:
    """What is wrong with a function's docstring."""
    parsed = NumpyDocString(text)
    actual, listed = arguments(node), entries(parsed, "Parameters")
    if listed or (is_exported and actual):
        yield from check_listed(listed, actual)
    if is_exported and not is_plain(node) and any(kind == "object" for kind in actual.values()):
        yield "takes a bare object"
    returned = written(node.returns)
    given = [*parsed["Returns"], *parsed["Yields"]]
    # Without a name, the parser reads the type into the one or the other.
    kinds = {without_shape(entry.type or entry.name) for entry in given}
    iterated = re.fullmatch(r"(?:Iterator|Iterable|Generator)\[(.*)\]", returned)
    allowed = {returned, iterated[1] if iterated else returned}
    if len(given) == 1 and not kinds & allowed:
        yield f"returns {returned!r} by its signature and {kinds} by its docstring"
    if any(not " ".join(entry.desc).strip() for entry in given):
        yield "has a return value without text"
    if is_exported and not given and returned not in ("None", "") and not is_plain(node):
        yield f"does not say what it returns ({returned})"


def check_class(node: ast.ClassDef, text: str, is_exported: bool) -> Iterator[str]:
    """What is wrong with a class' docstring."""
    parsed = NumpyDocString(text)
    attributes, parameters = entries(parsed, "Attributes"), entries(parsed, "Parameters")
    constructor = next(
        (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None
    )
    if constructor is not None:
        if parameters or (is_exported and arguments(constructor)):
            yield from check_listed(parameters, arguments(constructor))
        return
    if parameters and attributes:
        attributes |= parameters
    elif parameters:
        attributes = parameters
    if attributes or (is_exported and fields(node)):
        yield from check_listed(attributes, fields(node))


def loose_lines(text: str) -> list[str]:
    """Lines of the form `name : text` above the first section."""
    head = re.split(r"\n\s*[A-Z][a-z ]+\n\s*-{3,}", text)[0]
    return [line.strip() for line in _LOOSE.findall(head)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_docstrings(file: Path) -> None:
    tree = ast.parse(file.read_text())
    problems = [] if ast.get_docstring(tree) else ["the file has no docstring"]
    for name, node, is_exported in public(tree.body):
        text = ast.get_docstring(node)
        if not text:
            if not (isinstance(node, ast.FunctionDef) and is_plain(node)):
                problems.append(f"{node.lineno} {name}: no docstring")
            continue
        check = check_class if isinstance(node, ast.ClassDef) else check_function
        problems += [f"{node.lineno} {name}: {p}" for p in check(node, text, is_exported)]
        problems += [f"{node.lineno} {name}: loose {line!r}" for line in loose_lines(text)]
    assert not problems, "\n" + "\n".join(problems)
