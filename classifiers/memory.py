"""What a sweep takes of the machine's memory, told from shapes before anything is allocated."""

FLOAT64 = 8


def gram_bytes(n: int, m: int, n_features: int, jobs: int = 1, backbones: int = 1) -> int:
    """Bytes at the peak of a sweep of n training and m test rows.

    That is the larger of two moments: standardised features with the Gram matrix of them, and the
    Gram matrix with a kernel matrix for each of `jobs` threads and one more, which an interior
    point factorises or libsvm keeps its rows in. A fusion keeps the Gram matrix of each of its
    backbones, and their sum.
    """
    from joblib import effective_n_jobs  # -1 is every core

    threads: int = effective_n_jobs(jobs)
    gram = (n + m) * n
    kept = gram * (backbones + (backbones > 1))
    return FLOAT64 * (kept + max((n + m) * n_features, threads * gram + n * n))


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
