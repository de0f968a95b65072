"""What a paper takes from a run: figures that equal the summary, for chosen systems alone."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.commands.paper import paper
from bench.errors import UnusableInput
from reports import build_report
from reports.paper.build import build_paper
from reports.paper.request import NotInRun, PaperRequest

SYSTEMS = ("torchvision:alexnet", "cnn_baseline")


@pytest.fixture(scope="module")
def run(make_trained_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_trained_run(tmp_path_factory.mktemp("paper") / "run")
    build_report(folder)
    return folder


def test_the_figures_are_those_of_the_summary(run: Path, tmp_path: Path) -> None:
    build_paper(run, PaperRequest(SYSTEMS, names={"cnn_baseline": "Small_CNN"}), tmp_path)
    table = (tmp_path / "table.tex").read_text()
    summary = pd.read_csv(run / "tables" / "summary.csv")
    for extractor, classifier, name in (
        ("torchvision:alexnet", "medium_gaussian", "torchvision:alexnet + medium gaussian"),
        ("cnn_baseline", "softmax", r"Small\_CNN"),
    ):
        row = summary[
            (summary["extractor"] == extractor)
            & (summary["classifier"] == classifier)
            & (summary["protocol"] == "official")
        ].iloc[0]
        line = next(one for one in table.splitlines() if one.startswith(name))
        for measure in ("auc", "sensitivity", "specificity"):
            for end in ("", "_std", "_ci_low", "_ci_high"):
                assert f"{row[f'{measure}{end}']:.3f}" in line


def test_a_comma_parts_no_numbers(run: Path, tmp_path: Path) -> None:
    build_paper(run, PaperRequest(SYSTEMS, decimal=",", measures=("mcc", "ppv")), tmp_path)
    lines = (tmp_path / "table.tex").read_text().splitlines()
    (line,) = (one for one in lines if one.startswith("cnn"))
    assert re.search(r"\[(\$-\$)?0,\d{3}; (\$-\$)?0,\d{3}\]", line)
    assert not re.search(r"\d\.\d", line)
    assert "0,5" in (tmp_path / "roc.svg").read_text()


def test_without_systems_their_names_are_told(run: Path) -> None:
    with pytest.raises(UnusableInput, match=r"--systems is missing; there are .*alexnet, "):
        paper(run)


def test_methods_and_references_are_of_these_systems(run: Path, tmp_path: Path) -> None:
    build_paper(run, PaperRequest(("torchvision:alexnet",)), tmp_path)
    text = (tmp_path / "methods.txt").read_text()
    assert "torchvision:alexnet" in text
    assert "cnn_baseline" not in text
    assert "patient-cv" not in text
    assert "Declared comparisons" not in text
    keys = set(re.findall(r"@\w+\{(\w+),", (tmp_path / "references.bib").read_text()))
    assert "krizhevsky2014weird" in keys
    assert "holm1979simple" not in keys
    cited = re.findall(r"\\cite\{([^}]*)\}", (tmp_path / "methods.tex").read_text())
    assert cited
    assert {key.strip() for one in cited for key in one.split(",")} <= keys


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (PaperRequest(("alexnet",)), "the nearest is torchvision:alexnet"),
        (PaperRequest(("cnn_baseline/linaer",)), "the nearest is linear"),
        (PaperRequest(SYSTEMS, protocol="image-cv"), "--protocol: unknown 'image-cv'"),
        (PaperRequest(SYSTEMS, subset="calcs"), "--subset: unknown 'calcs'"),
        (PaperRequest(SYSTEMS, measures=("auk",)), "the nearest is auc"),
        (PaperRequest(SYSTEMS, names={"other": "A"}), "--names: unknown 'other'"),
        (PaperRequest(SYSTEMS, measures=("auc", "auc")), "--measures names auc twice"),
        (PaperRequest(()), "names no system"),
        (PaperRequest(SYSTEMS, width=0.0), "--width"),
        (PaperRequest(SYSTEMS, decimal=";"), "--decimal"),
    ],
)
def test_what_the_run_does_not_have_is_one_line(
    run: Path, tmp_path: Path, request_: PaperRequest, words: str
) -> None:
    with pytest.raises(NotInRun, match=re.escape(words)) as refused:
        build_paper(run, request_, tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_an_audit_is_labelled(make_run: Callable[..., Path], tmp_path: Path) -> None:
    names = ("torchvision:resnet18", "random:resnet18")
    folder = make_run(
        tmp_path / "run", names, subsets=("mass",), protocols=(("image-cv", 1, 2),), failed=None
    )
    file = folder / "manifest.json"
    file.write_text(file.read_text().replace('{"schema"', '{"audits": ["image-cv"], "schema"', 1))
    build_paper(folder, PaperRequest(names), tmp_path / "out")
    assert "audit: patients on both sides" in (tmp_path / "out" / "table.tex").read_text()
    for figure in ("forest.svg", "roc.svg"):
        assert "audit: patients on both sides" in (tmp_path / "out" / figure).read_text()
        assert "synthetic data" in (tmp_path / "out" / figure).read_text()
    assert "(random weights)" in (tmp_path / "out" / "table.tex").read_text()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex (texlive-latex-base)")
def test_the_document_compiles(run: Path, tmp_path: Path) -> None:
    build_paper(run, PaperRequest(SYSTEMS), tmp_path)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "paper.pdf").stat().st_size > 0
