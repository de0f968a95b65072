"""Files of the Hub are fetched together, copied together, and each failure is said in one line."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import errors

from extractors import (
    MissingWeights,
    copy_weights,
    describe,
    download_weights,
    use_caches_only,
)
from extractors.pretrained import connectivity, downloads

NAME = "hf-hub:some/tiny"


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectivity, "_answers", {"https://huggingface.co": ""})


def test_configuration_and_weights_come_into_one_folder(reachable, monkeypatch, tmp_path) -> None:
    asked = []

    def fetch(source: str, destination: Path) -> Path:
        asked.append((source, destination))
        return destination

    monkeypatch.setattr(downloads, "fetch", fetch)
    download_weights(describe(NAME), into=tmp_path / "to")
    assert asked == [
        ("some/tiny:config.json", tmp_path / "to"),
        ("some/tiny:model.safetensors", tmp_path / "to"),
    ]


def _answer(kind: type[Exception]) -> Exception:
    response = SimpleNamespace(headers={}, request=None, status_code=403)
    if issubclass(kind, errors.HfHubHTTPError):
        return kind("many\nlines", response=response)  # type: ignore[call-arg]
    return kind("many\nlines")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (errors.GatedRepoError, "access is gated: accept the terms at .*some/tiny.*HF_TOKEN"),
        (errors.RepositoryNotFoundError, "there is no https://huggingface.co/some/tiny, or it is"),
        (errors.LocalEntryNotFoundError, "did not answer while its files were fetched"),
        (errors.RemoteEntryNotFoundError, "holds no model that hf-hub: can load"),
        (ConnectionError, "download failed .ConnectionError: many lines."),
    ],
)
def test_what_the_hub_answers_is_said_in_one_line(kind, said, reachable, monkeypatch) -> None:
    def fetch(_source: str, _destination: Path) -> Path:
        raise _answer(kind)

    monkeypatch.setattr(downloads, "fetch", fetch)
    with pytest.raises(MissingWeights, match=said) as caught:
        download_weights(describe(NAME))
    assert "\n" not in str(caught.value)


def test_offline_asks_no_service(reachable, monkeypatch) -> None:
    use_caches_only()
    try:
        with pytest.raises(MissingWeights, match="--offline looks at caches only"):
            download_weights(describe(NAME))
    finally:
        use_caches_only(False)


def test_mirror_and_proxy_are_named_where_nothing_answers(monkeypatch) -> None:
    def ask(_address: str, _timeout: float) -> int:
        raise ConnectionError("refused")

    monkeypatch.setattr(connectivity, "_answers", {})
    monkeypatch.setattr(connectivity, "ask", ask)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://mirror.test")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.test:8080")
    with pytest.raises(MissingWeights) as caught:
        download_weights(describe(NAME))
    said = str(caught.value)
    assert "https://mirror.test cannot be reached (ConnectionError: refused)" in said
    assert "the mirror that HF_ENDPOINT names" in said
    assert "through the proxy http://proxy.test:8080" in said
    assert "secret" not in said


@pytest.mark.parametrize("blobs", [True, False])
def test_a_copy_is_known_for_what_was_published(blobs, tmp_path, in_cache) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "config.json").write_text('{"architecture": "test_vit"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "README.md").write_text("not needed")
    in_cache(folder, "some/tiny", blobs=blobs)
    before = describe(NAME)
    copied = copy_weights(before, tmp_path / "to")
    assert copied.read_bytes() == b"weights"
    after = describe(NAME, tmp_path / "to")
    assert after.weights_path == copied
    assert (after.weights, after.config_digest) == (before.weights, before.config_digest)
    assert not list((tmp_path / "to").rglob("README.md"))
