"""What a system is, as the manifest says of its extractor; nothing is read from a name.

Sentences and the declared comparisons depend on it; no measure does.
"""

from typing import Any

from reports.systems.pooling import FROZEN, PooledSystem, words
from reports.systems.run_folder import Run, manifest_records
from reports.systems.schema import FUSION, IMPORTED, NETWORK, REFERENCE, SELECTION

# The families that sentences compare; hybrids and others are neither.
CNN, TRANSFORMER = "CNN", "transformer"

FINE_TUNED, FROM_SCRATCH = "fine-tuned", "from scratch"

# The classifier that is the network itself.
OWN_HEAD = "softmax"

# The SVM that represents those of an extractor: its kernel is the most common one.
KERNEL = "medium_gaussian"

# Names of reference points that are made of what readers wrote down begin so.
READER = "reader:"

# A constant score has neither subgroups nor confident mistakes.
MAJORITY = "majority"


def is_reference(system: PooledSystem) -> bool:
    """Whether it is a reference point without a network."""
    return _role(system) == REFERENCE


def is_reading(system: PooledSystem) -> bool:
    """Whether it is what readers wrote down of an image: fitting it takes no time that counts."""
    return is_reference(system) and str(system.identity["extractor"]).startswith(READER)


def is_selected(system: PooledSystem) -> bool:
    """Whether it is the row that may stand for a different system in each fold."""
    return _role(system) == SELECTION


def is_fusion(system: PooledSystem) -> bool:
    """Whether it has the features of several networks side by side."""
    return _role(system) == FUSION


def is_network(system: PooledSystem) -> bool:
    """Whether it has the features, or the head, of a single network."""
    return _role(system) == NETWORK


def sees_images(system: PooledSystem) -> bool:
    """Whether it is one network or several."""
    return _role(system) in (NETWORK, FUSION)


def counts(system: PooledSystem) -> bool:
    """Whether sentences may count it: one network or several, and no weights that were drawn."""
    return sees_images(system) and not drawn(system)


def trained_how(run: Run) -> dict[str, str]:
    """By name, how the networks were trained that sentences may count: no drawn weights."""
    return {
        str(row.get("name")): ", ".join(words(row.get("training"))) or "of unknown training"
        for row in networks(run)
        if not _drawn(row)
    }


def networks(run: Run) -> list[dict[str, Any]]:
    """What the manifest says of the extractors that are one network or several."""
    rows = manifest_records(run.manifest, "extractors")
    return [row for row in rows if row.get("role") in (NETWORK, FUSION)]


def own_head(system: PooledSystem) -> bool:
    """Whether its classifier is the softmax head of its network."""
    return str(system.identity["classifier"]) == OWN_HEAD


def imported(system: PooledSystem) -> bool:
    """Whether its features, or those of a part of it, come from a file."""
    return any(part.get("library") == IMPORTED for part in parts(system))


def networks_run(system: PooledSystem) -> bool:
    """Whether a network made its features, or those of a part of it, in this run."""
    return any(part.get("library") != IMPORTED for part in parts(system))


def from_scratch(system: PooledSystem) -> bool:
    """Whether its network was trained from random weights."""
    return words(system.extractor.get("training")) == (FROM_SCRATCH,)


def frozen(system: PooledSystem) -> bool:
    """Whether its features are those of weights as they came."""
    return words(system.extractor.get("training")) == (FROZEN,)


def trained_as(system: PooledSystem, how: str) -> bool:
    """Whether its network, or each of a fusion's, was trained here in this way."""
    return words(system.extractor.get("training")) == (how,)


def fine_tuned(system: PooledSystem) -> bool:
    """Whether its network was trained on, as a whole, from weights that came from elsewhere."""
    trained_on = words(system.extractor.get("training")) == (FINE_TUNED,)
    return trained_on and "finetuned" in steps(system)


def pretrained(system: PooledSystem) -> bool:
    """Whether all weights, before any training here, are known to come from other images.

    Those of a plugin or of a file may be anything.
    """
    return sees_images(system) and _origins(system) == {"pretrained"}


def of_unknown_weights(system: PooledSystem) -> bool:
    """Whether some of its weights are a plugin's or a file's, which may have seen anything."""
    return sees_images(system) and bool(_origins(system) & {"plugin", "file"})


def published_or_from_scratch(system: PooledSystem) -> bool:
    """Whether its weights are published ones, or those of a network that is trained here."""
    return _origins(system) in ({"pretrained"}, {"scratch"})


def drawn(system: PooledSystem) -> bool:
    """Whether some of its weights were drawn; of what may be selected, all."""
    return _drawn(system.extractor)


def family(system: PooledSystem) -> str:
    """CNN, transformer, hybrid or other; of a fusion all of its parts', joined by commas."""
    return str(system.extractor.get("family") or "")


def transformer(system: PooledSystem) -> bool:
    """Whether its network is a vision transformer."""
    return family(system) == TRANSFORMER


def cnn(system: PooledSystem) -> bool:
    """Whether its network is a CNN."""
    return family(system) == CNN


def hybrid(system: PooledSystem) -> bool:
    """Whether its network is one for small data, trained from scratch."""
    return from_scratch(system) and bool(system.extractor.get("small_data"))


def localized(system: PooledSystem) -> bool:
    """Whether its network was trained with the dense relative localization loss."""
    return bool(system.extractor.get("localized"))


def architecture(system: PooledSystem) -> str:
    """Its library and architecture, without tag, layer, size and training."""
    return str(system.extractor.get("architecture") or "")


def network_name(system: PooledSystem) -> str:
    """The name of its extractor without how it is trained."""
    return str(system.extractor.get("network") or system.identity["extractor"])


def parts(system: PooledSystem) -> list[dict[str, Any]]:
    """What the manifest says of each network of a fusion, or of its one network."""
    if is_fusion(system):
        return manifest_records(dict(system.extractor), "parts")
    return [dict(system.extractor)] if is_network(system) else []


def judged(system: PooledSystem) -> bool:
    """Whether it has an AUC on inner folds, for settings that were not chosen on these folds."""
    units = system.units
    if "inner_auc" not in units or is_selected(system):
        return False
    return bool(units["inner_auc"].notna().any() and units["chosen_C"].isna().all())


def steps(system: PooledSystem) -> list[Any]:
    """How its network was trained, as its name says after "+"; empty where nothing says."""
    named = system.extractor.get("steps")
    return named if isinstance(named, list) else []


def _role(system: PooledSystem) -> str:
    return str(system.extractor.get("role") or "")


def _origins(system: PooledSystem) -> set[str]:
    return set(words(system.extractor.get("origin")))


def _drawn(extractor: Any) -> bool:
    origins = set(words(extractor.get("origin")))
    if extractor.get("role") == SELECTION:
        return origins == {"random"}
    return "random" in origins
