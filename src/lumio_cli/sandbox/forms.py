"""Forms of token requests, as clients send them."""

from __future__ import annotations

import base64

from .http import Request


def client_form(request: Request, *, query: bool = False) -> dict[str, str]:
    """A token request's form, and with `query` the query, too, which the form goes before; a client
    may authenticate with HTTP Basic (RFC 6749, 2.3.1)."""
    form = request.form()
    if query:
        form = {**{name: values[-1] for name, values in request.query.items()}, **form}
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and "client_id" not in form:
        pair = base64.b64decode(value).decode("utf-8", "replace")
        form["client_id"], _, form["client_secret"] = pair.partition(":")
    return form
