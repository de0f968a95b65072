"""What the head of the page is told by names and commands alone."""

from reports.text.proposed import without


def test_a_proposed_command_says_each_option_once():
    command = "python -m bench all --data 'a b' --extractors x,y --out=runs/one --jobs 2"
    assert without(command, ["--extractors"]) == "python -m bench all --data 'a b' --jobs 2"
