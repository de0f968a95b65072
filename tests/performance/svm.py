"""Measures the SVM engine against scikit-learn's `SVC` and scikit-learn-intelex, and its growth.

    python tests/performance/svm.py [--work NAME ...] [--rounds N] [--growth] [--jobs N]

Every side runs in a process of its own on the same made-up features, after a warm-up that is not
timed. The sides take turns; each round gives a ratio, and the median of the rounds is printed with
the smallest and the largest. Beside wall time stands processor time, which other work on the
machine disturbs less. n = 2,854 training and 714 test rows, five kernels (all but the fine
Gaussian). scikit-learn-intelex is asked for only by the works that need it. `--growth` prints
seconds and peak memory over n and over P instead.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

KERNELS = ("linear", "quadratic", "cubic", "medium_gaussian", "coarse_gaussian")
N_TRAIN, N_TEST = 2854, 714
# Name -> (widths of the backbones, values of C, the other side, the ratio to reach).
ONE_C = (1.0,)
SEVEN_C = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
WORKS: dict[str, tuple[tuple[int, ...], tuple[float, ...], str, float | None]] = {
    "one-c-4096": ((4096,), ONE_C, "svc", 40),
    "one-c-768": ((768,), ONE_C, "svc", 8),
    "path-4096": ((4096,), SEVEN_C, "intelex", 12),
    "path-768": ((768,), SEVEN_C, "intelex", None),
    "folds-2048": ((2048,), SEVEN_C, "intelex", 4),
    "fusion-4": ((4096, 2048, 768, 512), ONE_C, "intelex", 10),
    "exact-768": ((768,), ONE_C, "svc", None),
    "exact-4096": ((4096,), ONE_C, "svc", None),
}
Rows = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--work", nargs="*", choices=WORKS, default=list(WORKS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child, options.jobs)))
    elif options.growth:
        growth(options.jobs)
    else:
        for name in options.work:
            compare(name, options.rounds, options.jobs)


def compare(name: str, rounds: int, jobs: int) -> None:
    """Both sides in turns; prints medians, the ratios' spread and how far scores lie apart."""
    other, wanted = WORKS[name][2:]
    found: dict[str, list[dict[str, Any]]] = {"engine": [], other: []}
    for _ in range(rounds):
        for side, results in found.items():
            results.append(run_child(jobs, name, side))
    wall, processor = (
        {side: np.array([r[what] for r in results]) for side, results in found.items()}
        for what in ("seconds", "processor")
    )
    ratios, by_processor = (took[other] / took["engine"] for took in (wall, processor))
    first = found["engine"][0]
    apart = np.abs(np.subtract(first["scores"], found[other][0]["scores"])).max()
    print(
        f"{name:<12} engine {np.median(wall['engine']):8.2f} s  "
        f"{other:<8}{np.median(wall[other]):8.2f} s  wanted {wanted or '-':>4}  "
        f"ratio {spread(ratios)}  processor {spread(by_processor)}  "
        f"apart {apart:.1e}  unfinished {first['unfinished']}",
        flush=True,
    )


def spread(values: NDArray[np.float64]) -> str:
    """Median, smallest and largest of the rounds."""
    return f"{np.median(values):5.1f} ({values.min():.1f} to {values.max():.1f})"


