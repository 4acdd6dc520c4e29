"""`lumio send` and `lumio sends`, against a provider that delivers messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.courier import CourierLab, Service


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {m["to"]: m["status"] for m in document["messages"]}


# -- one message


def test_one_message(lab: CourierLab, service: Service) -> None:
    done = lab.lumio("send", "courier", "--to", "Ann", "--text", "Olá, 你好", "-o", "json")
    assert (done.code, done.err) == (0, "")
    assert (done.json["status"], done.json["sent"], done.json["total"]) == ("succeeded", 1, 1)
    assert done.json["messages"][0]["id"] == f"m-{service.got[0]['key']}"
    assert (service.got[0]["to"], service.got[0]["text"]) == ("Ann", "Olá, 你好")


def test_each_command_without_a_name_is_a_send_of_its_own(
    lab: CourierLab, service: Service
) -> None:
    for _ in range(2):
        assert lab.send("--to", "Ann", "--text", "hi").code == 0
    assert service.counts == {"Ann": 2}
    assert len({message["key"] for message in service.got}) == 2


def test_with_a_name_it_is_sent_once(lab: CourierLab, service: Service) -> None:
    words = ("--to", "Ann", "--text", "hi", "--name", "greeting")
    assert lab.send(*words).json["sent"] == 1
    again = lab.send(*words)
    assert (again.code, again.json["sent"], again.json["skipped"]) == (0, 0, 1)
    assert service.counts == {"Ann": 1}
    other = lab.send("--to", "Ann", "--text", "bye", "--name", "greeting")
    assert other.code == 2
    assert "--name NEW" in other.json["error"]["hint"]


def test_the_kind_follows_from_what_is_given(lab: CourierLab, service: Service) -> None:
    (lab.root / "cat.png").write_bytes(b"\x89PNG")
    given = {
        "note": ("--to", "a", "--text", "hi"),
        "form": ("--to", "a", "--template", "x", "--param", "1", "--param", "name=2"),
        "parcel": ("--to", "a", "--media", str(lab.root / "cat.png"), "--caption", "a cat"),
        "link": ("--to", "a", "--media", "https://example.com/cat.png"),
        "poster": ("--set", "headline=News"),
    }
    for kind, words in given.items():
        done = lab.send(*words)
        assert done.code == 0, done.out
        assert service.got[-1]["kind"] == kind
    form, parcel = service.got[1], service.got[2]
    assert form["params"] == ["1", "name=2"]
    assert (form["copies"], form["urgent"]) == (1, False), "what was not given is as declared"
    assert parcel["caption"] == "a cat"
    assert service.uploads == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--to", "a"), "no kind of message"),
        (("--text", "hi"), "no kind of message"),
        (("--to", "a", "--text", "hi", "--caption", "x"), "no kind of message"),
        (("--to", "a", "--text", "hi", "--kind", "nota"), "'nota'"),
        (("--to", "a", "--text", "hi", "--kind", "form"), "text"),
        (("--to", "a", "--kind", "form"), "template must be given"),
        (("--to", "a", "--set", "texte=hi"), "texte"),
        (("--to", "a", "--set", "text"), "FIELD=VALUE"),
        (("--to", "a", "--template", "x", "--set", "copies=many"), "copies"),
        (("--to", "a", "--template", "x", "--set", "urgent=perhaps"), "urgent"),
        (("--to", "a", "--media", "nowhere.png"), "nowhere.png"),
        (("--to", "a", "--set", "link=gopher://x"), "link"),
        (("--to", "a", "--text", "x", "--text-file", "y"), "--text-file"),
        (("--to", "a", "--text-file", "nowhere"), "nowhere"),
        (("--to", "a", "--text", "x", "--at", "tomorrow"), "--at"),
        (("--to", "a" * 41, "--text", "x"), "40 characters"),
        (("--to", "a", "--input", "-"), "--to and --input"),
        (("--input", "nowhere.csv"), "nowhere.csv"),
        (("--to", "a", "--text", "x", "--name", "n" * 101), "--name"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_happens(
    lab: CourierLab, service: Service, words: tuple[str, ...], told: str
) -> None:
    done = lab.send(*words)
    assert done.code == 2, done.out
    assert told in done.json["error"]["message"]
    assert not service.got
    assert not lab.hub_path.exists()


def test_what_a_kind_needs_is_in_the_hint(lab: CourierLab) -> None:
    error = lab.send("--to", "a", "--caption", "x").json["error"]
    assert "parcel needs to, media (and takes caption)" in error["hint"]
    nearest = lab.send("--to", "a", "--kind", "nots", "--text", "x").json["error"]
    assert nearest["hint"] == "did you mean 'note'?"


def test_a_provider_that_sends_nothing(lab: CourierLab) -> None:
    done = lab.lumio("send", "hubspot", "--to", "a", "--text", "hi", "-o", "json")
    assert done.code == 2
    assert "courier" in done.json["error"]["hint"]


def test_text_from_a_file_and_from_stdin(lab: CourierLab, service: Service) -> None:
    (lab.root / "text").write_text("from a file\n", encoding="utf-8")
    assert lab.send("--to", "a", "--text-file", str(lab.root / "text")).code == 0
    assert lab.send("--to", "a", "--text-file", "-", stdin="two\nlines\n").code == 0
    assert [m["text"] for m in service.got] == ["from a file", "two\nlines"]


# -- asking first


def test_many_messages_and_kinds_that_reach_many_ask_first(
    lab: CourierLab, service: Service
) -> None:
    many = ("send", "courier", "--to", "a", "--to", "b", "--text", "hi")
    poster = ("send", "courier", "--set", "headline=News")
    for words in (many, poster):
        refused = lab.lumio(*words, "-o", "json")
        assert (refused.code, refused.json["error"]["hint"]) == (2, "use --yes")
        said = lab.lumio(*words, stdin="no\n", terminal=True)
        assert said.code == 2
        assert "Type 'send' to go on" in said.err
    assert not service.got
    assert lab.lumio(*many, stdin="send\n", terminal=True).code == 0
    assert service.counts == {"a": 1, "b": 1}


def test_a_kind_that_goes_to_one_at_a_time(lab: CourierLab, service: Service) -> None:
    path = lab.csv("One", "Two", header="headline")
    done = lab.send("--input", path)
    assert (done.code, service.got) == (2, [])
    assert "one recipient at a time" in done.json["error"]["message"]


# -- many


def test_a_file_is_sent_once_however_often_the_command_is_repeated(
    lab: CourierLab, service: Service
) -> None:
    path = lab.csv(*(f"n{i},hello {i}" for i in range(150)))
    first = lab.send("--input", path)
    assert (first.code, first.json["sent"]) == (0, 150)
    assert len(first.json["messages"]) == 100
    again = lab.lumio("send", "courier", "--input", path, "--yes")
    assert again.code == 0
    assert "--name" in again.err
    assert set(service.counts.values()) == {1}
    other = lab.send("--input", path, "--name", "on purpose")
    assert other.json["sent"] == 150
    assert set(service.counts.values()) == {2}


def test_messages_to_one_recipient_keep_their_order(lab: CourierLab, service: Service) -> None:
    rows = [f"n{i % 4},{i}" for i in range(120)]
    service.latency = 0.002
    assert lab.send("--input", lab.csv(*rows)).code == 0
    for to in ("n0", "n1", "n2", "n3"):
        told = [int(m["text"]) for m in service.got if m["to"] == to]
        assert told == sorted(told)
    assert service.peak > 1, "different recipients side by side"


def test_what_is_common_comes_from_options_and_cells_go_before_it(
    lab: CourierLab, service: Service
) -> None:
    path = lab.csv("a,,1,x", "b,other,2,", header="to,template,params.1,params.city")
    assert lab.send("--input", path, "--template", "usual").code == 0
    told = {m["to"]: (m["template"], m["params"]) for m in service.got}
    assert told == {"a": ("usual", ["1", "city=x"]), "b": ("other", ["2"])}


def test_bad_rows_stop_no_other(lab: CourierLab, service: Service) -> None:
    rows = ["a,one", "b", "c,", f"{'d' * 41},x", "e,two"]
    done = lab.send("--input", lab.csv(*rows))
    assert (done.code, done.json["status"]) == (3, "partial")
    assert service.counts == {"a": 1, "e": 1}
    assert (done.json["sent"], done.json["failed"]) == (2, 3)
    errors = [m["error"]["message"] for m in done.json["messages"] if m["error"]]
    assert [text.partition(":")[0] for text in errors] == ["line 3", "line 4", "line 5"]
    assert {m["error"]["code"] for m in done.json["messages"] if m["error"]} == {"bad_row"}


def test_rows_of_json_lines_from_stdin(lab: CourierLab, service: Service) -> None:
    rows = [
        json.dumps({"to": "a", "text": "hi", "_note": "mine"}),
        "",
        "{",
        "[1]",
        json.dumps({"to": 5511987654321, "template": "t", "params": [{"x": 1}], "kind": "form"}),
        json.dumps({"to": "c", "headline": "x"}),
    ]
    done = lab.send("--input", "-", stdin="\n".join(rows))
    assert (done.code, done.json["sent"], done.json["failed"]) == (3, 2, 3)
    assert service.counts == {"a": 1, "5511987654321": 1}
    form = next(m for m in service.got if m["kind"] == "form")
    assert form["params"] == [{"x": 1}]


@pytest.mark.parametrize(
    ("header", "told"),
    [("to,texte", "texte"), ("text", "'to'"), ("to,to", "twice"), ("", "header")],
)
def test_a_header_that_cannot_be_right(lab: CourierLab, header: str, told: str) -> None:
    done = lab.send("--input", lab.csv("a,b", header=header))
    assert done.code == 2
    assert told in done.json["error"]["message"]


def test_an_input_without_rows(lab: CourierLab) -> None:
    assert "no rows" in lab.send("--input", lab.csv()).json["error"]["message"]


def test_another_text_for_the_same_file_needs_another_name(
    lab: CourierLab, service: Service
) -> None:
    path = lab.csv("a", "b", header="to")
    assert lab.send("--input", path, "--text", "one").code == 0
    refused = lab.send("--input", path, "--text", "two")
    assert refused.code == 2
    assert service.counts == {"a": 1, "b": 1}
    assert lab.send("--input", path, "--text", "two", "--name", "second").code == 0


# -- the preview


def test_the_preview_sends_and_writes_nothing(lab: CourierLab, service: Service) -> None:
    path = lab.csv("a,hi", "a,hi", "b", "c,ho")
    done = lab.send("--input", path, "--preview")
    assert done.code == 3
    told = {name: done.json[name] for name in ("total", "ready", "failed", "repeats")}
    assert told == {"total": 4, "ready": 3, "failed": 1, "repeats": 1}
    assert done.json["messages"][0]["summary"] == "text: hi"
    assert (service.got, service.asked) == ([], 0)
    assert not lab.hub_path.exists()
    people = lab.lumio("send", "courier", "--input", path, "--preview", terminal=True)
    assert "Nothing was sent" in people.out
    assert lab.send("--input", lab.csv("a,hi"), "--preview", "--limit", "0").code == 0


def test_the_preview_of_a_send_that_goes_on(lab: CourierLab, service: Service) -> None:
    service.script = {"b": "nobody"}
    path = lab.csv("a,hi", "b,hi")
    assert lab.send("--input", path).code == 3
    again = lab.send("--input", path, "--preview").json
    assert statuses(again) == {"a": "skipped", "b": "failed"}
    wanted = lab.send("--input", path, "--preview", "--retry-failed").json
    assert statuses(wanted) == {"a": "skipped", "b": "ready"}


# -- sends


def test_what_was_sent_is_listed_and_shown(lab: CourierLab, service: Service) -> None:
    assert lab.lumio("sends", "list", "-o", "json").json == {"sends": []}
    service.script = {"b": "refused", "c": "lost"}
    path = lab.csv("a,secret words", "b,hi", "c,hi")
    lab.send("--input", path, "--name", "news")
    listed = lab.lumio("sends", "list", "courier", "-o", "json").json["sends"]
    assert [(s["name"], s["status"], s["sent"], s["failed"]) for s in listed] == [
        ("news", "partial", 1, 1)
    ]
    shown = lab.lumio("sends", "show", "news", "-o", "json").json
    assert [m["status"] for m in shown["messages"]] == ["unknown", "failed", "sent"]
    by_id = lab.lumio("sends", "show", shown["send_id"][:22], "-o", "json").json
    assert by_id["send_id"] == shown["send_id"]
    failed = lab.lumio("sends", "show", "news", "--status", "failed", "--limit", "0").out
    assert failed.splitlines()[1].split("\t")[:4] == ["2", "b", "note", "failed"]
    people = lab.lumio("sends", "show", "news", terminal=True).out
    assert "news" in people
    assert b"secret words" not in lab.hub_path.read_bytes(), "the ledger keeps no texts"


@pytest.mark.parametrize(
    "words",
    [("show", "nothing"), ("show", ""), ("show", "news", "--status", "lost"), ("list", "nobody")],
)
def test_what_is_not_there_to_be_shown(lab: CourierLab, words: tuple[str, ...]) -> None:
    lab.send("--to", "a", "--text", "hi", "--name", "news")
    assert lab.lumio("sends", *words, "-o", "json").code == 2


def test_a_name_that_two_providers_have(lab: CourierLab, service: Service) -> None:
    lab.send("--to", "a", "--text", "hi", "--name", "news")
    CourierLab(lab.root, service, "tracing").send("--to", "a", "--text", "hi", "--name", "news")
    done = lab.lumio("sends", "show", "news", "-o", "json")
    assert done.code == 2
    assert done.json["error"]["hint"].startswith("use an id")


def test_nothing_is_left_behind(lab: CourierLab) -> None:
    assert lab.send("--input", lab.csv("a,hi", "b,hi")).code == 0
    assert list((lab.home / "sends").iterdir()) == []
    assert not list((lab.home / "locks").glob("send-*"))
