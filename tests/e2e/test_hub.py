"""Models of the Hub by name: fetched into a folder, and run from there without a network."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

REVISION = "0123456789abcdef0123456789abcdef01234567"
NAMES = ("hf-hub:some/tiny", "hf:some/vit@mean", "open_clip:hf-hub:some/clip")


def write_timm(folder: Path) -> None:
    import timm
    from timm.models import save_for_hf

    save_for_hf(timm.create_model("test_vit", num_classes=3), str(folder), model_config={})


def write_transformers(folder: Path) -> None:
    transformers = pytest.importorskip("transformers")

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.ViTConfig(image_size=32, patch_size=8, intermediate_size=32, **sizes)
    transformers.ViTModel(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def write_open_clip(folder: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    from safetensors.torch import save_file

    vision = {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8}
    text = {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1}
    model = {"embed_dim": 12, "vision_cfg": vision, "text_cfg": text}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
    made = open_clip.create_model(f"local-dir:{folder}")
    save_file(made.state_dict(), folder / "open_clip_model.safetensors")


@pytest.fixture
def hub(tmp_path):
    """A cache of the Hub with a tiny model of each library, as downloads would have left it."""
    writers = {"tiny": write_timm, "vit": write_transformers, "clip": write_open_clip}
    for name, write in writers.items():
        home = tmp_path / "hf" / "hub" / f"models--some--{name}"
        snapshot = home / "snapshots" / REVISION
        for part in (snapshot, home / "refs", home / "blobs"):
            part.mkdir(parents=True)
        (home / "refs" / "main").write_text(REVISION)
        write(snapshot)
        for file in [*snapshot.iterdir()]:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            file.rename(home / "blobs" / digest)
            file.symlink_to(Path("../..") / "blobs" / digest)
    return tmp_path / "hf"


def test_weights_are_put_into_a_folder_and_a_run_takes_them_from_there(
    bench, phantom, hub, tmp_path
):
    cut = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    ended = bench("weights", "download", ",".join(NAMES), "--to", "weights", **cut)
    assert ended.status == 0, ended.out + ended.err
    assert ended.out.count("copied from this machine's cache") == 3
    again = bench("weights", "download", *NAMES, "--to", "weights", **cut)
    assert again.out.count("is there already") == 3
    hub.rename(tmp_path / "gone")

    chosen = ("--extractors", f"{','.join(NAMES)},fusion:{NAMES[0]}+{NAMES[1]}")
    ended = bench(
        *("all", "--data", phantom, "--weights-dir", "weights", "--offline", "--out", "run"),
        *("--subset", "mass", "--classifiers", "linear", *chosen),
        **cut,
    )
    assert ended.status == 0, ended.err
    summary = pd.read_csv(tmp_path / "run/tables/summary.csv").set_index("extractor")
    for name in NAMES:
        assert summary.loc[name, "status"] == "ok"
        assert summary.loc[name, "weights"] == "hub:0123456789ab"
    assert len(summary.filter(like="fusion:", axis=0)) == 1
    report = (tmp_path / "run/report.html").read_text()
    assert NAMES[2] in report


def test_what_is_not_there_keeps_its_place_and_says_why(bench, phantom, tmp_path):
    ended = bench("weights", "download", "hf:some/vit", "--to", "weights", "--offline")
    assert ended.status == 1
    assert "hf:some/vit: --offline looks at caches only" in ended.out
    assert not (tmp_path / "weights").exists()
    ended = bench(
        *("all", "--data", phantom, "--offline", "--out", "run", "--subset", "mass"),
        *("--classifiers", "linear", "--extractors", "bundled:efficientnet_lite0,hf:some/vit"),
    )
    summary = pd.read_csv(tmp_path / "run/tables/summary.csv").set_index("extractor")
    status = summary.loc["hf:some/vit", "status"]
    assert "weights not cached" in status
    assert "weights download hf:some/vit --to DIR" in status
