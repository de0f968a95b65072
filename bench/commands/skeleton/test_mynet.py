"""Does mynet.py keep the contract of a backbone? The same checks as `plugin check`."""

from pathlib import Path

from extractors.conformance.report import check_file

FILE = Path(__file__).with_name("mynet.py")


def test_every_backbone_keeps_the_contract() -> None:
    failed = [finding for finding in check_file(FILE) if finding.state == "bad"]
    assert not failed, "\n".join(f"{f.subject}: {f.what}: {f.found}; {f.hint}" for f in failed)
