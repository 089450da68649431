"""What a server of pages is told, and to which names it answers."""

import socket

import pytest

from qtw_lab.lab.publishing_plan import Plan

TOKEN = "sixteen-letters-"


@pytest.mark.parametrize(
    ("ip", "yes", "no"),
    [
        (
            "127.0.0.1",
            ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"),
            ("elsewhere.example", "192.0.2.7", "", "127.0.0.2"),
        ),
        ("192.0.2.7", ("192.0.2.7", "localhost", socket.gethostname()), ("192.0.2.8", "elsewhere.example")),
        ("0.0.0.0", ("192.0.2.8", "10.0.0.1", "[fd00::2]", "localhost"), ("elsewhere.example", "10.0.0.1.example")),
    ],
)
def test_it_answers_to_its_own_names_and_to_no_other(ip, yes, no):
    plan = Plan(ip=ip, token=TOKEN)
    assert [host for host in yes if not plan.answers_to(host)] == []
    assert [host for host in no if plan.answers_to(host)] == []


def test_its_address_is_one_that_a_browser_can_open():
    assert Plan().url(8866) == "http://127.0.0.1:8866/"
    assert Plan(ip="::1").url(1) == "http://[::1]:1/"
    every = Plan(ip="0.0.0.0", token=TOKEN).url(2)
    assert every.endswith(":2/")
    assert "0.0.0.0" not in every


def test_it_goes_through_a_pipe_and_comes_out_the_same():
    plan = Plan("panel", "192.0.2.7", 0, TOKEN, preheat=True, idle=3.5)
    assert Plan.from_json(plan.to_json()) == plan
    assert "\n" not in plan.to_json()


def test_its_repr_does_not_show_the_token():
    assert TOKEN not in repr(Plan(token=TOKEN))


def test_origins_are_its_names_or_every_one_where_it_listens_everywhere():
    assert Plan().origins() == ["127.0.0.1", "::1", "localhost"]
    assert Plan(ip="::", token=TOKEN).origins() == ["*"]
