"""Builds the worked example on the masses of CBIS-DDSM: runs, and what is kept here of them.

    python docs/cbis_ddsm.py FOLDER [RUN ...]

FOLDER is the data set as `python -m bench` reads it. Each RUN is made, or goes on where it was cut
short; all of them if none is named, and then it takes days on two cores. The page
docs/results/cbis-ddsm-mass shows those that are complete, and names the others with their commands.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from worked_example import MEASURES, RESULTS, Example, Kept, named, table, write_page

from reports.statistics.difference import Difference, contrast
from reports.systems.kinds import KERNEL, OWN_HEAD
from reports.systems.pooling import PooledSystem
from reports.values import number

KEPT = RESULTS / "cbis-ddsm-mass"
RUNS = Path("runs") / "cbis-ddsm-mass"
FROZEN = "bundled:efficientnet_lite0"
KERNELS = "linear,quadratic,cubic,fine_gaussian,medium_gaussian,coarse_gaussian"
OTHERS = "logistic,knn,majority"
VITS = "vit_128_p16,vit_256_p32,vit_128_p16_aug"
# An hour or more each on two cores.
LARGER = {
    "cnn_baseline": "The thesis' CNN from scratch",
    "vit_128_p16_aug_l12": "The thesis' ViT with twelve layers from scratch",
    "vit_256_p16": "The thesis' ViT with the most tokens from scratch",
}
HYBRIDS = "cct_7,spt_lsa_vit,cvt_13,cvt_13+drloc,swin_t,swin_t+drloc,t2t_vit_14,t2t_vit_14+drloc"
AUDITS = (
    *("patient-cv", "image-cv"),
    *("rotated-by-patient", "rotated-holdout", "rotated-image-cv"),
)


def _example(name: str, title: str, **options: str) -> Example:
    pairs = [(f"--{option.replace('_', '-')}", value) for option, value in options.items()]
    begin = ("--preset", "thesis", "--threads", "1")
    return Example(name, title, (*begin, *(word for pair in pairs for word in pair)))


_frozen = partial(_example, extractors=f"{FROZEN},selected", classifiers=f"{KERNELS},{OTHERS}")
_once = partial(_example, repeats="1")
_official = partial(_once, protocols="official")
EXAMPLES = (
    _frozen(
        "crop",
        "Frozen features of crops, and how many patients they need",
        train_fraction="0.1,0.25,0.5,0.75,1",
    ),
    _frozen("context", "Frozen features of the surroundings", region="context"),
    _frozen("full", "Frozen features of the full mammogram", region="full"),
    _once(
        "choices",
        "C and scale chosen in training, principal components, probabilities",
        extractors=f"{FROZEN},selected",
        classifiers=f"{KERNELS},cubic+tuned,medium_gaussian+tuned,medium_gaussian+pca,"
        "medium_gaussian+platt",
    ),
    _official(
        "networks",
        "The thesis' smaller ViTs from scratch",
        extractors=f"{FROZEN},{VITS},selected",
        classifiers=f"{KERNELS},softmax,{OTHERS}",
    ),
    *(
        _official(
            network,
            title,
            extractors=f"{FROZEN},{network}",
            classifiers=f"{KERNELS},softmax",
        )
        for network, title in LARGER.items()
    ),
    _once(
        "audit",
        "How much protocol alone gives, for frozen features",
        extractors=FROZEN,
        protocols="official," + ",".join(AUDITS),
    ),
    _official(
        "hybrids",
        "Hybrids for small data, without and with the localization loss",
        extractors=f"{FROZEN},{HYBRIDS}",
        classifiers=f"{KERNELS},softmax",
        epochs="30",
    ),
    _official(
        "finetuned",
        "EfficientNet-Lite0 fine-tuned",
        extractors=f"{FROZEN},{FROZEN}+finetuned",
        classifiers=f"{KERNELS},softmax",
        epochs="10",
    ),
    _once(
        "reused",
        "How much protocol alone gives, for networks that are trained",
        extractors=f"cnn_baseline,{FROZEN}+finetuned",
        classifiers=f"{KERNELS},softmax",
        protocols="patient-cv,image-cv,reused-network",
        epochs="5",
    ),
    _official(
        "curve",
        "How many patients the CNN needs",
        extractors=f"{FROZEN},cnn_baseline",
        classifiers="medium_gaussian,softmax",
        train_fraction="0.25,0.5,1",
        epochs="10",
    ),
)


def main() -> None:
    """Make the runs that are named, and write the example of those that are complete."""
    if len(sys.argv) < 2:
        sys.exit("usage: python docs/cbis_ddsm.py FOLDER [RUN ...]")
    data, *wanted = sys.argv[1:]
    if unknown := set(wanted) - {example.name for example in EXAMPLES}:
        sys.exit(f"no run is called {', '.join(sorted(unknown))}")
    for example in EXAMPLES:
        if not wanted or example.name in wanted:
            example.run(data, RUNS / example.name)
    shutil.rmtree(KEPT, ignore_errors=True)
    # The report is written last.
    done = [one for one in EXAMPLES if (RUNS / one.name / "report.html").exists()]
    kept = {example.name: Kept(example, RUNS / example.name, KEPT) for example in done}
    parts = [_HEAD, *_answers(kept)]
    for one in kept.values():
        parts += _section(one)
    write_page(KEPT, [*parts, *_not_reached(kept), _FOOT])


def _answers(kept: Mapping[str, Kept]) -> list[str]:
    """The thesis' questions with what the runs found."""
    parts = ["## What was asked, and what was found"]
    parts += _networks(kept)
    parts += _localization(kept)
    parts += _audits(kept)
    return parts


