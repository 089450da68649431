"""Who may see the pages and act on them: real servers on loopback and on another address, asked from outside."""

import contextlib
import http.client
import socket
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from browsing import Visit, free_port
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from qtw_lab.core import Settings
from qtw_lab.lab.publishing import planned, published

TOKEN = "a-token-for-tests-only"


def other_address() -> str:
    """An address of this machine that others might reach; a second one of loopback, where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, contextlib.suppress(OSError):
        asking.connect(("192.0.2.1", 9))
        return asking.getsockname()[0]
    return "127.0.0.2"


OTHER = other_address()


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass
class Asker:
    """Asks a server as somebody with these cookies would."""

    ip: str
    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"{self.ip}:{self.port}"

    def __call__(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection(self.ip, self.port, timeout=60)
        given = {"Accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            given["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, None if body is None else urllib.parse.urlencode(body), given)
        answer = connection.getresponse()
        found = Answer(answer.status, answer.headers, answer.read().decode(errors="replace"))
        connection.close()
        for cookie in found.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return found

    def websocket(self, path, **headers):
        """The status with which a websocket is answered: 101 if it was opened."""
        more = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **headers}
        try:
            with connect(f"ws://{self.host}{path}", additional_headers=more, proxy=None, subprotocols=["bokeh"]):
                return 101
        except InvalidStatus as err:
            return err.response.status_code


@contextlib.contextmanager
def opened(kind, ip, storage, **terms):
    settings = Settings(qtw_storage_dir=storage, **terms)
    plan = planned(settings, ip, kind=kind, port=free_port())
    with published(settings, plan, read_only=False) as site:
        yield site, Asker(ip, plan.port)


@pytest.fixture(scope="module", params=["panel", "voila"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def away(kind, tmp_path_factory):
    """A server on another address than loopback."""
    with opened(kind, OTHER, tmp_path_factory.mktemp("away"), qtw_dashboards_token=TOKEN) as (_, asker):
        yield asker


@pytest.fixture(scope="module")
def here(kind, tmp_path_factory):
    """A server on loopback."""
    with opened(kind, "127.0.0.1", tmp_path_factory.mktemp("here")) as (_, asker):
        yield asker


@pytest.fixture
def stranger(away):
    return Asker(away.ip, away.port)


@pytest.fixture
def member(away):
    """Somebody who has signed in."""
    asker = Asker(away.ip, away.port)
    assert asker(f"/login?token={TOKEN}").status == 303
    return asker


def page(kind):
    return "/market" if kind == "panel" else "/voila/render/market.ipynb"


def websocket(kind):
    return "/market/ws" if kind == "panel" else "/api/kernels/00000000-0000-0000-0000-000000000000/channels"


def test_a_stranger_is_led_to_where_one_signs_in_and_sees_nothing_else(kind, stranger):
    answer = stranger(page(kind))
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/login?next=/")
    form = stranger(answer.headers["Location"])
    assert (form.status, 'type="password"' in form.text) == (200, True)


@pytest.mark.parametrize(
    "path",
    ["/", "/papers/2024/report", "/static/js/bokeh.min.js", "/voila/static/voila.js", "/api/kernels/x", "/voila/tree"],
)
def test_nothing_is_given_to_a_stranger_not_even_a_script(stranger, path):
    answer = stranger(path, Accept="*/*")
    assert (answer.status, answer.headers.get("Set-Cookie")) == (403, None)


@pytest.mark.parametrize("wrong", ["", "x", TOKEN + "x", TOKEN[:-1], TOKEN.upper(), "令牌"])
def test_a_wrong_token_is_refused_and_takes_its_time(stranger, wrong):
    began = time.monotonic()
    answer = stranger("/?" + urllib.parse.urlencode({"token": wrong}))
    assert (answer.status, time.monotonic() - began >= 0.5) == (403, True)
    assert set(stranger.cookies) <= {"qtw-xsrf"}


def test_the_token_opens_the_pages_and_does_not_stay_in_the_address(kind, stranger):
    answer = stranger(f"{page(kind)}?token={TOKEN}")
    assert (answer.status, answer.headers["Location"]) == (303, page(kind))
    cookie = answer.headers["Set-Cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert stranger(page(kind)).status == 200


def test_the_form_signs_in_with_its_own_mark_alone(stranger):
    form = stranger("/login").text
    mark = form.partition('name="_xsrf" value="')[2].partition('"')[0]
    assert stranger("/login", "POST", {"token": TOKEN}).status == 403
    assert stranger("/login", "POST", {"token": "wrong", "_xsrf": mark}).status == 403
    answer = stranger("/login", "POST", {"token": TOKEN, "_xsrf": mark, "next": "//elsewhere.example/"})
    assert (answer.status, answer.headers["Location"]) == (303, "/")


def test_a_cookie_made_up_is_none(kind, stranger):
    stranger.cookies[f"qtw-pages-{stranger.port}"] = "2|1:0|10:1|5:token|4:aW4=|abc"
    assert stranger(page(kind), Accept="*/*").status == 403


def test_a_websocket_is_refused_to_a_stranger(kind, stranger):
    assert stranger.websocket(websocket(kind), Origin=f"http://{stranger.host}") == 403


def test_a_websocket_of_a_foreign_page_is_refused_even_with_the_cookie(kind, member):
    for origin in (
        "http://elsewhere.example",
        "null",
        f"http://{member.ip}:1",
        f"http://{member.host}.elsewhere.example",
    ):
        assert member.websocket(websocket(kind), Origin=origin) == 403
    assert member.websocket(websocket(kind), Origin=f"http://{member.host}") != 403


def test_a_post_without_its_mark_or_from_a_foreign_page_is_refused(kind, member):
    assert member(page(kind), "POST", {"a": 1}).status == 403
    assert member("/api/kernels/x", "POST", {"a": 1}).status in (403, 404)
    assert member(page(kind), "POST", {"a": 1}, Origin="http://elsewhere.example").status == 403
    assert "another site" in member(page(kind), "POST", {"a": 1}, Origin="http://elsewhere.example").text


@pytest.mark.parametrize(
    "host", ["elsewhere.example", "elsewhere.example:8866", "127.0.0.1.elsewhere.example", "[::2]", ""]
)
def test_a_name_that_was_pointed_here_is_refused(kind, here, member, host):
    for asker in (here, member):
        answer = asker(page(kind), Host=host)
        assert answer.status in (400, 403)


def test_on_loopback_no_token_is_needed(kind, here):
    assert here(page(kind)).status == 200
    assert here("/").headers["Location"] == page(kind)
    assert here(page(kind), "POST", {"a": 1}).status == 403
    assert here.websocket(websocket(kind), Origin="http://elsewhere.example") == 403


def test_pages_let_nothing_out_and_nobody_frame_them(kind, here):
    headers = here(page(kind)).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "http" not in policy.replace("https://", "")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_new_server_knows_nobody_of_the_old_one(kind, tmp_path, member):
    with opened(kind, OTHER, tmp_path, qtw_dashboards_token=TOKEN) as (_, asker):
        asker.cookies = {f"qtw-pages-{asker.port}": next(iter(member.cookies.values()))}
        assert asker(page(kind), Accept="*/*").status == 403


def test_the_token_stands_in_no_list_of_processes_no_environment_and_no_log(kind, tmp_path):
    with opened(kind, OTHER, tmp_path, qtw_dashboards_token=TOKEN) as (site, asker):
        asker(f"/login?token={TOKEN}")
        asker(f"/?token={TOKEN}x")
        for name in ("cmdline", "environ"):
            assert TOKEN.encode() not in Path(f"/proc/{site.process.pid}/{name}").read_bytes()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []


def test_a_page_works_behind_the_token_in_a_browser(kind, away, browser):
    seen = Visit.to(browser, f"http://{away.host}{page(kind)}?token={TOKEN}", hosts=(away.ip,))
    assert TOKEN not in seen.page.url
    seen.page.get_by_label("Theme").select_option("Dark")
    assert (seen.outside, seen.errors) == ([], [])
    seen.close()
