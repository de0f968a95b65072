"""What is said of a trained extractor is about all of its folds, not about the last one."""

from types import SimpleNamespace
from typing import Any

import pytest

from bench.execution.features import FeatureRecord
from bench.execution.tasks import Answer, Task
from bench.planning.config import Configuration
from bench.planning.extractor import Extractor, choose_extractors
from bench.record.extractor_totals import ExtractorTotals
from extractors.backbone import BackboneInfo
from reports.systems.schema import EXTRACTOR_FACTS

RECIPE: Any = SimpleNamespace(name="quick", localization=None)


def info(origin: str, family: str | None = None) -> Any:
    """Of a plugin, whose family is not known before it is built."""
    return BackboneInfo(
        name="net",
        kind="plugin",
        architecture="net",
        weights="w",
        origin=origin,  # type: ignore[arg-type]
        family=family,  # type: ignore[arg-type]
    )


INFO = info("scratch")
NETWORK = Extractor("net", INFO, "scratch", recipe=RECIPE)


def features(training: str | None = None, seconds: float = 2.0, digest: str = "a") -> FeatureRecord:
    profile = {
        "precision": "float32",
        "extraction_s": seconds,
        "images_per_s": 50.0,
        "weights_digest": digest,
        "feature_width": 8,
        "notes": "",
    }
    networks: Any = ()
    if training:
        networks = (SimpleNamespace(key=training, costs={"network_time_s": 10.0}),)
    return FeatureRecord("origin", 0.1, profile, trained=networks)


def totals_of(*found: FeatureRecord | str) -> ExtractorTotals:
    totals = ExtractorTotals(NETWORK)
    for one in found:
        failed = isinstance(one, str)
        totals.add(Answer(Task("net", 0), None if failed else one, status=one if failed else "ok"))
    return totals


def test_a_fold_that_failed_is_said_whichever_it_is() -> None:
    for found in (("net: no", features("t1")), (features("t1"), "net: no")):
        totals = totals_of(*found)
        assert totals.status == "net: no (in 1 of 2 folds)"
        assert totals.row()["status"] == totals.status
        assert totals.line(1.0).endswith("net: no (in 1 of 2 folds)")
    assert totals_of("net: no", "net: no").status == "net: no"
    assert totals_of("net: no", "net: no").line(1.0) == "net: no"
    assert totals_of(features("t1")).status == "ok"


def test_times_are_sums_over_the_trainings() -> None:
    totals = totals_of(features("t1", 2.0, "a"), features("t2", 4.0, "b"), features("t2", 4.0, "b"))
    row = totals.row()
    assert row["extraction_s"] == pytest.approx(6.0)
    assert row["images_per_s"] == pytest.approx(50.0)
    # Two networks have no digest in common; what they share stays.
    assert row["weights_digest"] is None
    assert row["feature_width"] == 8
    assert "trained in 20 s (2 networks), 50 crops/s" in totals.line(1.0)


def test_frozen_features_of_all_folds_count_once() -> None:
    once = features()
    assert totals_of(once, once, once).row()["extraction_s"] == pytest.approx(2.0)


def test_what_a_system_is_stands_in_its_row() -> None:
    found = features("t1")
    found.profile.update(family="CNN, transformer", training="frozen, from scratch")
    row = totals_of(found).row()
    assert row["family"] == "CNN, transformer"
    assert row["training"] == "frozen, from scratch"
    assert row["origin"] == "scratch"
    # Where nothing could be built, what was planned is said.
    failed = totals_of("net: no").row()
    assert (failed["training"], failed["origin"]) == ("from scratch", "scratch")
    assert failed["family"] is None


@pytest.mark.parametrize(
    ("origin", "trained", "training"),
    [
        ("pretrained", False, "frozen"),
        ("pretrained", True, "fine-tuned"),
        ("file", True, "fine-tuned"),
        ("random", False, "frozen"),
        ("random", True, "from scratch"),
        ("plugin", False, "frozen"),
        ("plugin", True, "trained"),
    ],
)
def test_how_weights_come_about_is_planned(origin: str, trained: bool, training: str) -> None:
    one = Extractor("a", info(origin), "w", recipe=RECIPE if trained else None)
    assert one.training == training
    both = Extractor("fusion:a+b", None, "w", parts=(one, NETWORK))
    assert both.training == ", ".join(dict.fromkeys([training, "from scratch"]))
    assert both.origin == f"{origin}, scratch"


def row_of(name: str) -> dict[str, Any]:
    """What the manifest says of an extractor that did not run, on real data."""
    configuration = Configuration(extractors=(name,))
    (extractor,) = choose_extractors(configuration, synthetic=False)
    totals = ExtractorTotals(extractor)
    totals.add(Answer(Task("net", 0), None, status="no"))
    return totals.row()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("timm:vit_small_patch16_224.augreg_in1k@blocks.3", "transformer"),
        ("timm:resnet18+finetuned", "CNN"),
        ("timm:coatnet_nano_rw_224", "hybrid"),
        ("torchvision:googlenet", "CNN"),
        ("bundled:efficientnet_lite0", "CNN"),
        ("cvt_13", "hybrid"),
        ("fusion:timm:resnet18+timm:xcit_nano_12_p16_224", "CNN, transformer"),
    ],
)
def test_the_family_is_known_without_weights(name: str, wanted: str) -> None:
    assert row_of(name)["family"] == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("cnn_baseline", ("network", "cnn_baseline", "cnn_baseline", [], False, False)),
        ("swin_t+drloc", ("network", "swin_t", "swin_t", ["drloc"], True, True)),
        ("random:swin_t", ("network", "swin_t", "random:swin_t", [], True, False)),
        (
            "timm:resnet18.a1_in1k+finetuned-last",
            ("network", "timm:resnet18", "timm:resnet18.a1_in1k", ["finetuned-last"], False, False),
        ),
    ],
)
def test_the_row_says_what_a_name_stands_for(name: str, wanted: tuple[Any, ...]) -> None:
    row = row_of(name)
    names = ("role", "architecture", "network", "steps", "small_data", "localized")
    assert tuple(row[fact] for fact in names) == wanted
    assert set(EXTRACTOR_FACTS) <= set(row)


def test_selections_and_reference_points_have_their_role() -> None:
    roles = {name: Extractor(name, None, "").role for name in ("selected", "none", "shortcut:size")}
    assert list(roles.values()) == ["selection", "reference point", "reference point"]
    assert ExtractorTotals(Extractor("none", None, "")).row()["role"] == "reference point"
