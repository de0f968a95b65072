"""Times the patient bootstrap of a summary's five measures, on made-up rows.

    python tests/performance/bootstrap.py

Prints the seconds that 2,000 draws take for some numbers of systems, test crops and repeats.
"""

import time

import numpy as np

from reports.statistics.bootstrap import bootstrap
from reports.systems.rows import ScoredRows
from reports.systems.schema import SUMMARY_MEASURES

CASES = ((100, 704, 1), (10, 704, 1), (10, 2816, 1), (10, 704, 10))
CROPS_A_PATIENT = 3


def made_up(crops: int, random: np.random.Generator) -> ScoredRows:
    """The rows of one repeat, in five folds."""
    patient = np.arange(crops) // CROPS_A_PATIENT
    score = random.normal(size=crops)
    return ScoredRows(random.random(crops) < 0.4, score, score > 0, patient, patient % 5)


def main() -> None:
    print(f"{'systems':>8}{'crops':>8}{'repeats':>8}{'seconds':>9}")
    random = np.random.default_rng(0)
    for systems, crops, repeats in CASES:
        rows = [[made_up(crops, random) for _ in range(repeats)] for _ in range(systems)]
        started = time.perf_counter()
        bootstrap(rows, SUMMARY_MEASURES)
        print(f"{systems:>8}{crops:>8}{repeats:>8}{time.perf_counter() - started:>9.2f}")


if __name__ == "__main__":
    main()
