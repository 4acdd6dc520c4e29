"""Correct a row, and give the same command again: nobody gets anything twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.services.messaging.delivery_marks import LEFT, TAKEN, Marks, this_boot
from lumio_cli.services.messaging.foresight import Foresight, Seen
from support.courier import CourierLab, Service


def stand(document: dict[str, Any]) -> list[str]:
    """How the messages stand, by their places."""
    return [m["status"] for m in sorted(document["messages"], key=lambda m: m["position"])]


# -- another file with the same messages


def test_a_corrected_file_is_sent_to_those_only_who_have_nothing(
    lab: CourierLab, service: Service
) -> None:
    service.script = {"b": "nobody"}
    first = lab.send("--input", lab.csv("a,hi", "b,hi", "c", "d,hi"))
    assert (first.json["sent"], first.json["failed"]) == (2, 2)
    path = lab.csv("new,hi", "a,hi", "bob,hi", "c,hi", "d,hi")
    foreseen = lab.send("--input", path, "--preview").json
    assert stand(foreseen) == ["ready", "skipped", "ready", "ready", "skipped"]
    assert (foreseen["ready"], foreseen["skipped"]) == (3, 2)
    done = lab.send("--input", path)
    assert (done.code, done.json["sent"], done.json["skipped"]) == (0, 3, 2)
    skipped = next(m for m in done.json["messages"] if m["to"] == "a")
    assert (skipped["status"], skipped["error"]) == ("skipped", None)
    assert skipped["note"].startswith("already sent on 20")
    assert skipped["note"].endswith(f"in the send {first.json['name']}")
    assert service.counts == {"a": 1, "new": 1, "bob": 1, "c": 1, "d": 1}
    again = lab.lumio("send", "courier", "--input", path, "--yes")
    assert again.code == 0
    assert "5 of 5 were sent before; --again sends them once more" in again.err
    assert len(service.got) == 5


@pytest.mark.parametrize("cut", [0, 1])
def test_another_name_and_other_line_ends_change_nothing(
    lab: CourierLab, service: Service, cut: int
) -> None:
    """Also where the two characters of a line's end lie in two pieces of what is read."""
    service.script = {"b": "nobody"}
    long = "x" * ((1 << 20) - len("to,text\na,") - cut)
    path = Path(lab.csv(f"a,{long}", "b,hi"))
    first = lab.send("--input", str(path))
    other = path.with_name("other.csv")
    other.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    service.script = {}
    done = lab.send("--input", str(other), "--retry-failed")
    assert (done.json["send_id"], done.json["name"]) == (first.json["send_id"], first.json["name"])
    assert (done.json["sent"], done.json["skipped"]) == (1, 1)
    assert service.counts == {"a": 1, "b": 1}


def test_lines_inside_of_a_cell_may_end_otherwise(lab: CourierLab, service: Service) -> None:
    assert lab.send("--input", lab.csv('a,"one\r\ntwo"')).code == 0
    assert lab.send("--input", lab.csv('a,"one\ntwo"', "b,x")).json["skipped"] == 1
    assert service.counts == {"a": 1, "b": 1}


def test_a_recipient_is_the_same_however_written(lab: CourierLab, service: Service) -> None:
    foreseen = lab.send("--input", lab.csv("Ann,hi", "ann,hi", "@Ann,hi", "@ann,ho"), "--preview")
    assert foreseen.json["repeats"] == 2
    notes = [m["note"] for m in foreseen.json["messages"]]
    assert notes == [None, "it repeats message 1", "it repeats message 1", None]
    assert lab.send("--input", lab.csv("Ann,hi")).json["sent"] == 1
    done = lab.send("--input", lab.csv("@ann,hi", "@ann,ho"))
    assert (done.json["sent"], done.json["skipped"]) == (1, 1)
    assert [m["text"] for m in service.got] == ["hi", "ho"]


