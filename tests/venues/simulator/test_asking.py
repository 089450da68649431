import json

import pytest

from qtw_lab.venues.simulator.asking import Answer, Request, Route, reply


def test_a_field_given_twice_lists_all_and_the_last_counts_alone():
    asked = Request.of("get", "/v2/x?symbols=A,B&symbols=C&limit=1&limit=2&empty=")
    assert (asked.method, asked.several("symbols"), asked.one("limit"), asked.one("empty")) == (
        "GET",
        ["A", "B", "C"],
        "2",
        None,
    )


def test_percent_signs_and_plus_signs_are_undone():
    asked = Request.of("GET", "/v2/watchlists%3Aby_name?name=my%20list&start=2024-01-02T09%3A30%3A00%2B00%3A00")
    assert asked.path == "/v2/watchlists:by_name"
    assert (asked.one("name"), asked.one("start")) == ("my list", "2024-01-02T09:30:00+00:00")


def test_a_mapping_as_the_body_is_sent_as_json():
    assert json.loads(Request.of("POST", "/", {"qty": 1}).body) == {"qty": 1}


def test_an_answer_without_a_body_has_no_content_and_nan_is_none():
    assert Answer(204).content() == b""
    with pytest.raises(ValueError, match="not JSON compliant"):
        Answer(200, {"x": float("nan")}).content()


def test_the_first_route_that_fits_answers():
    routes = [
        Route("GET", r"/a/(?P<name>\w+)", lambda asked: Answer(200, [asked.place["name"]])),
        Route("GET", r"/a/b", lambda _: Answer(200, ["second"])),
        Route("POST", r"/a/b", lambda _: Answer(201)),
    ]
    assert reply(routes, Request.of("GET", "/a/b")).body == ["b"]
    assert reply(routes, Request.of("POST", "/a/b")).status == 201
    assert reply(routes, Request.of("PUT", "/a/b")).status == 405
    assert reply(routes, Request.of("GET", "/a/b/c")).status == 404
