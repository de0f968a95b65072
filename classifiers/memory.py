"""How much memory the fits need, computed from shapes before anything is allocated."""

from classifiers.validation import positive_number

FLOAT64 = 8


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
    from joblib import effective_n_jobs  # -1 is every core

    room = (limit - FLOAT64 * (n + m) * n) / thread_bytes(n, m)
    return max(1, int(min(effective_n_jobs(jobs), room)))


def checked_limit(given: float) -> float:
    """The limit in bytes as an argument gives it; infinity is none."""
    if isinstance(given, float) and given == float("inf"):
        return given
    return positive_number("memory_limit", given)


def default_memory_limit() -> float:
    """Half of the machine's memory, in bytes."""
    import psutil

    return float(psutil.virtual_memory().total) / 2


def require_memory(needed: int, what: str) -> None:
    """Raise ValueError if `what` needs more bytes than half of the machine's memory."""
    limit = default_memory_limit()
    if needed > limit:
        raise ValueError(
            f"{what} needs {needed / 2**30:.1f} GiB, more than half of this machine's memory "
            f"({limit / 2**30:.1f} GiB)"
        )
