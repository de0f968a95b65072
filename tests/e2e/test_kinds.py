"""What a system is, from where it is built to the page of its report."""

import json

PLUGIN = """
import torch
from extractors import register


@register("retrieval_cnn", input_size=32)
def retrieval_cnn():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 7, stride=4), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(),
    )
"""
PRETRAINED = "bundled:efficientnet_lite0"
FUSION = f"fusion:retrieval_cnn+{PRETRAINED}"


def test_a_plugin_is_what_it_is_built_of(tmp_path, bench, phantom):
    file = tmp_path / "nets.py"
    file.write_text(PLUGIN)
    names = f"retrieval_cnn,random:retrieval_cnn,{PRETRAINED},{FUSION}"
    ended = bench(
        *("all", "--data", phantom, "--plugin", file, "--extractors", names, "--out", "run"),
        *("--classifiers", "medium_gaussian", "--subset", "mass", "--protocols", "official"),
    )
    assert ended.status == 0, ended.err
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    rows = {row["name"]: row for row in manifest["extractors"]}
    told = {
        name: tuple(rows[name].get(fact) for fact in ("role", "origin", "training", "family"))
        for name in rows
        if not name.startswith("shortcut:")
    }
    assert told == {
        "retrieval_cnn": ("network", "plugin", "frozen", "CNN"),
        "random:retrieval_cnn": ("network", "random", "frozen", "CNN"),
        PRETRAINED: ("network", "pretrained", "frozen", "CNN"),
        FUSION: ("fusion", "plugin, pretrained", "frozen", "CNN"),
        "none": ("reference point", None, None, None),
        "reader:assessment": ("reference point", None, None, None),
        "reader:description": ("reference point", None, None, None),
    }
    assert [part["name"] for part in rows[FUSION]["parts"]] == ["retrieval_cnn", PRETRAINED]
    assert [row["kind"] for row in manifest["saliency"]] == ["CNN"]
    page = (tmp_path / "run/report.html").read_text()
    assert "pretrained features + SVM (1 system)" in page
    assert "features of weights from a plugin or a file + SVM (2 systems)" in page
    # Costs are of networks alone.
    costs = (tmp_path / "run/tables/costs.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in costs[1:]] == list(rows)[:4]
    assert bench("report", tmp_path / "run").status == 0
    assert (tmp_path / "run/report.html").read_text() == page
