"""Whether weights can be downloaded: each service is asked once in a process, with a deadline.

It is asked by the client that would download from it, so that proxies, mirrors (`HF_ENDPOINT`),
certificates and `HF_HUB_OFFLINE` count as they would then.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

PYTORCH = "https://download.pytorch.org"
LONGEST_WAIT = 5.0

# What a proxy or a gateway says in place of the service.
_NOT_THE_SERVICE = (407, 502, 503, 504, 511)

# A mirror's or a proxy's address may hold a name and a password.
_PASSWORD = re.compile(r"//[^/@\s]*@")

HUB = "https://huggingface.co"

# Whether only caches may be looked at, whatever services answer.
_offline = False

# By address: why a service cannot be reached, empty where it answers.
_answers: dict[str, str] = {}
_lock = threading.Lock()


def is_online(timeout: float = 3.0) -> bool:
    """Whether one of the two services that serve most weights answers.

    These are the Hugging Face Hub, or its mirror, and download.pytorch.org. Each is asked once in
    the whole process; later calls return its answer.

    Parameters
    ----------
    timeout : float
        Seconds for the attempt; never more than five.

    Returns
    -------
    bool
        Whether weights can be downloaded.
    """
    return not all(unreachable_services(timeout).values())


def unreachable_services(timeout: float = 3.0) -> dict[str, str]:
    """Why each of the two services that serve most weights cannot be reached.

    Parameters
    ----------
    timeout : float
        As for `is_online`.

    Returns
    -------
    dict[str, str]
        By service a line that names address and reason; empty where it answers.
    """
    services = {"Hugging Face Hub": _hub(), "PyTorch": PYTORCH}
    return dict(zip(services, _ask(list(services.values()), timeout), strict=True))


def why_unreachable(source: str, timeout: float = 3.0) -> str:
    """Why nothing can be downloaded from a source now; empty where its service answers.

    Parameters
    ----------
    source : str
        A URL, or a repository on the Hugging Face Hub.
    timeout : float
        Seconds for the attempt, the first time that this service is asked; never more than five.

    Returns
    -------
    str
        A line that names the service and the reason.
    """
    if _offline:
        return "--offline looks at caches only"
    (reason,) = _ask([_service(source)], timeout)
    return reason


def use_caches_only(only: bool = True) -> None:
    """Ask no service in this process from now on, or ask again.

    Parameters
    ----------
    only : bool
        Whether nothing may be asked.
    """
    global _offline
    if only != _offline:
        _offline = only
        _set_offline(only)


@contextlib.contextmanager
def unreachable_hub_fails_at_once() -> Iterator[None]:
    """Run code that may use the Hub's client; its calls fail at once if the Hub did not answer.

    They would otherwise be tried again for most of a minute, with every model. Nothing is asked
    here, and the client is as before afterwards.
    """
    if not any(_answers.values()) or not _answers.get(_hub()):
        yield
        return
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    _set_offline(True)
    try:
        yield
    finally:
        _set_offline(before)


def _set_offline(offline: bool) -> None:
    from huggingface_hub import constants, utils

    constants.HF_HUB_OFFLINE = offline
    # Before its version 1 the client looked at this only when it made a session.
    reset: Callable[[], None] | None = getattr(utils, "reset_sessions", None)
    if reset is not None:
        reset()


def _hub() -> str:
    """The address that the Hub's client uses."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _service(source: str) -> str:
    if not source.startswith(("https://", "http://")):
        return _hub()
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.netloc}"


def _ask(addresses: list[str], timeout: float) -> list[str]:
    """The answer of each service; those that are not known yet are asked all at once.

    In threads, as looking up a name cannot be stopped.
    """
    with _lock:
        found: dict[str, str] = {}
        threads = [
            threading.Thread(target=_attempt, args=(address, timeout, found), daemon=True)
            for address in addresses
            if address not in _answers
        ]
        for thread in threads:
            thread.start()
        wait = min(timeout, LONGEST_WAIT)
        end = time.monotonic() + wait
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        late = f"no answer within {wait:g} s"
        for address in addresses:
            if address not in _answers:
                reason = found.get(address, late)
                line = f"{address} cannot be reached ({reason})" if reason else ""
                if line:
                    line += _way(address)
                _answers[address] = _PASSWORD.sub("//", line)
        return [_answers[address] for address in addresses]


def _way(address: str) -> str:
    """What of the user's settings lies between this machine and a service."""
    way = ""
    if address == _hub() != HUB:
        way += "; it is the mirror that HF_ENDPOINT names"
    parts = urlsplit(address)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        way += f"; it is asked through the proxy {proxy}"
    return way


def _attempt(address: str, timeout: float, found: dict[str, str]) -> None:
    try:
        status = ask(address, min(timeout, LONGEST_WAIT))
        found[address] = f"status {status}" if status in _NOT_THE_SERVICE else ""
    except Exception as error:
        # The Hub's client is built on requests or, from its version 1 on, httpx: their errors have
        # no common class, and a proxy that is no URL is a ValueError.
        reason = " ".join(str(error).split())[:300]
        found[address] = f"{type(error).__name__}: {reason}"


def ask(address: str, timeout: float) -> int:
    """The status with which a service answers a HEAD request; raises what its client raises."""
    if address == _hub():
        from huggingface_hub import get_session

        return int(get_session().head(address, timeout=timeout).status_code)
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
