"""What goes wrong with messages that are sent: who has one, who has none, and who may have one."""

from __future__ import annotations

from typing import Any

import pytest

from lumio_cli.core.locks import FileLock
from lumio_cli.services.messaging.send import send_lock
from support.courier import TOKEN, CourierLab, Service

NOWHERE = "http://127.0.0.1:9"


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {m["to"]: m["status"] for m in document["messages"]}


def test_refused_by_the_provider(lab: CourierLab, service: Service) -> None:
    service.script = {"b": "refused", "c": "nobody"}
    path = lab.csv("a,hi", "b,hi", "c,hi")
    done = lab.send("--input", path)
    assert (done.code, done.json["failed"]) == (3, 2)
    codes = {m["to"]: (m["error"] or {}).get("code") for m in done.json["messages"]}
    assert codes == {"a": None, "b": "request_rejected", "c": "no_such_name"}
    service.script = {}
    assert lab.send("--input", path).code == 3, "what was refused is not tried again by itself"
    assert service.counts["b"] == 0
    assert lab.send("--input", path, "--retry-failed").code == 0
    assert service.counts["b"] == 1


def test_one_message_that_is_refused_ends_with_its_error(lab: CourierLab, service: Service) -> None:
    service.script = {"a": "refused"}
    done = lab.send("--to", "a", "--text", "hi")
    assert (done.code, done.json["status"]) == (1, "failed")
    assert done.json["error"]["code"] == "request_rejected"
    people = lab.lumio("send", "courier", "--to", "a", "--text", "hi")
    assert people.err.count("error:") == 1
    assert "no house of that name" in people.err


def test_a_fault_of_the_moment_is_tried_again_by_the_next_run(
    lab: CourierLab, service: Service
) -> None:
    service.script = {"b": "again"}
    path = lab.csv("a,hi", "b,hi")
    done = lab.send("--input", path)
    assert (done.code, statuses(done.json)["b"]) == (3, "failed"), done.out
    service.script = {}
    assert lab.send("--input", path).json["sent"] == 1
    assert service.counts == {"a": 1, "b": 1}
    down = lab.send("--to", "a", "--text", "hi", LUMIO_PROVIDERS__COURIER__BASE_URL=NOWHERE)
    assert (down.code, down.json["error"]["code"]) == (5, "provider_unavailable")
    assert down.json["messages"][0]["status"] == "failed", "nobody had it, and that is certain"


def test_a_quota_that_is_used_up_keeps_the_rest(lab: CourierLab, service: Service) -> None:
    service.script = {f"n{i}": "late" for i in range(50, 100)}
    path = lab.csv(*(f"n{i},hi" for i in range(100)))
    done = lab.send("--input", path, "--max-wait", "0")
    assert (done.code, done.json["status"]) == (5, "partial")
    assert done.json["error"]["code"] == "quota_exhausted"
    assert done.json["pending"] == 100 - done.json["sent"]
    assert done.json["unknown"] == done.json["failed"] == 0


def test_a_credential_that_is_refused_keeps_the_rest(lab: CourierLab, service: Service) -> None:
    assert lab.send("--to", "z", "--text", "hi").code == 0
    service.script = {f"n{i}": "unauthorized" for i in range(40)}
    done = lab.send("--input", lab.csv(*(f"n{i},hi" for i in range(40))))
    assert (done.code, done.json["status"], done.json["pending"]) == (4, "failed", 40)
    assert TOKEN not in done.out + done.err
    lab.environ = {k: v for k, v in lab.environ.items() if "TOKEN" not in k}
    assert lab.send("--to", "z", "--text", "hi").json["error"]["code"] == "credential_missing"


def test_an_answer_that_is_lost_leaves_a_doubt_and_no_second_message(
    lab: CourierLab, service: Service
) -> None:
    service.script = {"b": "lost"}
    path = lab.csv("a,hi", "b,hi")
    done = lab.send("--input", path, "--name", "news")
    assert (done.code, statuses(done.json)) == (3, {"a": "sent", "b": "unknown"})
    service.script = {}
    again = lab.lumio("send", "courier", "--input", path, "--name", "news", "--yes")
    assert again.code == 3
    assert "--if-unknown resend" in again.err
    assert service.counts == {"a": 1, "b": 1}
    accepted = lab.send("--input", path, "--name", "news", "--if-unknown", "accept")
    assert (accepted.code, accepted.json["skipped"]) == (0, 2)
    assert service.counts == {"a": 1, "b": 1}


