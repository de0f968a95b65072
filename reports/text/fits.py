"""What a methods section says of classifiers: the support vector machines, and the others."""

from reports.systems.names import names_svm
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run, manifest_records
from reports.values import by_size, short


def own_classifiers(run: Run, ran: list[str]) -> list[str]:
    """What the classifiers are that a user has registered, and the probe that chooses its C."""
    names = {name.partition("+")[0] for name in ran}
    sentences = []
    for one in manifest_records(run.manifest, "classifiers"):
        if one.get("name") in names:
            how = "" if one.get("standardised") else "not "
            sentences.append(
                f"{one['name']} is a classifier of the authors' own ({one.get('title')}); its "
                f"features are {how}standardised by the training rows."
            )
    if "linear_probe" in names:
        sentences.append(
            "The linear probe is logistic regression with an L2 penalty, with the C that has the "
            "highest mean AUC on five inner folds of the training rows, stratified by label"
            f"{grouped(run)}."
        )
    if any("+platt" in name and not names_svm(name) for name in ran):
        sentences.append(
            "The sigmoids of other classifiers marked platt were fitted to scores of five inner "
            f"folds of the training rows, stratified by label{grouped(run)}."
        )
    return sentences


def machines(run: Run, ran: list[PooledSystem]) -> list[str]:
    """How the support vector machines were set; a tuned one, one on components, one sampled."""
    fitted = [s for s in ran if names_svm(str(s.identity["classifier"]))]
    endings = {end for s in fitted for end in str(s.identity["classifier"]).split("+")[1:]}
    boxes = sorted({short(s.identity["C"]) for s in fitted} - {""}, key=by_size)
    sentences = []
    if fitted:
        sentences.append(
            "Support vector machines work on features standardised by the training rows."
        )
    if boxes:
        sentences.append(
            f"Their box constraint C is {', '.join(boxes)} and their kernel scale follows from the "
            f"number of features{' or the variance retained' if 'pca' in endings else ''}"
            f"{', but for tuned ones' if 'tuned' in endings else ''}."
        )
    if "tuned" in endings:
        sentences.append(
            "Tuned ones take the C and the kernel scale with the highest mean AUC on five inner "
            f"folds of the training rows, stratified by label{grouped(run)}."
        )
    if "pca" in endings:
        sentences.append(
            "Those marked pca work on the principal components of the training rows that keep "
            "95 % of the variance."
        )
    if any("approximate" in system.notes for system in fitted):
        sentences.append("Those marked approximate were fitted on sampled features (Nyström).")
    if any("not converged" in system.notes for system in fitted):
        sentences.append("Those marked not converged stopped at a limit before their tolerance.")
    return sentences


def grouped(run: Run) -> str:
    """How inner folds are grouped, behind "stratified by label"; empty where nobody is known."""
    return f" and grouped{run.by_patient}" if run.patient_ids else ""
