"""What the look-alike of Slack answers, and where."""

from __future__ import annotations

from typing import Any

from ..faults import spoil
from ..http import Request, Response, Route, Routes
from ..lookalike import Answered, Token
from . import access, files, reading, writing
from .account import Account
from .answers import Arguments, fail, missing_scope
from .methods import Ask, Method
from .reading import encode

METHODS: dict[str, Method] = {
    method.name: method
    for method in (*access.METHODS, *reading.METHODS, *writing.METHODS, *files.METHODS)
}


_FIRST = {
    "users.list": "user:U0",
    "conversations.list": "team:C0",
    "users.conversations": "mine:C0",
    "conversations.history": "next_ts:9999999999999999",
    "conversations.replies": "next_ts:0",
}


def _method(slack: Slack, request: Request, name: str) -> Response:
    return slack.method(request, name)


class Slack(Account):
    """The account, behind HTTP."""

    routes = Routes(
        [
            Route("GET", "/oauth/v2/authorize", access.consent, quota="open"),
            Route("POST", "/upload/v1/{ticket}", files.upload, quota="open"),
            *(
                Route(verb, path, _method, quota="open")
                for verb in ("GET", "POST")
                for path in ("/{name}", "/api/{name}")
            ),
        ]
    )

    def charge(self, kind: str, request: Request, token: Token) -> dict[str, str]:
        """A method has a minute's quota of its own for each app. Raises Answered (429)."""
        tier = METHODS[kind].tier
        if self.is_sold(token) and METHODS[kind].restricted:
            tier = "restricted"
        self._take(f"{self._app(token)}:{kind}", tier, 60.0)
        return {}

    def method(self, request: Request, name: str) -> Response:
        """Answers one method. Raises Answered."""
        method = METHODS.get(name)
        if method is None:
            fail("unknown_method", req_method=name)
        arguments = Arguments(request, method.json)
        if method.open:
            return method.answer(Ask(self, request, arguments, Token("", frozenset())))
        token = self.authenticate(request)
        headers = {
            "X-OAuth-Scopes": ",".join(sorted(token.scopes)),
            "X-Slack-Req-Id": f"sandbox-{self.answers:08d}",
        }
        if method.scopes:
            headers["X-Accepted-OAuth-Scopes"] = ",".join(method.scopes)
        try:
            self.charge(name, request, token)
            if method.scopes and token.scopes.isdisjoint(method.scopes):
                missing_scope(method.scopes[0], token.scopes)
            response = method.answer(Ask(self, request, arguments, token))
        except Answered as answered:
            answered.response.headers.update(headers)
            raise
        response.headers.update(headers)
        return response

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A listing with a fault of its content."""
        if not isinstance(body, dict):
            return body
        name = next((n for n in ("members", "channels", "messages", "usergroups") if n in body), "")
        if not name or not isinstance(body[name], list):
            return body
        rows, key = body[name], "ts" if name == "messages" else "id"
        if kind == "empty":
            rest = {"has_more": False} if "has_more" in body else {}
            return {**body, **rest, name: [], "response_metadata": {"next_cursor": ""}}
        if kind == "loop":
            following = (body.get("response_metadata") or {}).get("next_cursor")
            stuck = Arguments(request, False).text("cursor") or following or _first(request)
            rest = {"has_more": True} if "has_more" in body else {}
            return {**body, **rest, "response_metadata": {"next_cursor": stuck}}
        if kind in ("hollow", "nowhere", "last"):
            return self._distort_paging(kind, name, request, body)
        spoil(rows, kind, argument, key=key, text="text")
        return body

    @staticmethod
    def _distort_paging(kind: str, name: str, request: Request, body: Any) -> Any:
        first = _first(request)
        if not first:
            return body  # a listing that has no pages
        if kind == "hollow":
            following = reading.again(Arguments(request, False).text("cursor") or first)
            # A page of a thread has the message that began it, always.
            rows = body[name][:1] if request.path.endswith("conversations.replies") else []
            told = {name: rows, "has_more": True}
            return {**body, **told, "response_metadata": {"next_cursor": following}}
        # Only histories are published to say `has_more`; elsewhere nothing else could contradict
        # an empty cursor.
        more = {"has_more": kind == "nowhere"} if kind == "nowhere" or "has_more" in body else {}
        return {**body, **more, "response_metadata": {"next_cursor": ""}}


def _first(request: Request) -> str:
    """A cursor that names the first page of a listing; empty where it has no pages."""
    method = request.path.rpartition("/")[2]
    word = _FIRST.get(method, "")
    return encode(word) if word else ""
