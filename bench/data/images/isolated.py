"""Decoders that cannot be stopped run in a process of their own, which is ended if it takes long.

JPEG 2000 and its like are decoded by libraries whose cost no header tells for certain. Starting a
process takes half a second, once: it stays for the next file. Where the operating system can, its
memory is limited too.
"""

import atexit
import contextlib
import json
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from io import BufferedReader
from typing import Any, BinaryIO, cast

import numpy as np

from bench.data.images.bounds import MAX_MEMORY, MAX_SECONDS, TOO_SLOW
from bench.data.images.pixels import UNREADABLE, Pixels, UnreadableImage, reason

# What is decoded, and what else is told of it, as JSON can hold it.
Answer = tuple[Pixels, dict[str, Any]]
Function = Callable[..., Answer]

# Seconds by the clock, for one that waits and does not compute.
_MAX_WAIT = 6 * MAX_SECONDS
_COMMAND = "from bench.data.images import isolated; isolated.serve()"
_TOO_MUCH = f"decoding it takes more than {MAX_MEMORY / 10**9:.1f} GB of memory"


class _Process:
    """A Python process that decodes one file after another."""

    def __init__(self) -> None:
        places = os.pathsep.join(place or os.curdir for place in sys.path)
        # A decoder's messages name no file; the reason does.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": places, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._to = cast("BinaryIO", self.process.stdin)
        self._from = cast("BufferedReader", self.process.stdout)

    def answer(self, function: Function, *arguments: Any) -> Answer:
        """The result of a function in that process."""
        done = threading.Event()
        slow: list[bool] = []
        watch = threading.Thread(target=self._watch, args=(done, slow), daemon=True)
        watch.start()
        try:
            pickle.dump((function, arguments), self._to, protocol=5)
            self._to.flush()
            said = json.loads(self._from.readline())
            if "reason" in said:
                raise UnreadableImage(said["reason"])
            pixels = np.empty(said["shape"], said["type"])
            read = self._from.readinto(pixels.view(np.uint8).data) if pixels.size else 0
            if read != pixels.nbytes:
                raise EOFError
        except (OSError, EOFError, ValueError):
            self.end()
            ended = f"{UNREADABLE} (its decoder broke down, status {self.process.returncode})"
            raise UnreadableImage(TOO_SLOW if slow else ended) from None
        finally:
            done.set()
            watch.join()
        return pixels, said["more"]

    def _watch(self, done: threading.Event, slow: list[bool]) -> None:
        """End the process once it has computed, or kept us waiting, for too long."""
        import psutil

        started = time.monotonic()
        with contextlib.suppress(psutil.Error):
            seen = psutil.Process(self.process.pid)
            before = sum(seen.cpu_times()[:2])
            while not done.wait(0.2):
                computed = sum(seen.cpu_times()[:2]) - before
                if computed > MAX_SECONDS or time.monotonic() - started > _MAX_WAIT:
                    slow.append(True)
                    self.process.kill()
                    return

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        for pipe in (self._to, self._from):
            with contextlib.suppress(OSError):
                pipe.close()


_idle: list[_Process] = []


def isolated(function: Function, *arguments: Any) -> Answer:
    """The result of a function, computed in another process within the bounds.

    Parameters
    ----------
    function : Function
        A function of a module.
    *arguments : Any
        What can be pickled.

    Returns
    -------
    Answer
        An array and a dictionary.

    Raises
    ------
    UnreadableImage
        If the function raises anything, takes too long or too much memory, or ends the process.
    """
    try:
        process = _idle.pop()
    except IndexError:
        try:
            process = _Process()
        except OSError as error:
            raise UnreadableImage(f"{UNREADABLE} (its decoder does not start: {error})") from error
    try:
        return process.answer(function, *arguments)
    finally:
        if process.process.poll() is None:
            _idle.append(process)


def serve() -> None:
    """What the other process does: decode what comes, until nothing comes any more."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "wb")
    # What a decoder prints must not be taken for an answer.
    os.dup2(2, 1)
    while True:
        try:
            function, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        _limit_memory()
        _answer(answers, function, arguments)


def _answer(answers: BinaryIO, function: Function, arguments: tuple[Any, ...]) -> None:
    said: dict[str, Any]
    pixels = None
    try:
        result, more = function(*arguments)
        pixels = np.ascontiguousarray(result)
        said = {"shape": pixels.shape, "type": pixels.dtype.str, "more": more}
    except UnreadableImage as error:
        said = {"reason": str(error)}
    except MemoryError:
        said = {"reason": _TOO_MUCH}
    except Exception as error:  # hostile files make decoders raise anything
        said = {"reason": reason(error)}
    answers.write(json.dumps(said).encode() + b"\n")
    if pixels is not None:
        answers.write(pixels.data)
    answers.flush()


def _limit_memory() -> None:
    """Refuse memory beyond what the process has now, where the operating system can."""
    import psutil

    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        has = psutil.Process().memory_info().vms
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (has + MAX_MEMORY, most))


def _end_all() -> None:
    while _idle:
        _idle.pop().end()


atexit.register(_end_all)
# A fork must not write into the pipes of its parent.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)
