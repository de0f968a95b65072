"""What has changed since the run of a manifest is said, unless it was asked for."""

import json

from bench.record.repeated_run import find_repeated


def test_what_has_changed_since_a_run_is_said_unless_it_was_asked_for(tmp_path):
    before = {
        "fingerprint": "a",
        "features": {"features:x": "1", "features:y": "1"},
        "checkpoints": {"m": "1"},
        "plugins": {"net": "1"},
        "external": {"B": "1"},
    }
    (tmp_path / "manifest.json").write_text(
        json.dumps({"options": {"size": 64}, "configuration": before})
    )

    def change(now, given=()):
        return find_repeated(tmp_path, given).change(before | now)

    assert change({}) == ""
    said = change({"fingerprint": "b", "features": {"features:x": "2"}, "plugins": {"net": "2"}})
    assert said == (
        f"{tmp_path / 'manifest.json'}: the data, the file of features:x, the plugin of net "
        "changed since that run, which is not repeated as it was: figures may differ"
    )
    assert "the checkpoint m changed" in change({"checkpoints": {"m": "2"}})
    assert "the external set B changed" in change({"external": {"B": "2"}})
    for option in ("data", "size", "region", "external"):
        assert change({"fingerprint": "b"}, {option}) == ""
    assert change({"features": {"features:x": "2"}}, {"features"}) == ""
    assert "the data changed" in change({"fingerprint": "b"}, {"out", "repeats"})
    assert find_repeated(tmp_path / "run.toml", ()) is None
