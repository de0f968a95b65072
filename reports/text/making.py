"""Sentences on how features were made: elsewhere, in which precision, under which rules."""

from reports.systems.kinds import networks_run, parts, sees_images
from reports.systems.names import names_svm
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run, section
from reports.systems.schema import IMPORTED
from reports.values import gibibytes, short


def imported_features(run: Run, ran: list[PooledSystem]) -> list[str]:
    """Which features were made elsewhere, and by what their files are known."""
    files = section(section(run.manifest, "configuration"), "features")
    used = {
        str(part.get("network"))
        for s in ran
        for part in parts(s)
        if part.get("library") == IMPORTED
    }
    described = [f"{name} (SHA-256 {short(files[name])})" for name in files if name in used]
    if not described:
        return []
    return [
        f"Features that were made elsewhere and read from a file: {', '.join(described)}; their "
        "cost was not measured here, and what made them may have seen anything."
    ]


def precisions(run: Run, ran: list[PooledSystem]) -> list[str]:
    """In which precision features were extracted and networks trained."""
    sentences = []
    found: dict[str, list[str]] = {}
    for system in ran:
        for precision in system.units["precision"].dropna().unique():
            if short(precision) and sees_images(system):
                found.setdefault(str(precision), []).append(str(system.identity["extractor"]))
    if found:
        listed = "; ".join(f"{p} ({', '.join(dict.fromkeys(n))})" for p, n in found.items())
        sentences.append(f"Features were extracted in {listed}.")
    trained = list(dict.fromkeys(map(str, run.trainings["precision"].dropna())))
    if any(trained):
        sentences.append(f"Networks were trained in {', '.join(filter(None, trained))}.")
    return sentences


def rules_obeyed(run: Run, ran: list[PooledSystem]) -> list[str]:
    """What the machines that did the work were set to, because it can change a figure."""
    rules = section(section(run.manifest, "configuration"), "rules")
    sentences = []
    if "device" in rules and any(map(networks_run, ran)):
        rounded = "rounded to TF32" if rules.get("tf32") else "never rounded to TF32"
        sentences.append(
            f"Networks ran on the device {rules['device']}; products of float32 numbers were "
            f"{rounded}."
        )
        # Elsewhere the number is not in the keys of what networks gave.
        if rules["device"] == "cpu":
            sentences.append(f"Their operations took {rules.get('threads')} threads each.")
    if rules.get("memory") and any(names_svm(str(s.identity["classifier"])) for s in ran):
        sentences.append(
            "The support vector machines of a fold could take up to "
            f"{gibibytes(rules['memory'])} of memory."
        )
    return sentences
