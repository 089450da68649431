"""Masking, checked against the standard library's own encoders."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.runs.secrecy import Leak, Redactor, ambient_secrets, looks_secret, redactor_for, spelled

SECRET = "pa\"ss/w'or\\d+&<é>1"
ENCODERS = {
    "plain": str,
    "json": json.dumps,
    "json in unicode": lambda s: json.dumps(s, ensure_ascii=False),
    "json in json": lambda s: json.dumps(json.dumps({"k": s})),
    "repr": repr,
    "repr in a list": lambda s: repr([s, 1]),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "URL": lambda s: urllib.parse.quote(s, safe=""),
    "URL path": urllib.parse.quote,
    "URL query": lambda s: urllib.parse.urlencode({"k": s}),
    "HTML": html.escape,
    "hexadecimal": lambda s: s.encode().hex(),
}


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS.keys())
def test_a_secret_is_masked_in_every_usual_spelling(encode):
    spelled = encode(SECRET)
    masked = Redactor({"PW": SECRET}).text(f"before {spelled} after")
    assert "***PW***" in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert SECRET not in masked
    assert encode(SECRET).strip("\"'") not in masked


@given(
    secret=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=12, max_size=40),
    before=st.text(max_size=5),
    after=st.text(max_size=5),
)
@settings(deadline=None, max_examples=60, database=None)
def test_base64_of_a_longer_text_around_the_secret_does_not_decode_to_it(secret, before, after):
    encoded = base64.b64encode((before + secret + after).encode(errors="surrogatepass")).decode()
    masked = Redactor({"PW": secret}).text(encoded)
    assert "***PW***" in masked
    kept = masked.split("***PW***")
    assert sum(map(len, kept)) <= len(base64.b64encode((before + after).encode(errors="surrogatepass"))) + 8


def test_base64_broken_into_lines_is_masked():
    secret = "long-token-" + "0123456789abcdef" * 8
    masked = Redactor({"T": secret}).text(base64.encodebytes(secret.encode()).decode())
    assert masked.strip() == "***T***"


def test_the_longer_of_two_overlapping_secrets_wins():
    assert Redactor({"A": "abcdef", "B": "abcdefgh"}).text("abcdefgh abcdef") == "***B*** ***A***"


def test_a_printed_line_of_a_key_of_many_lines_is_masked():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQDF\n-----END KEY-----"
    masked = Redactor({"K": key}).text("  > EFAASCBKcwggSjAgEAAoIBAQDF\n")
    assert masked == "  > ***K***\n"


def test_secrets_are_masked_in_keys_strings_and_numbers_of_json():
    tree = {"a 123456 b": [123456, 1.5, True, None, {"x": "123456"}]}
    assert Redactor({"N": "123456"}).tree(tree) == {"a ***N*** b": ["***N***", 1.5, True, None, {"x": "***N***"}]}


def test_no_secret_means_nothing_is_touched():
    assert Redactor({}).text("text") == Redactor({"EMPTY": ""}).text("text") == "text"
    assert Redactor({}).names("text") == ()


def test_every_secret_in_a_value_is_named_once_and_none_is_shown():
    redactor = Redactor({"A": "abcdef", "N": "123456", "C": "not-there"})
    assert redactor.names({"x": ["123456", {"abcdef": 1}], "y": [123456, None, True]}) == ("N", "A")
    assert redactor.finds("x abcdef") == "A"
    assert redactor.finds("x") is None
    assert "abcdef" not in repr(redactor)


def test_leaks_are_told_by_secret_and_place():
    leaks = [Leak("A", "notebook.ipynb", 3), Leak("B", "x.bin (deleted)"), Leak("A", "notebook.ipynb", 7)]
    assert spelled(leaks) == "the value of A came out in cell 3, cell 7; the value of B came out in x.bin (deleted)"


def test_the_keys_of_the_simulator_are_no_secret():
    assert ambient_secrets({"ALPACA_API_KEY_ID": "sim-key", "ALPACA_API_SECRET_KEY": "sim-secret"}) == {}


@pytest.mark.parametrize(
    "name", ["key", "API_KEY", "apiKey", "secret", "dbPassword", "token", "broker.auth", "DB_PWD", "apikey"]
)
def test_names_of_secrets_are_known(name):
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name", ["monkey", "max_tokens", "fast", "keyboard", "symbols", "turnkeys_x", "author", "secretary_x"]
)
def test_names_that_only_resemble_secrets_are_let_through(name):
    assert not looks_secret(name)


def test_short_values_and_the_working_folder_are_not_taken_for_ambient_secrets():
    found = ambient_secrets(
        {"USE_TOKEN": "1", "PWD": "/home/me/project", "A_SECRET": "abcdefgh", "PATH": "/bin/elsewhere"}
    )
    assert found == {"A_SECRET": "abcdefgh"}


def test_a_referenced_secret_too_short_to_mask_is_refused():
    with pytest.raises(DataError, match="fewer than 4"):
        redactor_for({"PIN": "123"}, {})