def test_other_texts_and_sends_on_purpose_go_out(lab: CourierLab, service: Service) -> None:
    path = lab.csv("a,hi", "b,hi")
    assert lab.send("--input", path).json["sent"] == 2
    assert lab.send("--input", lab.csv("a,ho", "b,hi", name="two.csv")).json["sent"] == 1
    assert lab.send("--input", path, "--name", "promo").json["sent"] == 2
    assert lab.send("--to", "a", "--text", "hi").json["sent"] == 1
    assert service.counts == {"a": 4, "b": 2}


# -- --again


def test_again_sends_anew_and_goes_on_with_what_was_not_finished(
    lab: CourierLab, service: Service
) -> None:
    path = lab.csv("a,hi", "b,hi")
    first = lab.send("--input", path)
    service.script = {"b": "late"}
    half = lab.send("--input", path, "--again", "--max-wait", "0")
    assert (half.code, half.json["sent"], half.json["pending"]) == (5, 1, 1)
    assert half.json["name"] == f"{first.json['name']}~2"
    lab.lumio("limits", "clear", "courier")
    service.script = {}
    done = lab.send("--input", path, "--again")
    assert (done.json["name"], done.json["sent"], done.json["skipped"]) == (
        half.json["name"], 1, 1,
    )  # fmt: skip
    assert service.counts == {"a": 2, "b": 2}
    assert lab.send("--input", path).json["skipped"] == 2, "without it nothing is left"
    third = lab.send("--input", path, "--again")
    assert (third.json["name"], third.json["sent"]) == (f"{first.json['name']}~3", 2)


# -- what is in doubt elsewhere


def test_what_may_have_been_sent_is_in_doubt_in_the_corrected_file_too(
    lab: CourierLab, service: Service
) -> None:
    service.script = {"a": "lost", "b": "lost"}
    assert lab.send("--input", lab.csv("a,hi", "b,hi", "c")).json["unknown"] == 2
    service.script = {}
    path = lab.csv("a,hi", "b,hi", "c,hi")
    done = lab.send("--input", path)
    assert (done.code, stand(done.json)) == (3, ["unknown", "unknown", "sent"])
    assert done.json["messages"][0]["error"]["code"] == "in_doubt"
    assert lab.send("--input", path, "--preview").json["unknown"] == 2
    assert service.counts == {"a": 1, "b": 1, "c": 1}
    assert lab.send("--input", path, "--if-unknown", "accept").code == 0
    assert service.counts == {"a": 1, "b": 1, "c": 1}


def test_a_doubt_ends_where_the_other_send_knows(lab: CourierLab, service: Service) -> None:
    service.script = {"a": "lost", "b": "lost"}
    first = lab.csv("a,hi", "b,hi", "c", name="first.csv")
    assert lab.send("--input", first).json["unknown"] == 2
    second = lab.csv("a,hi", "b,hi", "c,hi", name="second.csv")
    assert lab.send("--input", second).json["unknown"] == 2
    lab.send("--input", first, "--if-unknown", "accept")
    done = lab.send("--input", second)
    assert (done.code, done.json["skipped"], done.json["sent"]) == (0, 3, 0)


def test_what_is_in_doubt_elsewhere_is_sent_on_demand(lab: CourierLab, service: Service) -> None:
    service.script = {"a": "cut"}
    assert lab.send("--input", lab.csv("a,hi", "c")).json["unknown"] == 1
    service.script = {}
    path = lab.csv("a,hi", "c,hi")
    assert lab.send("--input", path).json["unknown"] == 1
    assert lab.send("--input", path, "--if-unknown", "resend").code == 0
    assert service.counts == {"a": 1, "c": 1}


