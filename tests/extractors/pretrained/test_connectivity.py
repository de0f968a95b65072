"""Whether there is an internet connection is tried once, with a deadline."""

import os
import time

import pytest

from extractors.pretrained import connectivity


@pytest.fixture(autouse=True)
def _not_tried_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectivity, "_answer", None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")


def test_a_name_server_that_never_answers_is_given_up_in_time(monkeypatch) -> None:
    attempts = []

    def hang(host: str, timeout: float) -> None:
        attempts.append(host)
        time.sleep(30)

    monkeypatch.setattr(connectivity, "connect", hang)
    start = time.monotonic()
    assert not connectivity.is_online(timeout=0.3)
    assert not connectivity.is_online(timeout=60)
    assert time.monotonic() - start < 2
    assert sorted(attempts) == sorted(connectivity.WEIGHT_HOSTS)
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_the_deadline_is_never_longer_than_five_seconds(monkeypatch) -> None:
    given = []
    monkeypatch.setattr(connectivity, "_reachable", lambda timeout: bool(given.append(timeout)))
    connectivity.is_online(timeout=60)
    assert given == [5.0]


def test_one_host_that_answers_is_enough(monkeypatch) -> None:
    def connect(host: str, timeout: float) -> None:
        if host != connectivity.WEIGHT_HOSTS[0]:
            raise OSError("refused")

    monkeypatch.setattr(connectivity, "connect", connect)
    assert connectivity.is_online()
    assert os.environ["HF_HUB_OFFLINE"] == "0"


def test_hosts_that_refuse_are_known_at_once(monkeypatch) -> None:
    def connect(host: str, timeout: float) -> None:
        raise OSError("refused")

    monkeypatch.setattr(connectivity, "connect", connect)
    start = time.monotonic()
    assert not connectivity.is_online()
    assert time.monotonic() - start < 1
