"""Times the report of a run, and of one that is made up of several copies of it.

    python tests/performance/report.py RUN [ROWS]

Prints seconds and processor time for the run as it is and with about ROWS rows (2,000 unless said
otherwise), and how much longer that takes for a row. The run is left as it is.
"""

import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from reports import build_report
from reports.systems.pooling import pool
from reports.systems.run_folder import read_run


def multiply(run: Path, copies: int) -> None:
    """Give a run folder each of its systems so many times, under other names."""
    for name in ("units", "predictions", "trainings", "history"):
        file = run / f"{name}.parquet"
        if file.exists():
            table = pd.read_parquet(file)
            parts = [table, *(renamed(table, number) for number in range(2, copies + 1))]
            pd.concat(parts, ignore_index=True).to_parquet(file)
    manifest = json.loads((run / "manifest.json").read_text())
    rows = manifest["extractors"]
    manifest["extractors"] = rows + [
        {**row, "name": f"{row['name']} {number}"}
        for number in range(2, copies + 1)
        for row in rows
    ]
    (run / "manifest.json").write_text(json.dumps(manifest))


def renamed(table: pd.DataFrame, number: int) -> pd.DataFrame:
    """The same systems once more: another name, and units and trainings of their own."""
    names = [name for name in ("unit", "training", "extractor") if name in table]
    return table.assign(**{name: table[name].astype(str) + f" {number}" for name in names})


def measured(run: Path) -> tuple[int, float, float]:
    """Rows, seconds, and seconds of processor time of this process and those that it starts."""
    started, used = time.perf_counter(), processor()
    build_report(run)
    return len(pool(read_run(run))), time.perf_counter() - started, processor() - used


def processor() -> float:
    """Seconds of processor time so far."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    print(f"{'rows':>8}{'seconds':>9}{'processor':>11}")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(shutil.copytree(sys.argv[1], Path(folder) / "run"))
        rows, seconds, spent = measured(run)
        print(f"{rows:>8}{seconds:>9.1f}{spent:>11.1f}", flush=True)
        multiply(run, round(wanted / rows))
        more, longer, also = measured(run)
        print(f"{more:>8}{longer:>9.1f}{also:>11.1f}")
        print(f"a row takes {(longer / more) / (seconds / rows):.2f} times as long")


if __name__ == "__main__":
    main()
