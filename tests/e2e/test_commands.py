"""Every command as a user calls it, rightly and wrongly."""

import json

import pandas as pd
import pytest

from reports.systems.schema import SUMMARY_COLUMNS


def run_tiny(bench, phantom, plugin, *more):
    chosen = ("--extractors", "tiny-a", "--classifiers", "linear", "--subset", "mass")
    return bench("all", "--data", phantom, "--plugin", plugin, "--out", "run", *chosen, *more)


def test_all_writes_what_the_contract_names(bench, phantom, plugin, tmp_path):
    ended = run_tiny(bench, phantom, plugin)
    assert ended.status == 0, ended.err
    assert "report: run/report.html" in ended.out
    assert "AUC [95 %]" in ended.out
    assert "tiny-a linear" in ended.out
    run = tmp_path / "run"
    for name in (
        "report.html",
        "manifest.json",
        "log.txt",
        "predictions.parquet",
        "lesions.parquet",
        "units.parquet",
        "tables/summary.csv",
        "tables/summary.tex",
    ):
        assert (run / name).stat().st_size > 0, name
    assert {f.stem for f in run.glob("figures/*.svg")} == {
        f.stem for f in run.glob("figures/*.pdf")
    }
    assert list(run.glob("figures/*.svg"))
    assert list(run.glob("images/*.png"))
    summary = pd.read_csv(run / "tables/summary.csv")
    assert tuple(summary.columns) == SUMMARY_COLUMNS
    assert list(summary["extractor"]) == [
        *("tiny-a", "none", "shortcut:size", "reader:assessment", "reader:description")
    ]
    assert set(summary["status"]) == {"ok"}
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["data"]["synthetic"] is True
    assert {unit["state"] for unit in manifest["units"]} == {"ok"}
    assert "ynthetic" in (run / "report.html").read_text()


def test_a_run_without_images_writes_none_and_removes_those_of_an_earlier_one(
    bench, phantom, plugin, tmp_path
):
    assert run_tiny(bench, phantom, plugin).status == 0
    run = tmp_path / "run"
    assert list(run.glob("images/*.png"))
    assert run_tiny(bench, phantom, plugin, "--no-images").status == 0
    assert not list(run.rglob("*.png"))
    assert not list(run.glob("figures/data-montage.*"))
    page = (run / "report.html").read_text()
    assert "data:image" not in page
    assert "Images and saliency maps are left out" in page


def test_summary_agrees_with_the_predictions(bench, phantom, plugin, tmp_path):
    from sklearn.metrics import accuracy_score, roc_auc_score

    assert run_tiny(bench, phantom, plugin).status == 0
    row = pd.read_csv(tmp_path / "run/tables/summary.csv").iloc[0]
    units = pd.read_parquet(tmp_path / "run/units.parquet")
    predictions = pd.read_parquet(tmp_path / "run/predictions.parquet")
    assert bench("predictions", "run", "scores.csv").out == f"{len(predictions)} rows: scores.csv\n"
    assert bench("predictions", "run", ".").status == 2
    of_row = predictions[predictions["unit"] == units["unit"].iloc[0]]
    assert row["n_test"] == len(of_row)
    assert row["auc"] == pytest.approx(roc_auc_score(of_row["label"], of_row["score"]), abs=1e-5)
    called = of_row["score"] > 0
    assert row["accuracy"] == pytest.approx(accuracy_score(of_row["label"], called), abs=1e-5)


def test_report_rebuilds_byte_for_byte_from_the_run_folder_alone(bench, phantom, plugin, tmp_path):
    assert run_tiny(bench, phantom, plugin).status == 0
    run = (tmp_path / "run").rename(tmp_path / "moved")
    built = [f for f in run.rglob("*") if f.is_file() and f.suffix != ".parquet"]
    before = {file: file.read_bytes() for file in built}
    for file in (*run.glob("tables/*"), *run.glob("figures/*"), run / "report.html"):
        file.unlink()
    ended = bench("report", run, BENCH_CACHE=str(tmp_path / "nowhere"), PYTHONHASHSEED="7")
    assert ended.status == 0, ended.err
    assert {file: file.read_bytes() for file in before} == before


