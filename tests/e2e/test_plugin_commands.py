"""Plugins as a user meets them: a skeleton, its checks and its test, an installed package."""

import subprocess
import sys

import pandas as pd
import pytest

PACKAGE = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "bench-mine"
version = "0.1.0"

[project.entry-points."bench.extractors"]
mine = "mine"

[tool.setuptools]
py-modules = ["mine"]
"""


def one_line(ended, *said):
    assert ended.status == 2
    assert len(ended.err.strip().splitlines()) == 1, ended.err
    assert ended.out == ""
    for text in said:
        assert text in ended.err


def commands(ended):
    """The commands that `plugin new` tells to go on with."""
    return [line.split() for line in ended.out.splitlines() if line.startswith("  python ")]


# One name holds the skeleton's own, the other a character that no module's name may hold.
@pytest.mark.parametrize("name", ["mynet2", "t-net"])
def test_a_new_plugin_passes_its_checks_and_its_test(bench, tmp_path, environment, name):
    ended = bench("plugin", "new", name, "--out", "some where")
    assert ended.status == 0, ended.err
    stem = name.replace("-", "_")
    files = {path.name for path in (tmp_path / "some where").iterdir()}
    assert files == {f"{stem}.py", f"test_{stem}.py"}
    checked = bench("plugin", "check", f"some where/{stem}.py")
    assert checked.status == 0, checked.out
    assert {name, f"{name}-trained"} < set(checked.out.splitlines())
    assert "checks: none failed" in checked.out
    if name == "mynet2":
        tested = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"some where/test_{stem}.py"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert tested.returncode == 0, tested.stdout
        assert "2 passed" in tested.stdout


def test_the_next_commands_are_told_as_they_can_be_pasted(bench):
    told = commands(bench("plugin", "new", "mine"))
    assert [command[:3] for command in told] == [
        ["python", "-m", "bench"],
        ["python", "-m", "pytest"],
        ["python", "-m", "bench"],
    ]
    assert bench(*told[0][3:]).status == 0
    planned = bench(*told[2][3:], "--dry-run")
    assert planned.status == 0, planned.err
    assert "mine-trained" in planned.out


def test_a_new_plugin_replaces_nothing_and_leaves_nothing_half_written(bench, tmp_path):
    (tmp_path / "test_mine.py").write_text("precious")
    one_line(bench("plugin", "new", "mine"), "test_mine.py", "already")
    assert [path.name for path in tmp_path.iterdir()] == ["test_mine.py"]
    assert (tmp_path / "test_mine.py").read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my.net", "my.net"),
        ("../net", "../net"),
        ("", "letters, digits"),
        ("timm", "reserved"),
        ("vit_256_p32", "reserved"),
        ("torch", "hide the module torch"),
        ("json", "hide the module json"),
        ("a" * 300, "at most"),
    ],
)
def test_a_name_that_cannot_be_is_refused(bench, tmp_path, name, said):
    one_line(bench("plugin", "new", name), said)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_between_the_two_files_keeps_neither(tmp_path, monkeypatch):
    from bench.commands import plugin

    write = plugin.write_atomically

    def filling(path, content):
        if path.name == "test_mine.py":
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(plugin, "write_atomically", filling)
    with pytest.raises(OSError, match="No space"):
        plugin.write_skeleton("mine", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_named(bench, tmp_path):
    (tmp_path / "file").write_text("")
    one_line(bench("plugin", "new", "mine", "--out", "file"), "file")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("1 / 0", "ZeroDivisionError"),
        ("def broken(:", "line 1"),
        ("x = 1", "registers no backbone"),
        ("raise SystemExit(0)", "ends the program"),
    ],
)
def test_a_file_that_is_no_plugin_is_refused(bench, tmp_path, content, said):
    if content is not None:
        (tmp_path / "odd.py").write_text(content)
    one_line(bench("plugin", "check", "odd.py"), "odd.py", said)


def test_what_fails_is_said_in_plain_words(bench, tmp_path):
    assert bench("plugin", "new", "mine").status == 0
    file = tmp_path / "mine.py"
    text = file.read_text()
    assert "return torch.flatten(self.layers(images), 1)" in text
    file.write_text(
        text.replace(
            "return torch.flatten(self.layers(images), 1)",
            "x = torch.flatten(self.layers(images), 1)\n        return x - x.mean(0)",
        )
    )
    ended = bench("plugin", "check", "mine.py")
    assert ended.status == 1
    lines = ended.out.splitlines()
    failed = [i for i, line in enumerate(lines) if line.startswith("  bad ")]
    assert "other images of its batch" in lines[failed[0]]
    assert lines[failed[0] + 1].strip().startswith("-> ")
    assert lines[-1].startswith(f"27 checks: {len(failed)} failed")


@pytest.fixture
def site(bench, tmp_path):
    """A folder into which a package with a plugin is built and installed."""
    source, target = tmp_path / "package", tmp_path / "site"
    assert bench("plugin", "new", "mine", "--out", source).status == 0
    (source / "pyproject.toml").write_text(PACKAGE)
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install"]
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir")
    installed = subprocess.run(
        [*pip, *offline, "--target", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return target


def test_an_installed_package_is_listed_and_runs(bench, phantom, site, tmp_path):
    alone = bench("list", "extractors")
    assert "mine" not in alone.out
    listed = bench("list", "extractors", PYTHONPATH=str(site))
    assert listed.status == 0, listed.err
    lines = {line.split()[0]: line for line in listed.out.splitlines() if line.strip()}
    assert "64 px" in lines["mine"]
    assert "64 px" in lines["mine-trained"]
    chosen = ("--extractors", "mine,mine-trained", "--classifiers", "linear,softmax")
    chosen += ("--subset", "mass")
    ended = bench("all", "--data", phantom, *chosen, "--out", "run", PYTHONPATH=str(site))
    assert ended.status == 0, ended.err
    summary = pd.read_csv(tmp_path / "run" / "tables" / "summary.csv")
    assert set(summary["status"]) == {"ok"}
    ran = set(zip(summary["extractor"], summary["classifier"], strict=True))
    assert {("mine", "linear"), ("mine-trained", "linear"), ("mine-trained", "softmax")} <= ran
    assert set(summary.loc[summary["extractor"] == "mine-trained", "recipe"]) == {"mine"}
