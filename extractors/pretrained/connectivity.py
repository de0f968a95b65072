"""Whether there is an internet connection: tried once in a process, with a deadline."""

from __future__ import annotations

import os
import socket
import sys
import threading

WEIGHT_HOSTS = ("huggingface.co", "download.pytorch.org")
LONGEST_WAIT = 5.0

_answer: bool | None = None
_lock = threading.Lock()


def is_online(timeout: float = 3.0) -> bool:
    """Whether a host that serves weights accepts a connection.

    There is one attempt in the whole process; later calls return its answer. Without a network the
    Hugging Face client is set to stay offline: it would otherwise retry for most of a minute with
    every model.

    Parameters
    ----------
    timeout : float
        Seconds for the attempt; never more than five.

    Returns
    -------
    bool
        Whether weights can be downloaded.
    """
    global _answer
    with _lock:
        if _answer is None:
            _answer = _reachable(min(timeout, LONGEST_WAIT))
            if not _answer:
                _stay_offline()
        return _answer


def _reachable(timeout: float) -> bool:
    """One connection a host, all at once; in threads, as looking up a name cannot be stopped."""
    reached = threading.Event()
    left = threading.Semaphore(0)

    def attempt(host: str) -> None:
        try:
            connect(host, timeout)
            reached.set()
        except OSError:
            pass
        finally:
            left.release()

    for host in WEIGHT_HOSTS:
        threading.Thread(target=attempt, args=(host,), daemon=True).start()
    deadline = threading.Event()
    timer = threading.Timer(timeout, deadline.set)
    timer.daemon = True
    timer.start()
    finished = 0
    while finished < len(WEIGHT_HOSTS) and not reached.is_set() and not deadline.is_set():
        finished += left.acquire(timeout=0.05)
    timer.cancel()
    return reached.is_set()


def connect(host: str, timeout: float) -> None:
    """Open a TCP connection to the host's HTTPS port and close it. Raises OSError."""
    with socket.create_connection((host, 443), timeout=timeout):
        pass


def _stay_offline() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    # The Hub's client reads the variable when it is imported, which may have happened already.
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