def _networks(kept: Mapping[str, Kept]) -> list[str]:
    """Every trained network's own head against what needs no training of a network."""
    rows = []
    for one in kept.values():
        systems = _official_systems(one)
        references = [
            systems.get((FROZEN, KERNEL)),
            systems.get(("shortcut:size", "logistic")),
            systems.get(("reader:assessment", "logistic")),
        ]
        for (extractor, classifier), system in systems.items():
            if classifier != OWN_HEAD:
                continue
            found = [contrast(system, other) for other in references if other is not None]
            rows.append(
                (
                    *(f"`{extractor}`", f"{one.summary_of(system)['recipe']}"),
                    *(one.estimate(system, measure) for measure in MEASURES[:4]),
                    *(_difference(difference) for difference in found),
                    f"{one.training_minutes(extractor):.0f}",
                )
            )
    if not rows:
        return []
    columns = (
        *("network, own head", "recipe", "AUC", *MEASURES[1:4]),
        *("less frozen features + SVM", "less crop size", "less the assessment"),
        "training, min",
    )
    return [
        "**Does a network from scratch, or a fine-tuned one, beat frozen features with an "
        "SVM? Does any beat the size of the crop, or the radiologists' assessment?** Official "
        "split, one training each; differences of AUC on the same test crops [95 % interval of "
        f"drawn patients]; the SVM is the declared one ({KERNEL.replace('_', ' ')}) on "
        "EfficientNet-Lite0. Trainings ran on one core, with other work beside them: their "
        "minutes say what a rebuild may take, not which network is faster.",
        table(columns, rows),
        _PUBLISHED,
    ]


def _localization(kept: Mapping[str, Kept]) -> list[str]:
    """Hybrids with the localization loss against the same without it."""
    if "hybrids" not in kept:
        return []
    one = kept["hybrids"]
    systems = _official_systems(one)
    rows = []
    for (extractor, classifier), system in systems.items():
        plain = systems.get((extractor.removesuffix("+drloc"), OWN_HEAD))
        if classifier == OWN_HEAD and extractor.endswith("+drloc") and plain is not None:
            both = [one.estimate(which, "auc") for which in (system, plain)]
            rows.append((f"`{extractor}`", *both, _difference(contrast(system, plain))))
    return [
        "**Does the localization loss help?** Own heads, official split, 30 epochs.",
        table(("hybrid", "AUC with it", "AUC without it", "difference"), rows),
    ]


def _audits(kept: Mapping[str, Kept]) -> list[str]:
    """What each audit gave over its honest twin."""
    parts = []
    for one in kept.values():
        audit = one.evaluation.tables.get("leakage_audit")
        if audit is None or not len(audit):
            continue
        rows = [
            (
                *named(row),
                *(str(row["audit"]), str(row["twin"])),
                *(number(row[name]) for name in ("auc", "twin_auc")),
                f"{number(row['auc_difference'])} [{number(row['auc_difference_ci_low'])}, "
                f"{number(row['auc_difference_ci_high'])}]",
            )
            for row in audit.to_dict("records")
            if row["classifier"] in (KERNEL, OWN_HEAD) and row["rows"] == "all"
        ]
        parts += [
            f"**{one.example.title}?** AUC under each audit and under its honest twin.",
            table(
                (
                    "extractor",
                    "classifier",
                    "audit",
                    "twin",
                    "AUC",
                    "AUC of the twin",
                    "difference",
                ),
                rows,
            ),
        ]
    return parts


