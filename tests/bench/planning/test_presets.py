"""The default comparison: its backbones are known, with weights, input and size of the download."""

from bench.planning.presets import DEFAULT_EXTRACTORS, PRESETS, SELECTED
from extractors import available
from extractors.networks import NETWORKS


def test_the_default_comparison_lists_its_thirteen_with_weights_and_input(tmp_path, monkeypatch):
    from extractors.plugins import BACKBONES

    monkeypatch.setattr(BACKBONES, "_entries", {})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    everything = available((*DEFAULT_EXTRACTORS, *NETWORKS))
    assert [info.name for info in everything] == [*DEFAULT_EXTRACTORS, *NETWORKS]
    infos = everything[: len(DEFAULT_EXTRACTORS)]
    assert len(infos) == 13
    assert [info.name for info in infos if info.cached] == ["bundled:efficientnet_lite0"]
    assert all(info.downloadable and info.hint for info in infos if not info.cached)
    assert all(info.download_bytes for info in infos if info.downloadable)
    assert all(info.input is not None and info.input.height == 224 for info in infos)


def test_every_preset_compares_the_defaults_the_networks_and_the_row_selected():
    for preset in PRESETS.values():
        assert preset.extractors[: len(DEFAULT_EXTRACTORS)] == DEFAULT_EXTRACTORS
        assert set(NETWORKS) <= set(preset.extractors)
        assert preset.extractors[-1] == SELECTED
        assert len(set(preset.extractors)) == len(preset.extractors)