def test_dry_run_prints_the_plan_and_does_no_work(bench, phantom, plugin, tmp_path):
    ended = run_tiny(bench, phantom, plugin, "--dry-run")
    assert ended.status == 0, ended.err
    assert "tiny-a" in ended.out
    assert "5 units of work" in ended.out
    assert not (tmp_path / "run").exists()
    # What was learnt of the image files is kept: the run itself will need it, too.
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["index"]


def test_another_configuration_is_refused_in_the_same_folder(bench, phantom, plugin):
    assert run_tiny(bench, phantom, plugin).status == 0
    ended = run_tiny(bench, phantom, plugin, "--seed", "1")
    assert ended.status == 2
    assert "seed 0" in ended.err
    assert "--out" in ended.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--data", "nowhere"), "nowhere"),
        (("--extractors", "timm:vit_tyni_patch16_224"), "vit_tiny_patch16_224"),
        (("--extractors", "tiny-c"), "tiny-a"),
        (("--classifiers", "liner"), "did you mean linear"),
        (("--protocols", "offical"), "did you mean official"),
        (("--subset", "masses"), "did you mean mass"),
        (("--device", "cuda:7"), "cuda:7"),
        (("--plugin", "nowhere.py"), "nowhere.py"),
        (("--size", "2"), "--size"),
        (("--extractors", "tiny-a,tiny-a"), "more than once"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(bench, phantom, plugin, more, said):
    ended = bench("all", *("--data", phantom, "--plugin", plugin, "--out", "run"), *more)
    assert ended.status == 2
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1, ended.err


def test_a_broken_plugin_names_itself_and_spoils_no_other(bench, phantom, plugin, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text(
        "import torch\nfrom extractors import register\n"
        "class Bad(torch.nn.Module):\n"
        "    def forward(self, x):\n        raise KeyError('no such thing')\n"
        "@register('bad')\ndef bad():\n    return Bad()\n"
    )
    chosen = ("--extractors", "bad,tiny-a", "--classifiers", "linear", "--subset", "mass")
    plugins = ("--plugin", plugin, "--plugin", broken)
    ended = bench("all", "--data", phantom, "--out", "run", *plugins, *chosen)
    assert ended.status == 1
    assert "bad" in ended.err
    assert "no such thing" in ended.err
    summary = pd.read_csv(tmp_path / "run/tables/summary.csv").set_index("extractor")
    assert "no such thing" in summary.loc["bad", "status"]
    assert pd.isna(summary.loc["bad", "auc"])
    assert summary.loc["tiny-a", "status"] == "ok"


def test_features_that_are_not_finite_or_constant(bench, phantom, tmp_path):
    odd = tmp_path / "odd.py"
    odd.write_text(
        "import torch\nfrom extractors import register\n"
        "class Const(torch.nn.Module):\n"
        "    def __init__(self, value):\n        super().__init__()\n        self.value = value\n"
        "    def forward(self, x):\n        return torch.full((len(x), 3), self.value)\n"
        "@register('constant')\ndef a():\n    return Const(2.0)\n"
        "@register('infinite')\ndef b():\n    return Const(float('inf'))\n"
    )
    chosen = ("--extractors", "constant,infinite", "--classifiers", "linear", "--subset", "mass")
    ended = bench("all", "--data", phantom, "--out", "run", "--plugin", odd, *chosen)
    assert ended.status == 1
    summary = pd.read_csv(tmp_path / "run/tables/summary.csv").set_index("extractor")
    assert "every feature is constant in the training rows" in summary.loc["constant", "status"]
    assert "not finite" in summary.loc["infinite", "status"]


def test_missing_weights_keep_their_row_on_real_data_and_strict_stops(bench, tmp_path):
    from PIL import Image

    for label in ("benign", "malignant"):
        (tmp_path / "films" / label).mkdir(parents=True)
        for i in range(8):
            shade = 40 * i % 256
            Image.new("L", (20, 30), shade).save(tmp_path / f"films/{label}/{i}.png")
    chosen = ("--extractors", "timm:resnet18", "--classifiers", "linear", "--out", "run")
    ended = bench("all", "--data", "films", *chosen)
    assert ended.status == 1
    summary = pd.read_csv(tmp_path / "run/tables/summary.csv").set_index("extractor")
    assert "weights" in summary.loc["timm:resnet18", "status"]
    assert summary.loc["none", "status"] == "ok"
    strict = bench("all", "--data", "films", *chosen[:-1], "other", "--strict")
    assert strict.status == 2
    assert "timm:resnet18" in strict.err
    assert not (tmp_path / "other").exists()


def test_the_read_commands_answer(bench, phantom, plugin):
    for command, said in (
        (("--help",), "Run everything"),
        (("list", "extractors", "--plugin", plugin), "tiny-b"),
        (("list", "classifiers"), "coarse_gaussian"),
        (("list", "datasets"), "mias"),
        (("list", "presets"), "thesis"),
        (("data", "info", phantom), "malignant"),
        (("doctor",), "bundled:efficientnet_lite0"),
    ):
        ended = bench(*command)
        assert ended.status == 0, (command, ended.err)
        assert said in ended.out, command


def test_data_phantom_writes_a_set_that_info_reads(bench, tmp_path):
    ended = bench("data", "phantom", "made", "--patients", "20", "--seed", "9")
    assert ended.status == 0, ended.err
    assert "synthetic" in bench("data", "info", "made").out
    again = bench("data", "phantom", ".")
    assert again.status == 2
    assert len(again.err.strip().splitlines()) == 1


def test_report_of_no_run_is_refused(bench, tmp_path):
    ended = bench("report", ".")
    assert ended.status == 2
    assert len(ended.err.strip().splitlines()) == 1


def test_tuning_and_fusion_stand_beside_the_presets(bench, phantom, plugin, tmp_path):
    """Tuned rows with what they chose, a fusion, and reasons where inner folds cannot be made."""
    chosen = ("--extractors", "tiny-a,fusion:tiny-a+tiny-b", "--classifiers", "linear,knn")
    ended = bench(
        *("all", "--data", phantom, "--plugin", plugin, "--out", "run", "--tune", *chosen),
        *("--subset", "all", "--protocols", "patient-cv", "--repeats", "1"),
    )
    assert ended.status == 0, ended.err
    summary = pd.read_csv(tmp_path / "run/tables/summary.csv")
    rows = summary[summary["extractor"] == "fusion:tiny-a+tiny-b"].set_index("classifier")
    assert list(rows.index) == ["linear", "linear+tuned", "knn"]
    assert list(rows["tuned"]) == [False, True, False]
    assert rows["C"].isna().tolist() == [False, True, True]
    tuning = pd.read_csv(tmp_path / "run/tables/tuning.csv")
    assert tuning.groupby("extractor")["folds"].sum().to_dict() == {
        "tiny-a": 5,
        "fusion:tiny-a+tiny-b": 5,
    }
    assert "What tuning chose" in (tmp_path / "run/report.html").read_text()
    ended = bench(
        *("all", "--data", phantom, "--plugin", plugin, "--out", "small", *chosen, "--tune"),
        *("--subset", "mass"),
    )
    assert ended.status == 1
    assert "with linear+tuned: 5 inner folds need" in ended.err


@pytest.mark.parametrize("name", ["fusion:tiny-a", "fusion:tiny-a+tiny-a", "fusion:"])
def test_a_fusion_needs_two_backbones(bench, phantom, plugin, name):
    ended = bench("all", "--data", phantom, "--plugin", plugin, "--extractors", name)
    assert ended.status == 2
    assert "a fusion names two or more different backbones" in ended.err
