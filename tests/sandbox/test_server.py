"""The server: faults, control API, command line. The provider is incidental."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.faults import parse_fault
from lumio_cli.sandbox.http import Request, Response

Make = Callable[..., tuple[Sandbox, httpx.Client]]
CONTACTS = "/crm/v3/objects/contacts"


def test_statuses_strike_as_told(make: Make) -> None:
    sandbox, client = make(faults=["503:every=3:times=2", "429:7:path=/crm/v3/owners"])
    statuses = [client.get(CONTACTS).status_code for _ in range(9)]
    assert statuses == [200, 200, 503, 200, 200, 503, 200, 200, 200]
    throttled = client.get("/crm/v3/owners")
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    assert throttled.json()["policyName"] == "TEN_SECONDLY_ROLLING"
    assert sandbox.stats()["throttled"] == 1 and sandbox.violations == 0
    assert [entry["struck"] for entry in sandbox.faults.report()] == [2, 1]


def test_a_request_is_in_the_books_by_the_time_of_its_arrival() -> None:
    now = [1_000.0]
    with Sandbox(records=1, providers=["pipedrive"], clock=lambda: now[0]) as sandbox:
        provider = sandbox.providers["pipedrive"]
        handle = provider.handle

        def slowly(request: Request) -> Response:
            now[0] += 5.0
            return handle(request)

        provider.handle = slowly  # type: ignore[method-assign]
        httpx.get(f"{sandbox.base_url('pipedrive')}/v1/users/me", trust_env=False)
        assert [moment for moment, *_ in sandbox.requests] == [1_000.0]


def test_retry_after_may_be_a_date_or_absent(make: Make) -> None:
    sandbox, client = make(faults=["503:date+30"])
    answer = client.get(CONTACTS)
    wait = parsedate_to_datetime(answer.headers["Retry-After"]) - parsedate_to_datetime(
        answer.headers["Date"]
    )
    assert 29 <= wait.total_seconds() <= 31
    sandbox.faults.set(["429"])
    assert "Retry-After" not in client.get(CONTACTS).headers


def test_retry_after_in_other_spellings(make: Make) -> None:
    sandbox, client = make()

    def said(form: str) -> str:
        sandbox.faults.set([f"429={form}"])
        return client.get(CONTACTS).headers["Retry-After"]

    assert [said(form) for form in ("30000", "soon", "1e400")] == ["30000", "soon", "1e400"]
    now = sandbox.hubspot.now()
    assert int(said("now+30")) == pytest.approx(now + 30, abs=5)
    assert int(said("ms+30")) / 1000 == pytest.approx(now + 30, abs=5)
    assert datetime.fromisoformat(said("iso+30")).timestamp() == pytest.approx(now + 30, abs=5)


def test_rates_are_deterministic() -> None:
    def run() -> list[int]:
        with Sandbox(records=1, seed=5, faults=["500:rate=0.5"], quota="none") as sandbox:
            headers = {"Authorization": f"Bearer {sandbox.token()}"}
            with httpx.Client(trust_env=False, headers=headers) as client:
                url = sandbox.base_url() + "/crm/v3/owners"
                return [client.get(url).status_code for _ in range(20)]

    assert run() == run()
    assert set(run()) == {200, 500}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("reset", httpx.ReadError),
        ("lost", httpx.RemoteProtocolError),
        ("cut", httpx.RemoteProtocolError),
        ("cut:0", httpx.RemoteProtocolError),
    ],
)
def test_broken_connections(make: Make, fault: str, error: type[Exception]) -> None:
    sandbox, client = make(faults=[f"{fault}:method=POST:times=1"])
    before = len(sandbox.hubspot.objects["contacts"])
    body = {"properties": {"email": "once@example.com"}}
    with pytest.raises(error):
        client.post(CONTACTS, json=body)
    done = len(sandbox.hubspot.objects["contacts"]) - before
    assert done == (0 if fault == "reset" else 1)
    assert client.post(CONTACTS, json=body).status_code == (201 if fault == "reset" else 409)


def test_answers_that_are_no_json(make: Make) -> None:
    sandbox, client = make(faults=["html:times=1"])
    answer = client.get(CONTACTS)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    for fault in ("badjson", "badutf8"):
        sandbox.faults.set([fault])
        answer = client.get(CONTACTS)
        assert answer.status_code == 200
        with pytest.raises(ValueError):
            json.loads(answer.content)


def test_content_faults(make: Make) -> None:
    sandbox, client = make()

    def page(fault: str, **query: str) -> dict[str, Any]:
        sandbox.faults.set([fault])
        found: dict[str, Any] = client.get(CONTACTS, params=query).json()
        return found

    assert "id" not in page("noid")["results"][0]
    assert isinstance(page("badid")["results"][0]["id"], dict)
    assert isinstance(page("badid:number")["results"][0]["id"], int)
    assert page("empty") == {"results": []}
    assert len(page("huge:1")["results"][0]["properties"]["message"]) == 1_000_000
    first = page("loop")["paging"]["next"]["after"]
    assert page("loop", after=first)["paging"]["next"]["after"] == first
    sandbox.faults.set(["loop"])
    body = {"after": "40", "limit": 20}
    stuck = client.post(f"{CONTACTS}/search", json=body).json()
    assert stuck["paging"]["next"]["after"] == "40"


def test_redirects_to_a_foreign_host(make: Make) -> None:
    _, client = make(faults=["foreign"])
    answer = client.get(CONTACTS)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://attacker.invalid/")


def test_a_token_that_expires_on_the_way(make: Make) -> None:
    _, client = make(faults=["expired:2"])
    assert [client.get(CONTACTS).status_code for _ in range(4)] == [200, 200, 401, 401]
    assert client.get(CONTACTS).json()["category"] == "EXPIRED_AUTHENTICATION"


def test_slow_late_and_skewed(make: Make) -> None:
    sandbox, client = make(faults=["latency:60", "slow=0.1", "skew:-7200"])
    start = time.monotonic()
    answer = client.get(CONTACTS)
    assert time.monotonic() - start > 0.15
    off = parsedate_to_datetime(answer.headers["Date"]).timestamp() - sandbox.hubspot.now()
    assert -7205 < off < -7195


@pytest.mark.parametrize(
    "spec", ["", "nope", "200", "429:every=0", "429:every=x", "429:1:2", "cut:color=red"]
)
def test_specs_that_are_refused(spec: str) -> None:
    with pytest.raises(ValueError, match=r"fault|every|invalid|int"):
        parse_fault(spec)


def test_bodies_may_be_compressed_and_chunked(make: Make) -> None:
    _, client = make(gzip=True)
    body = gzip.compress(json.dumps({"limit": 50}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = client.post(f"{CONTACTS}/search", content=iter([body[:9], body[9:]]), headers=headers)
    assert len(answer.json()["results"]) == 50
    assert answer.headers["Content-Encoding"] == "gzip"


def test_paths(make: Make) -> None:
    sandbox, client = make(providers=("hubspot",))
    assert client.get("/crm/v3/nowhere").status_code == 404
    assert client.put(CONTACTS).status_code == 405
    assert client.post(CONTACTS, content=b"{").status_code == 400
    assert client.get(CONTACTS, params={"properties": "x" * 17_000}).status_code == 414
    # A single provider answers at the root, too.
    headers = dict(client.headers)
    assert httpx.get(sandbox.url + CONTACTS, headers=headers, trust_env=False).status_code == 200


def test_keep_alive_and_close(sandbox: Sandbox) -> None:
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2]))) as raw:
        ask = b"GET /hubspot/crm/v3/owners HTTP/1.1\r\nHost: 127.0.0.1\r\n%b\r\n"
        raw.sendall(ask % b"" + ask % b"Connection: close\r\n")
        data = b""
        while part := raw.recv(65_536):
            data += part
    assert data.count(b"HTTP/1.1 401 Unauthorized") == 2
    assert data.count(b"Connection: close") == 1


def test_the_control_api(make: Make) -> None:
    sandbox, client = make()
    with httpx.Client(base_url=f"{sandbox.url}/_sandbox", trust_env=False) as control:
        made = control.post("/hubspot/deals/create", json={"properties": {"dealname": "D"}})
        one = made.json()["id"]
        change = {"id": one, "properties": {"amount": "5"}}
        assert control.post("/hubspot/deals/update", json=change).status_code == 200
        lines = control.get("/hubspot/deals/dump").text.splitlines()
        rows = {row["id"]: row for row in map(json.loads, lines)}
        assert len(rows) == 61 and rows[one]["properties"]["amount"] == "5"
        ids = list(rows)
        merge = {"winner": one, "loser": ids[0]}
        assert control.post("/hubspot/deals/merge", json=merge).status_code == 200
        assert control.post("/hubspot/deals/archive", json={"id": ids[1]}).status_code == 200
        assert control.post("/hubspot/deals/purge", json={"id": ids[2]}).status_code == 200
        added = {"type": "deals", "name": "mood", "property_type": "string"}
        assert control.post("/properties", json=added).status_code == 200
        for action in ("retype", "remove"):
            body = {**added, "action": action, "property_type": "number"}
            assert control.post("/properties", json=body).status_code == 200
        contact = next(sandbox.hubspot.dump("contacts"))["id"]
        link = {"from": "deals", "from_id": one, "to": "contacts", "to_id": contact}
        assert control.post("/hubspot/associate", json=link).status_code == 200
        assert control.post("/hubspot/consent", json={"consent": False}).json() == {
            "consent": False
        }
        assert control.post("/faults", json={"set": ["500"]}).json()["faults"][0]["struck"] == 0
        assert client.get(CONTACTS).status_code == 500
        assert control.post("/faults", json={"add": ["reset"]}).status_code == 200
        assert control.post("/faults", json={"clear": True}).json() == {"faults": []}
        habits = {"set": ["amount:cents", "dealname:ignore"]}
        assert control.post("/habits", json=habits).json() == {"habits": habits["set"]}
        wanted = {"properties": {"amount": "1.234", "dealname": "E", "deal_currency_code": "EUR"}}
        kept = client.patch(f"/crm/v3/objects/deals/{one}", json=wanted).json()["properties"]
        assert (kept["amount"], kept["dealname"]) == ("1.23", "D")
        assert control.post("/habits", json={"set": ["amount:nope"]}).status_code == 400
        assert control.post("/latency", json={"ms": 1}).status_code == 200
        for _ in range(3):
            client.get(f"{CONTACTS}/{contact}")
        stats = control.get("/stats").json()
        assert stats["providers"]["hubspot"]["records"]["deals"] == 58
        assert stats["routes"]["GET /hubspot/crm/v3/objects/contacts/{id}"] == 3
        assert stats["statuses"]["500"] == 1 and stats["throttled"] == 0
        for wrong in ({"set": ["nope"]}, {"set": 5}):
            assert control.post("/faults", json=wrong).status_code == 400
        assert control.post("/hubspot/deals/update", json={"id": "1"}).status_code == 404
        assert control.post("/hubspot/deals/create", json={"properties": 5}).status_code == 400
        assert control.post("/hubspot/deals/nope", json={}).status_code == 404
        assert control.get("/nope").status_code == 404


@contextmanager
def command(*arguments: str, stdin: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    source = str(Path(__file__).resolve().parents[2] / "src")
    process = subprocess.Popen(
        [sys.executable, "-m", "lumio_cli.sandbox", *arguments],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": source},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def test_the_command(make: Make) -> None:
    with command("--records", "5", "--fault", "500:times=1", "--quota", "none") as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["pid"] == process.pid
        provider = ready["providers"]["hubspot"]
        headers = {"Authorization": f"Bearer {provider['token']}"}
        with httpx.Client(headers=headers, trust_env=False) as client:
            url = provider["base_url"] + CONTACTS
            assert [client.get(url).status_code for _ in range(2)] == [500, 200]
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.stderr is not None and process.stderr.read() == ""


def test_the_command_ends_with_its_parent() -> None:
    with command("--records", "5", "--until-eof") as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline()
        process.stdin.close()
        assert process.wait(5) == 0


@pytest.mark.parametrize(
    "arguments",
    [("--fault", "nope"), ("--quota", "x"), ("--provider", "nope"), ("--records", "-1")],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    with command(*arguments) as process:
        _, complaint = process.communicate(timeout=10)
        assert process.returncode == 2 and "error:" in complaint


def test_it_shares_no_code_with_what_it_tests() -> None:
    script = (
        "import sys, lumio_cli.sandbox.__main__, lumio_cli.sandbox.hubspot; print(*sys.modules)"
    )
    source = str(Path(__file__).resolve().parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": source},
    )  # fmt: skip
    loaded = set(done.stdout.split())
    ours = {name for name in loaded if name.startswith("lumio_cli.")}
    assert all(name.startswith("lumio_cli.sandbox") for name in ours)
    assert not {"typer", "rich", "httpx", "pydantic"} & loaded


def test_serving_ends_when_it_is_to_and_not_at_the_next_look() -> None:
    with Sandbox(records=1, providers=["hubspot"]) as sandbox:
        server = sandbox._server
        again = threading.Thread(target=server.serve_forever, args=(3600,), daemon=True)
        again.start()
        server.shutdown()
        again.join(30)
        assert not again.is_alive()
