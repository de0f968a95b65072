"""What a sweep takes of the machine's memory, told from shapes before anything is allocated."""

FLOAT64 = 8


def gram_bytes(n: int, m: int, n_features: int, jobs: int = 1) -> int:
    """Bytes at the peak of a sweep of n training and m test rows.

    That is the larger of two moments: standardised features with the Gram matrix of them, and the
    Gram matrix with a kernel matrix for each of `jobs` threads and one more, which an interior
    point factorises or libsvm keeps its rows in.
    """
    gram = (n + m) * n
    return FLOAT64 * (gram + max((n + m) * n_features, jobs * gram + n * n))


def default_memory_limit() -> float:
    """Half of the machine's memory, in bytes."""
    import psutil

    return float(psutil.virtual_memory().total) / 2
