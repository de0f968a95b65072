"""What networks learn from synthetic crops holds for unseen patients (`tox -e slow`)."""

import numpy as np
import pytest
import torch

from extractors.batches import features_of
from extractors.recipes import Augmentation, Recipe
from extractors.training.loop import train
from extractors.training.rows import TrainingRows
from extractors.training.trainable import create_trainable
from reports import measures, patient_bootstrap

# A lesion has no upright position; without that, 180 crops are soon known by heart.
ROTATED = Augmentation(flip_horizontal=True, flip_vertical=True, rotation=0.5, zoom=0.1)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    from bench.data import CropSettings, build_stack, load_lesions, write_phantom

    folder = tmp_path_factory.mktemp("data") / "phantom"
    write_phantom(folder, patients=240, seed=5, difficulty=0.1)
    return build_stack(load_lesions(folder), CropSettings(), tmp_path_factory.mktemp("cache"))


def rows(stack, positions):
    table = stack.table.iloc[positions]
    labels, patients = table["label"].to_numpy(), table["patient_id"].to_numpy()
    return TrainingRows(stack.images[positions], labels, patients)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "epochs", "learning_rate"),
    [
        ("cnn_baseline", 96, 30, 5e-4),
        ("cvt_13", 64, 25, 5e-4),
        ("vit_128_p16", 64, 60, 3e-4),
        ("spt_lsa_vit", 64, 30, 5e-4),
    ],
)
def test_auc_on_held_out_patients_is_clear_of_chance(stack, name, size, epochs, learning_rate):
    mass = stack.table["subset"] == "mass"
    test = np.flatnonzero(mass & (stack.table["split"] == "test"))
    unseen = ~stack.table["patient_id"].isin(stack.table["patient_id"].iloc[test])
    training = np.flatnonzero(mass & (stack.table["split"] == "train") & unseen)
    recipe = Recipe(
        "held out",
        epochs=epochs,
        batch_size=16,
        learning_rate=learning_rate,
        weight_decay=1e-3,
        warmup_epochs=2,
        clip_norm=1.0,
        augmentation=ROTATED,
        input_size=size,
    )
    trainable = create_trainable(name, recipe, seed=0)
    train(trainable, rows(stack, training), recipe)
    held_out = rows(stack, test)
    features = features_of(trainable.backbone("key"), held_out.images, "float32")
    with torch.no_grad():
        logits = trainable.network.head(torch.from_numpy(features))
    score = torch.softmax(logits, 1)[:, 1].numpy()
    low, high = patient_bootstrap(held_out.labels, score, held_out.patients)
    found = measures(held_out.labels, score, threshold=0.5)["auc"]
    print(f"{name}: AUC {found:.3f} [{low:.3f}, {high:.3f}]")
    assert low > 0.5
