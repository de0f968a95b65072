"""Files in the user's folder that have the name of a module which the suite needs."""

import pytest


@pytest.mark.parametrize("name", ["classifiers", "extractors", "reports", "torch", "typer", "PIL"])
def test_a_file_that_hides_a_package_is_named_in_one_line(start, tmp_path, name):
    (tmp_path / f"{name}.py").write_text("print('mine')\n")
    process = start("doctor")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert out == ""
    (line,) = err.splitlines()
    assert f"{name}.py: hides the package {name}" in line
    assert "rename it" in line


def test_so_is_a_folder_that_is_a_package(start, tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").touch()
    process = start("--help")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "hides the package reports" in err
    assert len(err.splitlines()) == 1


def test_a_file_on_pythonpath_is_found_as_well(start, tmp_path, environment):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "classifiers.py").touch()
    path = f"{tmp_path / 'elsewhere'}:{environment.get('PYTHONPATH', '')}"
    process = start("--help", PYTHONPATH=path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "elsewhere/classifiers.py: hides" in err


@pytest.mark.parametrize("name", ["decimal", "typing"])
def test_a_file_that_hides_a_module_of_python_is_named_when_that_fails(start, tmp_path, name):
    (tmp_path / f"{name}.py").write_text("mine = 1\n")
    process = start("doctor")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    (line,) = err.splitlines()
    assert f"{name}.py: hides the module {name}" in line


def test_folders_and_files_that_hide_nothing_do_not_matter(bench, tmp_path):
    # A folder without __init__.py gives way to a package; nothing here imports `test`.
    (tmp_path / "reports").mkdir()
    (tmp_path / "test.py").touch()
    (tmp_path / "classifiers.txt").touch()
    assert bench("--help").status == 0
