"""How much memory the fits need, computed from shapes before anything is allocated."""

import os
from pathlib import Path, PurePosixPath

from classifiers.validation import positive_number

FLOAT64 = 8
GIB = 2**30

CONTROL_GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def gram_bytes(n: int, m: int, n_features: int, backbones: int = 1) -> int:
    """Bytes at the peak of all work of one thread on n training and m test rows.

    That is the largest of three moments. While features are multiplied out: they, standardised,
    with their Gram matrix and that of the backbones before them. While two Gram matrices are added,
    or principal components are taken: three Gram matrices. While a kernel is fitted: see
    `thread_bytes`. The number of threads does not enter, so that no result depends on it (see
    `affordable_threads`).

    Parameters
    ----------
    n, m : int
        Training and test rows.
    n_features : int
        The features of the widest backbone.
    backbones : int
        Number of backbones that are fused.

    Returns
    -------
    int
        Bytes.
    """
    gram = (n + m) * n
    forming = min(backbones, 2) * gram + (n + m) * n_features
    return max(FLOAT64 * max(forming, 3 * gram), FLOAT64 * gram + thread_bytes(n, m))


def thread_bytes(n: int, m: int) -> int:
    """Bytes that each thread takes beside the Gram matrix that all share.

    A kernel matrix, and an interior point's factor: n × n, or a copy of that size with a factor of
    half of it at most. libsvm's row cache, in 32-bit floats, takes no more than that half.
    """
    return FLOAT64 * ((n + m) * n + 3 * n * n // 2)


def affordable_threads(n: int, m: int, jobs: int, limit: float) -> int:
    """The number of threads, at most `jobs` and at least 1, that `limit` bytes have room for."""
    from joblib import effective_n_jobs, parallel_config

    # Of threads: a worker of Dask may start no processes, and would be counted as one.
    with parallel_config(backend="threading"):
        requested = effective_n_jobs(jobs)  # -1 is every core
    room = (limit - FLOAT64 * (n + m) * n) / thread_bytes(n, m)
    return max(1, int(min(requested, room)))


def checked_limit(given: float) -> float:
    """The limit in bytes as an argument gives it; infinity is none."""
    if isinstance(given, float) and given == float("inf"):
        return given
    return positive_number("memory_limit", given)


def default_memory_limit() -> float:
    """Half of the memory that this process may use, in bytes; whole GiB where it is more than one.

    Machines of one kind differ by some pages, and are to have the same limit.
    """
    half = usable_memory() / 2
    return float(half // GIB * GIB) if half >= GIB else float(half)


def usable_memory() -> int:
    """Bytes that this process may use: the machine's, within control groups and a SLURM job."""
    import psutil

    return min([int(psutil.virtual_memory().total), *_group_limits(), *_slurm_limits()])


def _group_limits() -> list[int]:
    """The limits of the process's control groups and of all above them, of version 2 and 1."""
    found = []
    try:
        lines = OWN_GROUPS.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            root, name = CONTROL_GROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = CONTROL_GROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        for folder in (PurePosixPath(group), *PurePosixPath(group).parents):
            # A container sees its own group at the root, whatever the path is called outside.
            try:
                text = (root / folder.relative_to("/") / name).read_text(encoding="ascii")
                found.append(int(text))
            except (OSError, ValueError):
                continue  # no such file, or 'max'
    return found


def _slurm_limits() -> list[int]:
    """What a SLURM job was given; the variables count MiB."""
    found = []
    node, each = os.environ.get("SLURM_MEM_PER_NODE", ""), os.environ.get("SLURM_MEM_PER_CPU", "")
    if node.isdigit() and int(node):
        found.append(int(node) * 2**20)
    if each.isdigit() and int(each):
        cores = os.environ.get("SLURM_CPUS_ON_NODE", "")
        found.append(int(each) * 2**20 * (int(cores) if cores.isdigit() else 1))
    return found


def require_memory(needed: int, what: str, memory_limit: float | None = None) -> None:
    """Raise ValueError if `what` needs more bytes than the limit, or the default one."""
    limit = default_memory_limit() if memory_limit is None else memory_limit
    if needed > limit:
        raise ValueError(
            f"{what} needs {needed / GIB:.1f} GiB, more than fits may take ({limit / GIB:.1f} GiB)"
        )
