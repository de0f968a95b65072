"""The pages of public names and of messages, read from the source without importing it."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bench", "bench.data", "extractors", "classifiers", "reports")

# Exceptions whose message ends a command, or stands in a row's place as the reason.
_ENDINGS = {
    *("UnusableInput", "unusable", "unknown", "WorkStopped", "BackboneError", "MissingWeights"),
    *("UnknownBackbone", "RegistrationError", "TrainingFailed", "RunFolderError", "NotComparable"),
}  # fmt: skip
_REASONS = {"UnreadableImage", "UnusableImages"}


def names(package: str) -> Callable[[], str]:
    """What makes the page of a package: functions, classes, then errors and constants."""

    def page() -> str:
        groups: dict[str, list[str]] = {}
        for name, module in _homes(package).items():
            groups.setdefault(_kind(name, module), []).append(f"::: {module}.{name}")
        order = [one for one in ("Functions", "Classes", "Errors", "Constants") if one in groups]
        parts = [f"## {one}\n\n" + "\n\n".join(groups[one]) for one in order]
        return "\n\n".join(parts)

    return page


def _homes(package: str) -> dict[str, str]:
    """The module of each public name of a package, as its `__init__` says in its imports."""
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text("utf-8"))
    public: list[str] = []
    homes: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            public = ast.literal_eval(node.value)
        elif isinstance(node, ast.ImportFrom):
            homes |= {alias.name: str(node.module) for alias in node.names}
    return {name: homes.get(name, package) for name in public}


def _kind(name: str, module: str) -> str:
    file = ROOT / (module.replace(".", "/") + ".py")
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return "Functions"
        if isinstance(node, ast.ClassDef) and node.name == name:
            text = (ast.unparse(base) for base in node.bases)
            return (
                "Errors"
                if any("Error" in one or "Exception" in one for one in text)
                else _class(name)
            )
    return "Constants"


def _class(name: str) -> str:
    # Their base is an error of the same package.
    return "Errors" if name in _ENDINGS else "Classes"


def messages() -> str:
    """Every message that ends a command, as it stands in the code, under the places it is about."""
    areas = tomllib.loads((Path(__file__).parent / "areas.toml").read_text("utf-8"))
    found: dict[str, dict[str, str]] = {name: {} for name in areas}
    for file, message in _raised():
        for name, area in areas.items():
            if any(file.startswith(place) for place in area["places"]):
                found[name].setdefault(message, file)
                break
    parts = []
    for name, area in areas.items():
        if not found[name]:
            continue
        rows = "\n".join(f"- `{message}`" for message in sorted(found[name], key=str.lower))
        parts.append(f"### {area['title']}\n\n{area['remedy'].strip()}\n\n{rows}")
    return "\n\n".join(parts)


def _raised() -> Iterator[tuple[str, str]]:
    for package in ("bench", "extractors", "classifiers", "reports"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
                    continue
                name = ast.unparse(node.exc.func).split(".")[-1]
                if name in _ENDINGS | _REASONS and node.exc.args:
                    # A name before the message is of the file or option at fault.
                    message = re.sub(r"^(… ?)+: ", "", shown(node.exc.args[-1]))
                    if len(re.findall(r"[a-z]{2,}", message)) > 1:
                        yield str(file.relative_to(ROOT)), message


def shown(node: ast.expr) -> str:
    """A message with `…` for what is known only when it is raised."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        text = shown(node.left) + shown(node.right)
    else:
        text = "…"
    return " ".join(text.replace("`", "'").split())
