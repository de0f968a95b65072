"""Whether weights can be downloaded is asked through the client that would download them."""

import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants, utils

import extractors
from extractors import BackboneError, MissingWeights, create_backbone, describe, register
from extractors.pretrained import connectivity, downloads
from extractors.pretrained.connectivity import (
    is_online,
    unreachable_hub_fails_at_once,
    unreachable_services,
    why_unreachable,
)

NAME = "timm:test_vit"
FILE = "/timm/test_vit.r160_in1k/resolve/main/model.safetensors"
ALEXNET = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Server(ThreadingHTTPServer):
    """A mirror of the Hub that holds one file, and a proxy that answers for every host."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.status = 200
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Records what it is asked."""

    server: Server

    def answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        body = b"weights"
        self.send_response(self.server.status)
        self.send_header("ETag", f'"{"a" * 40}"')
        self.send_header("X-Repo-Commit", "b" * 40)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_CONNECT(self) -> None:
        self.server.asked.append(f"CONNECT {self.path}")
        self.send_error(407)

    def log_message(self, format: str, *args: object) -> None:
        pass

    do_GET = do_HEAD = answer


@pytest.fixture(autouse=True)
def _not_asked_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(connectivity, "_answers", {})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    # What torch.hub opens addresses with reads them when it is first used.
    monkeypatch.setattr(urllib.request, "_opener", None)
    forget_session()
    yield
    forget_session()


def forget_session() -> None:
    """The Hub's client reads the proxies when it makes its session."""
    forget = getattr(utils, "close_session", None) or utils.reset_sessions
    forget()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def point_hub_at(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As HF_ENDPOINT does where it is set before the program starts."""
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def test_a_mirror_is_asked_and_downloaded_from(server, monkeypatch) -> None:
    point_hub_at(server.address, monkeypatch)
    assert is_online()
    assert why_unreachable("timm/test_vit.r160_in1k") == ""
    path = extractors.download_weights(describe(NAME))
    assert path.read_bytes() == b"weights"
    # The answer is remembered, and what is in the cache is found without another question.
    assert len([line for line in server.asked if line in ("HEAD /", "HEAD ")]) == 1
    asked = len(server.asked)
    assert describe(NAME).weights_path == path
    assert len(server.asked) == asked
    assert f"GET {FILE}" in server.asked


@pytest.mark.parametrize("lower", [False, True])
def test_a_proxy_is_asked_for_the_hub_and_for_torchs_weights(server, monkeypatch, lower) -> None:
    monkeypatch.setenv("http_proxy" if lower else "HTTP_PROXY", server.address)
    point_hub_at("http://mirror.invalid", monkeypatch)
    assert why_unreachable("timm/test_vit.r160_in1k") == ""
    assert why_unreachable("http://weights.invalid/models/net-0123abcd.pth") == ""
    hosts = [line.split()[1].rstrip("/") for line in server.asked]
    assert hosts == ["http://mirror.invalid", "http://weights.invalid"]


def test_a_proxy_that_wants_a_password_is_the_reason(server, monkeypatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", server.address.replace("//", "//user:secret@"))
    reasons = unreachable_services()
    assert sorted(server.asked) == [
        "CONNECT download.pytorch.org:443",
        "CONNECT huggingface.co:443",
    ]
    for address, reason in zip(("huggingface.co", "pytorch.org"), reasons.values(), strict=True):
        assert address in reason
        assert "407" in reason
        assert "secret" not in reason
    with pytest.raises(MissingWeights, match=r"407.*; get model\.safetensors"):
        extractors.download_weights(describe(NAME))


def test_the_variables_of_the_environment_are_what_counts(server) -> None:
    code = "import extractors; print([extractors.why_unreachable('owner/name')])"
    variables = {"HF_ENDPOINT": "http://mirror.invalid/hub", "HTTP_PROXY": server.address}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True
    )
    assert answer.stdout == "['']\n", answer.stderr
    assert server.asked == ["HEAD http://mirror.invalid/hub"]


@pytest.mark.parametrize(("status", "reachable"), [(404, True), (403, True), (407, False)])
def test_any_answer_of_the_service_itself_will_do(server, monkeypatch, status, reachable) -> None:
    server.status = status
    point_hub_at(server.address, monkeypatch)
    assert (why_unreachable("owner/name") == "") == reachable
    assert (why_unreachable(f"{server.address}/file.pth") == "") == reachable


def test_a_mirror_for_the_hub_says_nothing_of_torchs_weights(server, monkeypatch) -> None:
    point_hub_at(server.address, monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert is_online()
    assert "download.pytorch.org cannot be reached" in why_unreachable(ALEXNET)
    assert why_unreachable("owner/name") == ""


def test_nothing_is_asked_of_the_hub_where_the_user_is_offline(server, monkeypatch) -> None:
    point_hub_at(server.address, monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    forget_session()
    assert "OfflineModeIsEnabled" in why_unreachable("owner/name")
    assert server.asked == []


def test_a_name_server_that_never_answers_is_given_up_in_time(monkeypatch) -> None:
    asked = []

    def hang(address: str, timeout: float) -> int:
        asked.append(address)
        time.sleep(30)
        return 200

    monkeypatch.setattr(connectivity, "ask", hang)
    start = time.monotonic()
    assert not is_online(timeout=0.3)
    assert not is_online(timeout=60)
    assert time.monotonic() - start < 2
    assert sorted(asked) == ["https://download.pytorch.org", "https://huggingface.co"]
    assert "no answer within 0.3 s" in why_unreachable(ALEXNET)


def test_the_deadline_is_never_longer_than_five_seconds(monkeypatch) -> None:
    given = []
    monkeypatch.setattr(connectivity, "ask", lambda _, timeout: given.append(timeout) or 200)
    assert is_online(timeout=60)
    assert given == [5.0, 5.0]


def test_the_process_stays_as_it_was(monkeypatch) -> None:
    point_hub_at("http://127.0.0.1:9", monkeypatch)
    before = dict(os.environ)
    assert why_unreachable("owner/name")
    assert os.environ == before
    assert constants.HF_HUB_OFFLINE is False
    with unreachable_hub_fails_at_once():
        assert constants.HF_HUB_OFFLINE is True
    assert constants.HF_HUB_OFFLINE is False


def test_a_plugin_fails_at_once_where_the_hub_did_not_answer(server, monkeypatch) -> None:
    point_hub_at(server.address, monkeypatch)
    monkeypatch.setattr(connectivity, "_answers", {server.address: "it cannot be reached"})

    @register("fetching", input_size=32)
    def fetching():
        return downloads.fetch("owner/name:file", Path(constants.HF_HUB_CACHE))

    with pytest.raises(BackboneError, match=r"fetching: .*cannot build it"):
        create_backbone("fetching")
    assert server.asked == []
    assert constants.HF_HUB_OFFLINE is False