def test_a_provider_is_not_asked_by_a_key_that_it_never_had(
    lab: CourierLab, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would say that there is no such message, and it would be sent a second time."""
    monkeypatch.setattr("lumio_cli.services.messaging.run.SETTLE", 0.0)
    lab = CourierLab(lab.root, service, "tracing")
    assert lab.send("--input", lab.csv("a,hi", "c")).json["sent"] == 1
    lab.sql("UPDATE lumio_messages SET status = 'unknown', code = 'cut_off' WHERE position = 1")
    done = lab.send("--input", lab.csv("a,hi", "c,hi"))
    assert (stand(done.json), service.counts) == (["unknown", "sent"], {"a": 1, "c": 1})


def test_what_a_killed_run_has_left_is_known_before_another_file_is_sent(
    lab: CourierLab, service: Service
) -> None:
    first = lab.send("--input", lab.csv("a,hi", "b,hi", "c,hi")).json
    lab.sql("UPDATE lumio_messages SET status = 'sending'")
    lab.sql("UPDATE lumio_sends SET status = 'running', boot = ?", this_boot())
    marks = Marks(lab.home / "sends" / f"{first['send_id']}.marks", 3)
    marks[1], marks[2] = TAKEN, LEFT
    service.got.clear()
    done = lab.send("--input", lab.csv("a,hi", "b,hi", "c,hi", "d,hi"))
    assert stand(done.json) == ["skipped", "unknown", "sent", "sent"]
    assert service.counts == {"c": 1, "d": 1}, "c had never left"


def test_what_another_run_takes_meanwhile_is_not_taken_twice(
    lab: CourierLab, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the hub and the moment in which the messages are written down."""
    lab.send("--to", "z", "--text", "first of all")
    looked = Foresight.rows

    def rows(self: Foresight, db: Any, send: int | None) -> Iterator[Seen]:
        seen = list(looked(self, db, send))
        if send is not None:
            lab.sql(
                "INSERT INTO lumio_messages SELECT 1, 2, 'a', 'note', ?, 'sending', NULL, NULL,"
                " NULL, 1, '2026-12-01T00:00:00Z', NULL",
                seen[0].planned.digest,
            )
            monkeypatch.setattr(Foresight, "rows", looked)
        return iter(seen)

    monkeypatch.setattr(Foresight, "rows", rows)
    done = lab.send("--input", lab.csv("a,hi", "b,hi"))
    assert (stand(done.json), service.counts) == (["unknown", "sent"], {"z": 1, "b": 1})


# -- inside of a send that has a name


def test_a_row_that_was_not_sent_is_corrected_inside_of_its_send(
    lab: CourierLab, service: Service
) -> None:
    service.script = {"b": "refused"}
    words = ("--name", "news", "--input")
    assert lab.send(*words, lab.csv("a,hi", "b,hi", "c")).json["failed"] == 2
    done = lab.send(*words, lab.csv("a,hi", "bob,hi", "c,hi", "d,hi"))
    assert (done.code, done.json["sent"], done.json["skipped"]) == (0, 3, 1)
    assert service.counts == {"a": 1, "bob": 1, "c": 1, "d": 1}


@pytest.mark.parametrize("rows", [("a,ho", "b,hi"), ("a,hi",), ("x,hi", "a,hi", "b,hi")])
def test_a_row_that_was_sent_is_not_changed_under_it(
    lab: CourierLab, service: Service, rows: tuple[str, ...]
) -> None:
    assert lab.send("--name", "news", "--input", lab.csv("a,hi", "b,hi")).code == 0
    for more in ((), ("--preview",)):
        done = lab.send("--name", "news", "--input", lab.csv(*rows), *more)
        assert (done.code, "--name NEW" in done.json["error"]["hint"]) == (2, True)
    assert service.counts == {"a": 1, "b": 1}


def test_a_bad_row_that_was_taken_out_is_forgotten(lab: CourierLab, service: Service) -> None:
    words = ("--name", "news", "--input")
    assert lab.send(*words, lab.csv("a,hi", "b")).json["failed"] == 1
    done = lab.send(*words, lab.csv("a,hi"))
    assert (done.code, done.json["skipped"], done.json["total"]) == (0, 1, 1)
    shown = lab.lumio("sends", "show", "news", "-o", "json").json
    assert (shown["status"], shown["failed"], shown["pending"]) == ("succeeded", 0, 0)