def run_child(jobs: int, *arguments: str) -> dict[str, Any]:
    """This script once more, in a process of its own."""
    command = [sys.executable, __file__, "--jobs", str(jobs), "--child", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(arguments)}: {(result.stderr.strip() or 'killed').splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def child(arguments: list[str], jobs: int) -> dict[str, Any]:
    """One side of one work, or one point of a growth table."""
    name, side = arguments[0], arguments[1]
    if name == "growth":
        return grown(int(side), int(arguments[2]), jobs)
    widths, C, _, _ = WORKS[name]
    do = engine if side == "engine" else rival(side)
    do(name, [relu_like(60, 10, 9)], (1.0,), jobs)  # imports and pools, not timed
    data = [relu_like(N_TRAIN, N_TEST, width) for width in widths]
    started, processor = time.perf_counter(), time.process_time()
    scores, unfinished = do(name, data, C, jobs)
    return {
        "seconds": time.perf_counter() - started,
        "processor": time.process_time() - processor,
        "scores": np.concatenate(scores).tolist(),
        "unfinished": unfinished,
    }


Data = list[tuple[Rows, NDArray[np.int64], Rows, NDArray[np.int64]]]
Result = tuple[list[NDArray[np.float64]], int]


def relu_like(n: int, m: int, width: int) -> tuple[Rows, NDArray[np.int64], Rows, NDArray[Any]]:
    """Features as of a ReLU layer: sparse and correlated; labels; two rows a patient."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(n + m, 32))
    labels = (latent[:, 0] + 1.5 * rng.normal(size=n + m) > 0).astype(int)
    features = np.empty((n + m, width), dtype=np.float32)
    for start in range(0, width, 256):  # in parts: a peak here would hide the sweep's
        part = features[:, start : start + 256]
        mixed = latent @ rng.normal(size=(32, part.shape[1])) / np.sqrt(8)
        part[:] = np.maximum(mixed + rng.normal(size=part.shape) - 0.5, 0)
    return features[:n], labels[:n], features[n:], np.arange(n) // 2


def engine(name: str, data: Data, C: tuple[float, ...], jobs: int) -> Result:
    """This package, as the benchmark would call it."""
    from classifiers import SweepSettings, grams_of, sweep, sweep_subsets, tune

    train, labels, test, groups = data[0]
    if name.startswith("folds"):
        found = tune(train, labels, test, groups, KERNELS, C, scale=[1.0], jobs=jobs)
        in_order = sorted(found.table, key=lambda s: (KERNELS.index(s.kernel), s.C))
        scores = [s.out_of_fold for s in in_order]
        return scores, sum(not s.converged for s in in_order)
    if name.startswith("fusion"):
        grams = grams_of(
            {str(i): part[0] for i, part in enumerate(data)},
            {str(i): part[2] for i, part in enumerate(data)},
        )
        settings = SweepSettings(KERNELS, C, jobs=jobs)
        sweeps = [found for _, found in sweep_subsets(grams, labels, settings)]
    else:
        tol = 1e-9 if name.startswith("exact") else 1e-3
        sweeps = [sweep(train, labels, test, KERNELS, C, jobs=jobs, tol=tol)]
    fits = [fit for found in sweeps for fit in found.fits.values()]
    return [fit.score for fit in fits], sum(not fit.converged for fit in fits)


def rival(side: str) -> Callable[[str, Data, tuple[float, ...], int], Result]:
    """The same work as a loop over `SVC` of scikit-learn or of scikit-learn-intelex."""
    if side == "intelex":
        from sklearnex.svm import SVC
    else:
        from sklearn.svm import SVC

    def do(name: str, data: Data, C: tuple[float, ...], jobs: int) -> Result:
        from sklearn.preprocessing import StandardScaler

        scores = []
        for labels, train, test, groups in side_by_side(name, data):
            scaler = StandardScaler().fit(train)
            rows, others = scaler.transform(train), scaler.transform(test)
            for keywords in svc_arguments(rows.shape[1], C, 1e-9 if "exact" in name else 1e-3):
                model = SVC(**keywords)
                if not name.startswith("folds"):
                    scores.append(model.fit(rows, labels).decision_function(others))
                    continue
                out_of_fold = np.empty(len(labels))
                for fold, held_out in inner_splits(labels, groups):
                    model.fit(rows[fold], labels[fold])
                    out_of_fold[held_out] = model.decision_function(rows[held_out])
                scores.append(out_of_fold)
        return scores, 0

    return do


def side_by_side(name: str, data: Data) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Labels, float64 features and patients of every set of backbones."""
    from itertools import combinations

    sizes = range(1, len(data) + 1) if name.startswith("fusion") else [1]
    for size in sizes:
        for parts in combinations(data, size):
            train, test = (
                np.hstack([part[i] for part in parts]).astype(np.float64) for i in (0, 2)
            )
            yield parts[0][1], train, test, parts[0][3]


def svc_arguments(width: int, C: tuple[float, ...], tol: float) -> Iterator[dict[str, Any]]:
    """`SVC`'s arguments for every kernel and C, in the engine's order."""
    from classifiers import KERNELS as TABLE

    for name in KERNELS:
        kernel = TABLE[name]
        for value in C:
            # As a user writes it, and faster than a polynomial of degree 1.
            linear = {"kernel": "linear", "C": value / width}
            form = kernel.svc_arguments(kernel.preset_scale(width)) | {"C": value}
            yield (linear if kernel.is_linear else form) | {"tol": tol}


def inner_splits(labels: NDArray[Any], groups: NDArray[Any]) -> list[tuple[Any, Any]]:
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    return list(splitter.split(np.zeros(len(labels)), labels, groups))


def growth(jobs: int) -> None:
    """Tables over n and over P: seconds for Gram and fits, peak memory, fitted exponents."""
    for axis, points in (
        ("n", [(n, 1024) for n in (1000, 2000, 4000, 8000, 16000)]),
        ("P", [(N_TRAIN, width) for width in (256, 1024, 4096, 16384)]),
    ):
        found = []
        for n, width in points:
            found.append(run_child(jobs, "growth", str(n), str(width)))
            print(f"n {n:>6}  P {width:>6}  " + line(found[-1]), flush=True)
        along = np.log([n if axis == "n" else width for n, width in points])
        for what in ("gram", "fits"):
            slope = np.polyfit(along, np.log([f[what] for f in found]), 1)[0]
            print(f"{what} grows with {axis} to the power {slope:.2f}")


def line(found: dict[str, Any]) -> str:
    return (
        f"Gram {found['gram']:7.2f} s  five fits {found['fits']:7.2f} s  "
        f"peak {found['peak_gib']:6.2f} GiB = features + {found['grams']:.2f} Grams  "
        f"unfinished {found['unfinished']}"
    )


def grown(n: int, width: int, jobs: int) -> dict[str, Any]:
    """One sweep of five kernels; peak memory above what lay in memory before it."""
    from classifiers import sweep

    train, labels, test, _ = relu_like(n, N_TEST, width)
    small = relu_like(60, 10, 9)
    sweep(*small[:3], KERNELS)
    before = resident()
    started = time.perf_counter()
    found = sweep(train, labels, test, KERNELS, jobs=jobs, memory_limit=float("inf"))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    features = 8 * (n + N_TEST) * width
    return {
        "gram": found.gram_seconds,
        "fits": seconds - found.gram_seconds,
        "peak_gib": peak / 2**30,
        "grams": (peak - features) / (8 * n * n),
        "unfinished": sum(not fit.converged for fit in found.fits.values()),
    }


def resident() -> int:
    """Bytes of this process that lie in memory now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main()
