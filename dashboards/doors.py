"""Who may come in: the same rules before Voila and before Panel's server, looked at before either sees a request."""

from __future__ import annotations

import asyncio
import hmac
import html
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.routing import AnyMatches, Matcher, Rule
from tornado.web import Application, OutputTransform, RequestHandler, decode_signed_value

from dashboards.labels import label
from qtw_lab.lab.publishing_plan import Plan

#: What every document of a page may do: nothing of it reaches another server, and none of another frames it.
PAGE_POLICY: Final = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)

#: Days that a browser stays signed in, should the server live so long.
_DAYS: Final = 7
#: Seconds that the answer to a wrong token takes, so that trying takes its time.
_DELAY: Final = 0.5
_SAFE: Final = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Rules:
    """Who may come in.

    Parameters
    ----------
    plan : Plan
        Which names the server answers to, and the token.
    language : str
        Of what is said to whom may not.
    key : bytes
        Signs the cookie of who may; made anew at each start.
    """

    plan: Plan
    language: str = "en"
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def unfit(self, request: HTTPServerRequest) -> str | None:
        """The key of the label that says why a request is refused, whoever asks; None if it is not.

        A foreign name in Host means that somebody's page had its name point here (DNS rebinding); a foreign Origin
        means that somebody's page asks in our reader's name.
        """
        if not self.plan.answers_to(urlsplit(f"//{request.host}").hostname or ""):
            return "access.host"
        origin = request.headers.get("Origin")
        changes = request.method not in _SAFE or request.headers.get("Upgrade", "").lower() == "websocket"
        if changes and origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
            return "access.origin"
        return None

    def knows(self, request: HTTPServerRequest) -> bool:
        """Whether who asks has signed in, or need not."""
        if self.plan.open:
            return True
        cookie = request.cookies.get(self.cookie)
        value = cookie.value if cookie is not None else None
        return decode_signed_value(self.key, self.cookie, value, max_age_days=_DAYS) is not None

    def fits(self, token: str) -> bool:
        """Whether this is the token; how long that takes says nothing about it."""
        return hmac.compare_digest(token.encode(), (self.plan.token or "").encode())

    @property
    def cookie(self) -> str:
        """The cookie's name; two servers on one machine share its cookies, whatever their ports."""
        return f"qtw-pages-{self.plan.port}"


class _Unfit(Matcher):
    """Requests that are refused whoever asks."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return None if self._rules.unfit(request) is None else {}


class _Stranger(Matcher):
    """Requests of who has not signed in."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return None if self._rules.knows(request) else {}


