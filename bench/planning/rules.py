"""The rules of a run: what the machine gives that can change a figure, decided once and then set.

They stand in keys, manifest and report. Whoever does the work sets them (see `obey`), and refuses
in one line where it cannot.
"""

import os
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.errors import UnusableInput
from classifiers.memory import default_memory_limit, usable_memory

if TYPE_CHECKING:
    from bench.planning.config import Configuration

# Threads of one operation, where nobody asks for another number: more hardly speed up networks of
# this size, and machines with at least so many cores share what they train.
THREADS = 4

# The control group that a container or a batch system puts a process into.
_CPU_QUOTAS = (Path("/sys/fs/cgroup/cpu.max"),)


@dataclass(frozen=True)
class Rules:
    """What can change a figure and comes from the machine.

    Attributes
    ----------
    device : Literal["cpu", "cuda", "mps"]
        Kind of device that networks run on.
    bfloat16 : bool
        Whether networks are trained in bfloat16, and features that agree are extracted in it.
    tf32 : bool
        Whether products of float32 numbers on a GPU are rounded to TF32: never, whatever the
        process has set (see `extractors.precision`).
    threads : int
        Threads of one operation on the CPU. Another number adds up in another order.
    memory : float
        Bytes that the SVMs of a fold may take; where they need more they are approximate.
    """

    device: Literal["cpu", "cuda", "mps"] = "cpu"
    bfloat16: bool = False
    tf32: bool = False
    threads: int = 1
    memory: float = 4 * 2.0**30

    def of_networks(self) -> dict[str, Any]:
        """What features and trainings depend on."""
        rules = asdict(self)
        del rules["memory"]
        if self.device != "cpu":
            del rules["threads"]
        return rules


def decide_rules(
    device: str, options: "Configuration | None" = None, threads: int | None = None
) -> Rules:
    """Decide the rules on the machine, or one of the machines, that does the work.

    Parameters
    ----------
    device : str
        Where networks run: "cpu", "cuda", "cuda:1", "mps".
    options : Configuration | None
        What is requested; None takes all from the machine.
    threads : int | None
        From `requested_threads`, where another process than this one was asked.

    Returns
    -------
    Rules
        The rules of the run.
    """
    from extractors.precision import computes_bfloat16

    precision = options.precision if options else "auto"
    threads = requested_threads(options) if threads is None else threads
    kind = device.partition(":")[0]
    assert kind in ("cpu", "cuda", "mps")
    memory = default_memory_limit()
    if options and options.memory is not None:
        memory = options.memory * 2.0**30
    return Rules(
        device=kind,  # type: ignore[arg-type]
        bfloat16=precision == "auto" and computes_bfloat16(device),
        threads=threads or min(usable_cores(), THREADS),
        memory=memory,
    )


def likely_rules(here: Rules) -> tuple[Rules, ...]:
    """Those that workers elsewhere may have, the likeliest first: with a GPU, else as here."""
    gpu = replace(here, device="cuda")
    return replace(gpu, bfloat16=True), replace(gpu, bfloat16=False), here


def requested_threads(options: "Configuration | None") -> int:
    """The threads that the user wants, by option or OMP_NUM_THREADS; 0 where nothing is said."""
    if options and options.threads:
        return options.threads
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(wanted) if wanted.isdigit() else 0


def usable_cores() -> int:
    """The cores that this process may use: physical ones, within affinity and quota."""
    import psutil

    found = [psutil.cpu_count(logical=False) or 1, *_quotas()]
    if hasattr(os, "sched_getaffinity"):
        found.append(len(os.sched_getaffinity(0)))
    return max(1, min(found))


def _quotas() -> list[int]:
    """The cores that control groups leave, where they limit them: '150000 100000' is 1.5 cores."""
    found = []
    for file in _CPU_QUOTAS:
        try:
            quota, period = file.read_text(encoding="ascii").split()
            found.append(max(1, int(quota) // int(period)))
        except (OSError, ValueError, ZeroDivisionError):
            continue  # no such file, or 'max'
    return found


def obey_in_fits(rules: Rules) -> None:
    """Set in this process what the fits of SVMs depend on: threads of matrix products, memory.

    Parameters
    ----------
    rules : Rules
        Those of the run.

    Raises
    ------
    UnusableInput
        If this machine has less memory than fits may take.
    """
    import threadpoolctl

    if usable_memory() < rules.memory:
        raise UnusableInput(
            f"{socket.gethostname()}: has {usable_memory() / 2**30:.1f} GiB of memory, the rules "
            f"of this run allow fits {rules.memory / 2**30:.1f} GiB; --memory sets less"
        )
    threadpoolctl.threadpool_limits(rules.threads)


def obey(rules: Rules, device: str) -> None:
    """Set all rules in this process, those of fits and those of networks.

    Parameters
    ----------
    rules : Rules
        Those of the run.
    device : str
        Where networks run in this process.

    Raises
    ------
    UnusableInput
        If this machine cannot obey them.
    """
    import torch

    from extractors.precision import computes_bfloat16

    if rules.bfloat16 and not computes_bfloat16(device):
        raise UnusableInput(
            f"{socket.gethostname()}: {device} does not compute in bfloat16, as the rules of this "
            "run say; --precision float32 works everywhere"
        )
    obey_in_fits(rules)
    torch.set_num_threads(rules.threads)
