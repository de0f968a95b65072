"""What kind of network an extractor is, by its name and weights.

Sentences and the declared comparisons depend on it; no measure does.
"""

import re

from reports.systems.pooling import PooledSystem

# Networks that are designed for small data sets and trained from scratch.
HYBRIDS = ("cvt_13", "swin_t", "t2t_vit_14", "cct_7", "spt_lsa_vit")

LOCALIZED = "+drloc"

_TRANSFORMER = re.compile(r"vit|deit|swin|dino|cvt|cct|beit|eva")

_REFERENCES = ("shortcut:", "reader:")

_TAG = re.compile(r"[.@][^+]*")

# The classifier that is the network itself.
OWN_HEAD = "softmax"

SELECTED = "selected"

# The SVM that represents those of an extractor: its kernel is the most common one.
KERNEL = "medium_gaussian"

# A constant score has neither subgroups nor confident mistakes.
MAJORITY = "majority"


def is_reference(system: PooledSystem) -> bool:
    """Whether it is a reference point without a network."""
    return names_reference(str(system.identity["extractor"]))


def names_reference(extractor: str) -> bool:
    """Whether this is the name of a reference point; a plugin's may begin with `none`."""
    return extractor == "none" or extractor.startswith(_REFERENCES)


def own_head(system: PooledSystem) -> bool:
    """Whether its classifier is the softmax head of its network."""
    return str(system.identity["classifier"]) == OWN_HEAD


def from_scratch(system: PooledSystem) -> bool:
    """Whether its network was trained from random weights."""
    return str(system.identity["weights"]) == "scratch"


def pretrained(system: PooledSystem) -> bool:
    """Whether its weights, before any training here, are known to come from other images.

    Those of a plugin may be anything.
    """
    untrained = ("", "none", "None", "nan", "random", "scratch", "plugin")
    return not is_reference(system) and str(system.identity["weights"]) not in untrained


def transformer(system: PooledSystem) -> bool:
    """Whether its network is a vision transformer."""
    # The tag of the weights may name another network: a ConvNeXt can be distilled from a DINO.
    architecture = _TAG.sub("", str(system.identity["extractor"]))
    return bool(_TRANSFORMER.search(architecture.lower()))


def hybrid(system: PooledSystem) -> bool:
    """Whether its network is one of HYBRIDS, trained from scratch."""
    return from_scratch(system) and str(system.identity["extractor"]).split("+")[0] in HYBRIDS


def localized(system: PooledSystem) -> bool:
    """Whether its network was trained with the dense relative localization loss."""
    return LOCALIZED in str(system.identity["extractor"])


def is_selected(system: PooledSystem) -> bool:
    """Whether it is the row that may stand for a different system in each fold."""
    return str(system.identity["extractor"]) == SELECTED


def judged(system: PooledSystem) -> bool:
    """Whether it has an AUC on inner folds, for settings that were not chosen on these folds."""
    units = system.units
    if "inner_auc" not in units or is_selected(system):
        return False
    return bool(units["inner_auc"].notna().any() and units["chosen_C"].isna().all())
