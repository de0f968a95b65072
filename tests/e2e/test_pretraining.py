"""What was seen in pretraining stands in the report; the registry is listed."""

import pandas as pd


def test_the_registry_is_listed(bench):
    ended = bench("list", "extractors", "--medical", "--long")
    assert ended.status == 0
    for word in ("medical:rad-dino", "hf:microsoft/rad-dino", "gated", "PMC-15M", "not checked:"):
        assert word in ended.out
    assert "(mammo-fm)" in ended.out


def test_the_report_has_the_column_and_the_warning(bench, phantom, tmp_path):
    import timm
    import torch

    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "best.pth")
    images = tmp_path / "set"
    for number, file in enumerate(sorted(phantom.rglob("*.jpg"))[:24]):
        folder = images / ("benign", "malignant")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(file.read_bytes())
    ended = bench(
        *("all", "--data", images, "--checkpoint", "mine=best.pth:timm:test_vit", "--out", "run"),
        *("--extractors", "mine,bundled:efficientnet_lite0", "--classifiers", "linear"),
    )
    assert ended.status == 0, ended.err
    costs = pd.read_csv(tmp_path / "run/tables/costs.csv").set_index("extractor")
    assert costs.loc["mine", "pretrained_on"] == "not known"
    assert costs.loc["bundled:efficientnet_lite0", "pretrained_on"] == "ImageNet-1k"
    report = (tmp_path / "run/report.html").read_text()
    assert "Pretrained on" in report
    assert "not known whether they have seen test images: mine" in report