class _Told(Matcher):
    """Requests that bring the token along in their address."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return {} if "token" in request.query_arguments else None


class _Answer(RequestHandler):
    """What every answer of the door has: a policy, and no copy kept."""

    def initialize(self, rules: Rules) -> None:
        self.rules = rules

    def set_default_headers(self) -> None:
        _harden(
            self._headers, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
        )
        self.set_header("Cache-Control", "no-store")

    def t(self, key: str) -> str:
        """A label."""
        return label(f"access.{key}", self.rules.language)


class _Refused(_Answer):
    """No."""

    def check_xsrf_cookie(self) -> None:
        """Need no mark: whatever is asked, the answer is no."""

    def prepare(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(label(self.rules.unfit(self.request) or "access.token", self.rules.language) + "\n")


class _Asked(_Answer):
    """Who has not signed in is led to where that is done, if it is a person who asks for a page."""

    def check_xsrf_cookie(self) -> None:
        """Need no mark: nothing is done."""

    def prepare(self) -> None:
        page = self.request.method == "GET" and "text/html" in self.request.headers.get("Accept", "")
        if page and self.request.headers.get("Upgrade") is None:
            self.redirect(f"/login?next={quote(self.request.path)}", status=303)
            return
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(self.t("token") + "\n")


class _Login(_Answer):
    """Sign in, by the form or by an address that holds the token."""

    async def get(self, path: str = "") -> None:  # noqa: ARG002  (the address that brought the token)
        """The form; or, where the address brings the token, what signing in with it leads to."""
        given = self.get_query_argument("token", None)
        if given is not None:
            await self._judge(given)
        elif self.rules.knows(self.request):
            self.redirect("/", status=303)
        else:
            self._form("")

    async def post(self, path: str = "") -> None:  # noqa: ARG002  (as above)
        """What signing in leads to."""
        await self._judge(self.get_body_argument("token", ""))

    async def _judge(self, given: str) -> None:
        if not self.rules.fits(given):
            await asyncio.sleep(_DELAY)
            self.set_status(403)
            self._form(self.t("wrong"))
            return
        self.set_signed_cookie(
            self.rules.cookie, "in", expires_days=None, path="/", httponly=True, samesite="Strict"
        )  # fmt: skip
        self.redirect(self._next(), status=303)

    def _next(self) -> str:
        """Where to go on: a place on this server, and nowhere else."""
        place = self.get_argument("next", self.request.path)
        fine = place.startswith("/") and not place.startswith(("//", "/\\", "/login"))
        return place if fine else "/"

    def _form(self, fault: str) -> None:
        said = f'<p role="alert">{html.escape(fault)}</p>' if fault else ""
        place = html.escape(self._next(), quote=True)
        self.finish(
            f'<!DOCTYPE html><html lang="{self.rules.language}"><head><meta charset="utf-8"><title>QTW Lab</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><style>'
            "body{font-family:system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;"
            "background:#f4f6f9;color:#1c2430}main{background:#fff;border:1px solid #c8d0da;border-radius:8px;"
            "padding:24px;max-width:26rem;margin:12px}h1{font-size:20px;margin:0 0 8px}"
            "label{display:block;margin:12px 0 4px}"
            "input,button{font:inherit;padding:8px;box-sizing:border-box;width:100%}button{margin-top:12px;border:0;"
            "border-radius:6px;background:#0f5fa8;color:#fff}[role=alert]{color:#a8321a}</style></head><body><main>"
            f"<h1>QTW Lab</h1><p>{html.escape(self.t('needed'))}</p>{said}"
            f'<form method="post" action="/login">{self.xsrf_form_html()}'
            f'<input type="hidden" name="next" value="{place}">'
            f'<label for="token">{html.escape(self.t("name"))}</label>'
            '<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>'
            f"<button>{html.escape(self.t('enter'))}</button></form></main></body></html>"
        )


class _Ready(_Answer):
    """Yes, for whoever waits for the server to start."""

    def get(self) -> None:
        """Say so."""
        self.finish("ready\n")


class _First(_Answer):
    """The first page stands for all."""

    def initialize(self, rules: Rules, first: str = "/") -> None:
        super().initialize(rules)
        self.first = first

    def get(self) -> None:
        """Go there."""
        self.redirect(self.first, status=303)


class Hardened(OutputTransform):
    """Puts the pages' policy on every answer of the server behind the door."""

    def __init__(self, request: HTTPServerRequest) -> None:
        del request

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,  # noqa: ARG002  (as tornado asks)
    ) -> tuple[int, HTTPHeaders, bytes]:
        """The same with the headers."""
        _harden(headers, PAGE_POLICY)
        return status_code, headers, chunk


def door(
    inner: Application, rules: Rules, first: str, own: Sequence[tuple[str, type[RequestHandler], dict[str, Any]]]
) -> Application:
    """An application that looks at each request first and lets the fit ones through.

    Parameters
    ----------
    inner : tornado.web.Application
        Who answers those.
    rules : Rules
        Which are fit.
    first : str
        The page that the bare address leads to.
    own : sequence of tuple
        What is answered before `inner` beside: pattern, handler and its arguments.
    """
    inner.add_transform(Hardened)
    told = {"rules": rules}
    signing: list[Any] = [(r"/login", _Login, told), Rule(_Told(), _Login, told)]
    return Application(
        [
            Rule(_Unfit(rules), _Refused, told),
            (r"/ready", _Ready, told),
            *([] if rules.plan.open else signing),
            Rule(_Stranger(rules), _Asked, told),
            (r"/", _First, told | {"first": first}),
            *own,
            Rule(AnyMatches(), inner),
        ],
        xsrf_cookies=True, xsrf_cookie_kwargs={"httponly": True, "samesite": "Strict"}, xsrf_cookie_name="qtw-xsrf",
        cookie_secret=rules.key, log_function=_unlogged,
    )  # fmt: skip


def _harden(headers: HTTPHeaders, policy: str) -> None:
    headers["Content-Security-Policy"] = policy
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Frame-Options"] = "SAMEORIGIN"


def _unlogged(_: RequestHandler) -> None:
    """Keep no record of what was asked here: an address may hold the token."""