def test_what_is_in_doubt_is_sent_again_on_demand_only(lab: CourierLab, service: Service) -> None:
    service.script = {"b": "cut"}
    path = lab.csv("a,hi", "b,hi")
    assert lab.send("--input", path).json["unknown"] == 1
    service.script = {}
    asked = lab.lumio("send", "courier", "--input", path, "--if-unknown", "resend", "-o", "json")
    assert asked.code == 0, "one message needs no question"
    assert service.counts == {"a": 1, "b": 1}


def test_a_provider_that_can_be_asked_clears_the_doubt(
    lab: CourierLab, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.services.messaging.run.SETTLE", 0.0)
    lab = CourierLab(lab.root, service, "tracing")
    service.script = {"b": "lost"}
    done = lab.send("--input", lab.csv("a,hi", "b,hi"))
    assert (done.code, done.json["sent"]) == (0, 2), done.out
    assert service.counts == {"a": 1, "b": 1}
    service.script = {"c": "cut"}
    lost = lab.send("--input", lab.csv("a,ho", "c,ho"))
    assert lost.json["unknown"] == 1, "it was sent again, three times, and never arrived"
    service.script = {}
    assert lab.send("--input", lab.csv("a,ho", "c,ho")).code == 0
    assert service.counts == {"a": 2, "b": 1, "c": 1}


def test_a_window_that_the_hub_knows_to_be_closed(lab: CourierLab, service: Service) -> None:
    assert lab.send("--to", "z", "--text", "hi").code == 0
    lab.sql(
        "CREATE TABLE lumio_raw_courier_talks (rid INTEGER PRIMARY KEY, id TEXT, deleted_at TEXT,"
        " payload TEXT)"
    )
    lab.sql(
        "INSERT INTO lumio_raw_courier_talks (id, payload) VALUES"
        """ ('1', '{"from": {"name": "b"}, "at": "closed"}'),"""
        """ ('2', '{"from": {"name": "c"}, "at": "open"}')"""
    )
    path = lab.csv("a,hi", "b,hi", "c,hi")
    done = lab.send("--input", path)
    assert (done.code, statuses(done.json)["b"]) == (3, "refused")
    assert service.counts == {"z": 1, "a": 1, "c": 1}
    assert done.json["messages"][0]["error"]["code"] == "window_closed"
    alone = lab.send("--to", "b", "--text", "hi")
    assert (alone.code, alone.json["error"]["code"]) == (1, "request_rejected")
    lab.sql("DELETE FROM lumio_raw_courier_talks")
    assert lab.send("--input", path).json["sent"] == 1, "it is looked at anew each time"


def test_an_attachment_that_changed_since(lab: CourierLab, service: Service) -> None:
    file = lab.root / "a.txt"
    file.write_text("one")
    service.script = {"b": "nobody"}
    path = lab.csv(f"a,{file}", f"b,{file}", header="to,media")
    assert lab.send("--input", path).json["sent"] == 1
    file.write_text("two")
    done = lab.send("--input", path, "--retry-failed")
    assert done.code == 2
    assert "attachment" in done.json["error"]["hint"]


def test_a_send_that_another_run_is_at(lab: CourierLab) -> None:
    lock: FileLock = send_lock(lab.home / "locks", "courier", "news")
    assert lock.try_acquire()
    done = lab.send("--to", "a", "--text", "hi", "--name", "news")
    lock.release()
    assert (done.code, done.json["error"]["code"]) == (6, "target_busy")


def test_another_account_may_not_go_on_with_it(lab: CourierLab, service: Service) -> None:
    service.script = {"b": "nobody"}
    path = lab.csv("a,hi", "b,hi")
    assert lab.send("--input", path).code == 3
    lab.sql("UPDATE lumio_sends SET account = '8'")
    done = lab.send("--input", path, "--retry-failed")
    assert (done.code, done.json["error"]["code"]) == (7, "account_changed")


def test_max_duration_stops_it_cleanly(lab: CourierLab, service: Service) -> None:
    service.latency = 0.05
    path = lab.csv(*(f"n{i},hi" for i in range(2000)))
    done = lab.send("--input", path, "--max-duration", "1s")
    assert (done.code, done.json["status"], done.json["unknown"]) == (3, "interrupted", 0)
    assert done.json["sent"] == len(service.got) == 2000 - done.json["pending"]


def test_requests_that_hang_keep_no_send_from_ending(
    lab: CourierLab, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what waits for a quota meanwhile never leaves."""
    monkeypatch.setattr("lumio_cli.services.messaging.run.PATIENCE", 0.5)
    service.script = {"n1": "hang"}
    path = lab.csv(*(f"n{i},hi" for i in range(3)))
    done = lab.send("--input", path, "--max-duration", "1s")
    assert (done.code, done.json["status"]) == (3, "partial")
    assert (done.json["sent"], done.json["unknown"]) == (2, 1)
    assert statuses(done.json)["n1"] == "unknown"