def _official_systems(one: Kept) -> dict[tuple[str, str], PooledSystem]:
    """The systems on all training patients under the official split, by their names."""
    return {
        (str(system.identity["extractor"]), str(system.identity["classifier"])): system
        for system in one.evaluation.systems
        if system.identity["protocol"] == "official" and system.ran and system.whole
    }


def _difference(found: Difference) -> str:
    return f"{number(found.difference)} [{number(found.low)}, {number(found.high)}]"


def _section(one: Kept) -> list[str]:
    """The part of the page on one run."""
    protocols = list(dict.fromkeys(one.summary["protocol"]))
    parts = [f"## {one.example.title}", f"```\n{one.example.command('FOLDER')}\n```"]
    for protocol in protocols:
        if protocol in ("official", "patient-cv"):
            row = one.summary[one.summary["protocol"] == protocol].iloc[0]
            repeats = f", {one.summary.loc[row.name, 'n_runs']} repeats"
            parts += [
                f"Under `{protocol}`: {row['n_test']} test rows of {row['n_patients']} patients"
                f"{repeats if protocol != 'official' else ''}.",
                one.systems(protocol),
                *one.pictures(f"auc-mass-{protocol}", f"{protocol}: AUC with intervals"),
            ]
    if set(protocols) - {"official", "patient-cv"}:
        parts += ["### Under every protocol", one.protocols(protocols)]
    parts += one.pictures("audit-", "What an audit gave, with intervals")
    parts += one.pictures("learning-", "AUC against the share of the training patients")
    return [*parts, "### The report's questions", *one.answered()]


def _not_reached(kept: Sequence[str] | Mapping[str, Kept]) -> list[str]:
    left = [example for example in EXAMPLES if example.name not in kept]
    if not left:
        return []
    parts = ["## Not run yet"]
    for example in left:
        parts += [f"{example.title}:", f"```\n{example.command('FOLDER')}\n```"]
    return parts


_HEAD = """# CBIS-DDSM masses: measured on a reduced copy

**These are figures of a reduced copy of CBIS-DDSM; those of the originals may differ.** Its 1,592
full mammograms of masses are there, each stretched to 800 × 800 pixels as an 8-bit JPEG; a lesion
is a box and not an outline, and its crop's longest side is about 100 pixels at the median. Labels,
patients, the official split and the radiologists' readings are the real ones. 1,678 of 1,696
lesions are in it (904 benign, 774 malignant): in 8 views with lesions of both classes it is not
known which box is whose.

One pretrained network was within reach: EfficientNet-Lite0 with ImageNet weights. AlexNet, the
ResNets and the ViTs with theirs, which the question is about, were not; nor was a GPU.

`python docs/cbis_ddsm.py FOLDER` builds this folder again, with one seed and one thread. Figures
are the mean ± standard deviation over repeats [95 % interval, bootstrap over patients, given the
trained models]. An empty cell is undefined. **Audits put patients on both sides on purpose; their
figures are no estimates of performance.** Each run's `run/` holds its manifest, its units and its
predictions on all training patients: every figure can be computed from them again."""

_PUBLISHED = """Published beside them: the thesis' CNN had an accuracy of 62.17 % on the 378
original test crops, a sensitivity of 36.7 % and a specificity of 78.4 %; always answering benign
has 61.1 % there."""

_FOOT = """## Before anything is concluded

- The row `shortcut:size` looks at no pixel but the crop's height and width. A system that does not
  exceed it has given no evidence that it read texture.
- `reader:assessment` is the BI-RADS assessment of the lesion in the published tables, of a reader
  who saw the films; a network sees one crop of a reduced copy.
- Intervals hold what other patients would change. What other trainings would change is not in them:
  there is one of each network.
- The official split and `patient-cv` differ by more than chance where their intervals part: the
  test crops of the official split are other patients, not a random fifth.
- Nothing here says what the originals give, or other backbones.

The images are from R. S. Lee et al., *A curated mammography data set for use in computer-aided
detection and diagnosis research*, Scientific Data 4, 170177 (2017),
doi:10.7937/K9/TCIA.2016.7O02S9CY, CC BY 3.0; changed as said above. No image is part of this
folder."""

if __name__ == "__main__":
    main()
