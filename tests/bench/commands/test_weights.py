"""What cannot be meant by `weights download` is refused before anything is made."""

from pathlib import Path

import pytest

from bench.commands.weights import download
from bench.errors import UnusableInput


@pytest.mark.parametrize("names", [[""], [",", " "]])
def test_no_name_is_no_success(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(UnusableInput, match="no extractor is named"):
        download(names, tmp_path / "weights", offline=True)
    assert not (tmp_path / "weights").exists()


def test_a_file_in_the_place_of_the_folder_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "weights").touch()
    with pytest.raises(UnusableInput, match=r"--to .*weights: is there already, and is no folder"):
        download(["timm:resnet18"], tmp_path / "weights", offline=True)
