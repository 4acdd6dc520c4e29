"""Short ways to ask the look-alike of Salesforce."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.salesforce import Salesforce

DATA = "/services/data/v67.0"


class Client:
    """Short ways to ask one org."""

    def __init__(self, sandbox: Sandbox, token: str = "full") -> None:
        self.org = cast(Salesforce, sandbox.providers["salesforce"])
        headers = {"Authorization": f"Bearer {sandbox.token('salesforce', token)}"}
        url = sandbox.base_url("salesforce")
        self.http = httpx.Client(base_url=url, headers=headers, trust_env=False)

    def query(self, soql: str, what: str = "query") -> list[dict[str, Any]]:
        answer = self.http.get(f"{DATA}/{what}", params={"q": soql})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["records"]
        return found

    def ids(self, soql: str, what: str = "query") -> list[str]:
        return [row["Id"] for row in self.query(soql, what)]

    def faults(self, *specs: str) -> None:
        """Faults that are in force from now on, and no others."""
        base = str(self.http.base_url).rstrip("/").removesuffix("/salesforce")
        self.http.post(f"{base}/_sandbox/faults", json={"set": specs})

    def error(self, path: str, method: str = "GET", **more: Any) -> tuple[int, str]:
        answer = self.http.request(method, path, **more)
        return answer.status_code, answer.json()[0]["errorCode"]


@contextmanager
def clients() -> Iterator[Callable[..., Client]]:
    """Makes orgs with options of their own, and a client of each; closes all of them."""
    opened: list[Any] = []

    def build(token: str = "full", **options: Any) -> Client:
        options = {"records": 60, "seed": 7, "providers": ("salesforce",), **options}
        sandbox = Sandbox(**options).start()
        client = Client(sandbox, token)
        opened.extend((client.http, sandbox))
        return client

    yield build
    for item in opened:
        item.close()
