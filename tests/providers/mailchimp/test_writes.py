"""What is written to members is settled change by change, through the whole transport."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lumio_cli.core.errors import BadReplyError, RejectedError, UnavailableError
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.mailchimp import batches
from lumio_cli.providers.mailchimp.operations import subscriber_hash
from lumio_cli.sandbox.mailchimp.data import address

from .conftest import Desk, losing

Make = Callable[..., Desk]
VIEWER = "sandbox0000000000000000000viewer-us6"


def create(trace: str, mail: str, **values: str | None) -> Change:
    return Change("create", trace, values={"email_address": mail, **values})


def test_hashes_are_those_of_the_documentation() -> None:
    assert subscriber_hash("Urist.McVankab@freddiesjokes.com") == "62eeb292278cc15f5817cb78f7790b08"


def test_five_hundred_members_are_created_in_one_request(make_desk: Make) -> None:
    desk = make_desk(0)
    changes = [
        create(f"t{n}", f"new{n}@example.com", list_id=desk.list_id, fname="Zoë")
        for n in range(501)
    ]
    receipts = desk.write(*changes)
    assert {r.status for r in receipts.values()} == {"done"}
    posts = [c for c in desk.calls if c.method == "POST"]
    assert [len(c.json["members"]) for c in posts] == [500, 1]
    stored = desk.member(receipts["t7"].id.partition(":")[2])
    assert stored["merge_fields"]["FNAME"] == "Zoë"
    assert stored["status"] == "pending"  # nobody is subscribed without being asked


def test_rows_of_a_batch_fail_alone(desk: Desk) -> None:
    known = desk.member(desk.contacts[0])["email_address"]
    lists = {"list_id": desk.list_id, "status": "subscribed"}
    receipts = desk.write(
        create("good", "good@example.com", **lists, tags='["客户","b"]'),
        create("known", known, **lists),
        create("fake", "fake@example.com", **lists),
        create("twice", "GOOD@example.com", **lists),
        create("number", "n@example.com", **lists, ltv="many"),
        create("field", "f@example.com", **lists, nope="x"),
        create("address", "nobody", **lists),
        create("list", "l@example.com"),
        create("gone", "g@example.com", list_id="0000000000"),
    )
    kinds = {trace: (r.status, r.kind) for trace, r in receipts.items()}
    assert kinds == {
        "good": ("done", ""), "known": ("failed", "conflict"), "fake": ("failed", "validation"),
        "twice": ("failed", "conflict"), "number": ("failed", "validation"),
        "field": ("failed", "validation"), "address": ("failed", "validation"),
        "list": ("failed", "validation"), "gone": ("failed", "gone"),
    }  # fmt: skip
    assert all(r.message for r in receipts.values() if r.status == "failed")
    tags = desk.member(receipts["good"].id.partition(":")[2])["tags"]
    assert {tag["name"] for tag in tags} == {"客户", "b"}


def test_the_audience_of_new_members_can_be_a_setting(make_desk: Make) -> None:
    desk = make_desk(1)
    desk.provider.options = {
        **desk.provider.options, "audience": desk.list_id, "new_status": "subscribed",
    }  # fmt: skip
    receipt = desk.write(create("a", "a@example.com"))["a"]
    assert receipt.id.startswith(f"{desk.list_id}:")
    assert receipt.record is not None and receipt.record["status"] == "subscribed"


def test_a_batch_whose_answer_is_lost_is_in_doubt(desk: Desk) -> None:
    lost = UnavailableError("no answer", code="outcome_unknown")
    change = create("a", "a@example.com", list_id=desk.list_id)
    receipt = desk.write(change, send=losing(desk, desk.list_id, lost))["a"]
    assert (receipt.status, receipt.kind) == ("unknown", "unsettled")
    post = next(c for c in desk.calls if c.method == "POST")
    assert not post.repeatable


def test_what_rows_of_a_batch_have_not_is_written_with_a_request_of_its_own(desk: Desk) -> None:
    given = '[{"marketing_permission_id":"a1","enabled":true}]'
    new = {"list_id": desk.list_id, "status": "subscribed"}
    receipts = desk.write(
        create("tags", "t@example.com", **new, tags='["vip",{"name":"new"}]'),
        create("both", "b@example.com", **new, tags='["vip"]', marketing_permissions=given),
        create("row", "r@example.com", **new, tags="[]"),
    )
    assert {r.status for r in receipts.values()} == {"done"}
    tags, both, row = (receipts[trace].record for trace in ("tags", "both", "row"))
    assert tags is not None and both is not None and row is not None
    assert [tag["name"] for tag in tags["tags"]] == ["new", "vip"]
    assert both["marketing_permissions"][0]["enabled"] is True
    assert row["tags"] == []
    posts = [(c.label, c.repeatable) for c in desk.calls if c.method == "POST"]
    one = ("/3.0/lists/{list_id}/members", False)
    assert posts == [one, one, ("/3.0/lists/{list_id}", False)]


def test_a_new_member_with_tags_whose_answer_is_lost_is_in_doubt_alone(desk: Desk) -> None:
    lost = UnavailableError("no answer", code="outcome_unknown")
    new = {"list_id": desk.list_id, "tags": '["vip"]'}
    changes = [create(f"t{n}", f"t{n}@example.com", **new) for n in range(2)]
    receipts = desk.write(*changes, send=losing(desk, "/members", lost))
    assert [(r.status, r.kind) for r in receipts.values()] == [
        ("unknown", "unsettled"), ("retry", "transient"),
    ]  # fmt: skip


def test_many_new_members_with_tags_are_a_batch(desk: Desk) -> None:
    desk.provider.options = {**desk.provider.options, "bulk_from": 3}
    _, mail = archived(desk)
    changes = [
        create(f"t{n}", address, list_id=desk.list_id, tags=f'["tag {n}"]')
        for n, address in enumerate(("a@example.com", "b@example.com", "fake@example.com", mail))
    ]
    receipts = desk.write(*changes, send=quick(desk))
    assert [receipts[f"t{n}"].status for n in range(4)] == ["done", "done", "failed", "done"]
    for n in (0, 1, 3):
        tags = desk.member(receipts[f"t{n}"].id.partition(":")[2])["tags"]
        assert [tag["name"] for tag in tags] == [f"tag {n}"]
    batch = next(c for c in desk.calls if c.label == "/3.0/batches")
    assert not batch.repeatable  # the second time they would all be there


# --- who is archived


def archived(desk: Desk) -> tuple[str, str]:
    """A member who is archived now: the id and the address."""
    record_id = desk.subscribed()[0]
    assert desk.write(Change("archive", "a", id=record_id))["a"].status == "done"
    return record_id, desk.member(record_id.partition(":")[2])["email_address"]


@pytest.mark.parametrize("tags", [None, '["a","b"]'])
def test_a_member_who_is_archived_is_brought_back(desk: Desk, tags: str | None) -> None:
    record_id, mail = archived(desk)
    values = {"list_id": desk.list_id, "status": "subscribed", "fname": "Zoë", "tags": tags}
    receipt = desk.write(create("a", mail.upper(), **values))["a"]
    assert (receipt.status, receipt.id) == ("done", record_id)
    member = desk.member(record_id.partition(":")[2])
    assert (member["status"], member["merge_fields"]["FNAME"]) == ("subscribed", "Zoë")
    assert {tag["name"] for tag in member["tags"]} == ({"a", "b"} if tags else set())
    patch = next(c for c in desk.calls if c.method == "PATCH")
    assert patch.repeatable


def test_a_member_who_is_there_is_never_written_over(desk: Desk) -> None:
    known = desk.member(desk.contacts[0])
    for tags in ("[]", '["vip"]'):
        change = create("a", known["email_address"], list_id=desk.list_id, fname="x", tags=tags)
        receipt = desk.write(change)["a"]
        assert (receipt.status, receipt.kind) == ("failed", "conflict")
    assert desk.member(desk.contacts[0]) == known


def test_a_member_who_was_deleted_for_good_stays_so(desk: Desk) -> None:
    mail = desk.member(desk.contacts[0])["email_address"]
    desk.account.rooms[desk.list_id].forget(desk.contacts[0])
    for tags in ("[]", '["vip"]'):
        receipt = desk.write(create("a", mail, list_id=desk.list_id, tags=tags))["a"]
        assert (receipt.status, receipt.kind) == ("failed", "validation")
        assert "permanently deleted" in receipt.message


def test_bringing_back_may_be_refused_or_in_doubt(desk: Desk) -> None:
    record_id, mail = archived(desk)
    wrong = create("a", mail, list_id=desk.list_id, status="asleep", birthday="02/30")
    receipt = desk.write(wrong)["a"]
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert "status" in receipt.message

    def send(call: Call) -> Reply:
        reply = desk.send(call)
        if call.method == "PATCH":
            raise UnavailableError("no answer")
        return reply

    receipt = desk.write(create("a", mail, list_id=desk.list_id), send=send)["a"]
    assert (receipt.status, receipt.kind) == ("unknown", "unsettled")
    assert desk.member(record_id.partition(":")[2])["status"] == "pending"


def without_tags(desk: Desk) -> Callable[[Call], Reply]:
    """A way on which Mailchimp refuses every change of tags."""

    def send(call: Call) -> Reply:
        if call.method == "POST" and call.path.endswith("/tags"):
            raise RejectedError("tags: no", status=400)
        return desk.send(call)

    return send


@pytest.mark.parametrize("action", ["create", "update"])
def test_tags_that_alone_are_refused_are_told_as_they_are(desk: Desk, action: str) -> None:
    if action == "create":
        record_id, mail = archived(desk)
        change = create("a", mail, list_id=desk.list_id, fname="Zoë", tags='["vip"]')
    else:
        record_id = desk.subscribed()[0]
        change = Change("update", "a", id=record_id, values={"fname": "Zoë", "tags": '["vip"]'})
    before = desk.member(record_id.partition(":")[2])["tags"]
    receipt = desk.write(change, send=without_tags(desk))["a"]
    assert (receipt.status, receipt.id) == ("done", record_id)
    assert receipt.record is not None
    assert receipt.record["tags"] == before
    assert receipt.record["merge_fields"]["FNAME"] == "Zoë"


def test_required_merge_fields_are_asked_for_unless_a_setting_says_otherwise(desk: Desk) -> None:
    room = desk.account.rooms[desk.list_id]
    room.fields = [{**field, "required": field["tag"] == "FNAME"} for field in room.fields]
    _, mail = archived(desk)
    new = {"list_id": desk.list_id}
    changes = [
        create("row", "row@example.com", **new),
        create("one", "one@example.com", **new, tags='["vip"]'),
        create("back", mail, **new, fname=None),
    ]
    upsert = Change("upsert", "put", id="put@example.com", values=new)
    update = Change("update", "patch", id=desk.subscribed()[0], values={"fname": None})

    def outcome() -> set[tuple[str, str, bool]]:
        found = {**desk.write(*changes), **desk.write(upsert), **desk.write(update)}
        return {(r.status, r.kind, "FNAME" in r.message) for r in found.values()}

    assert outcome() == {("failed", "validation", True)}
    desk.provider.options = {**desk.provider.options, "skip_merge_validation": True}
    assert outcome() == {("done", "", False)}


def test_updates_change_what_they_name(desk: Desk) -> None:
    first, second = desk.subscribed()[:2]
    receipts = desk.write(
        Change("update", "a", id=first, values={"fname": "Größe", "vip": "true", "ltv": "12.5"}),
        Change("update", "b", id=second, values={"fname": None, "language": "pt",
                                                 "address": '{"addr1":"1 X","city":"Natal",'
                                                            '"state":"RN","zip":"59000"}'}),
        Change("update", "gone", id=f"{desk.list_id}:{'0' * 32}", values={"fname": "x"}),
        Change("update", "fixed", id=first, values={"last_changed": "x"}),
        Change("update", "odd", id="no colon", values={"fname": "x"}),
        Change("update", "wrong", id=first, values={"birthday": "May"}),
    )  # fmt: skip
    kinds = {trace: (r.status, r.kind) for trace, r in receipts.items()}
    assert kinds == {
        "a": ("done", ""), "b": ("done", ""), "gone": ("failed", "gone"),
        "fixed": ("failed", "validation"), "odd": ("failed", "validation"),
        "wrong": ("failed", "validation"),
    }  # fmt: skip
    one, two = (desk.member(i.partition(":")[2]) for i in (first, second))
    assert (one["merge_fields"]["FNAME"], one["vip"], one["merge_fields"]["LTV"]) == (
        "Größe", True, 12.5,
    )  # fmt: skip
    assert (two["merge_fields"]["FNAME"], two["merge_fields"]["ADDRESS"]["city"]) == ("", "Natal")
    assert receipts["a"].id == first and receipts["a"].record is not None


def test_tags_become_those_that_are_named(desk: Desk) -> None:
    record_id = desk.subscribed()[0]
    contact = record_id.partition(":")[2]
    desk.account.rooms[desk.list_id].update(contact, {"tags": [{"id": 1, "name": "old"}]})
    change = Change("update", "a", id=record_id, values={"tags": '[{"name":"new"},"and more"]'})
    assert desk.write(change)["a"].status == "done"
    assert {t["name"] for t in desk.member(contact)["tags"]} == {"new", "and more"}
    assert not [c for c in desk.calls if c.method == "PATCH"]  # nothing else was to be written
    desk.write(Change("update", "b", id=record_id, values={"tags": None}))
    assert desk.member(contact)["tags"] == []


def test_an_upsert_makes_a_member_or_leaves_the_status_alone(desk: Desk) -> None:
    contact = next(c for c in desk.contacts if desk.member(c)["status"] == "unsubscribed")
    mail = desk.member(contact)["email_address"]
    values = {"list_id": desk.list_id, "fname": "Neu"}
    receipts = desk.write(
        Change("upsert", "old", id=mail.upper(), key="email_address", values=values),
        Change("upsert", "new", id="new@example.com", key="email_address", values=values),
        Change("upsert", "back", id=address(0), key="email_address",
               values={**values, "status": "pending"}),
        Change("upsert", "key", id="1", key="web_id", values=values),
    )  # fmt: skip
    assert receipts["old"].id == f"{desk.list_id}:{contact}"
    assert desk.member(contact)["status"] == "unsubscribed"
    assert desk.member(contact)["merge_fields"]["FNAME"] == "Neu"
    made = receipts["new"].record
    assert made is not None and made["status"] == "pending"
    assert receipts["back"].record is not None
    assert receipts["back"].record["status"] == "pending"
    assert receipts["key"].kind == "validation"
    assert all(c.repeatable for c in desk.calls if c.method == "PUT")


def test_who_left_is_not_brought_back(desk: Desk) -> None:
    contact = next(c for c in desk.contacts if desk.member(c)["status"] == "unsubscribed")
    change = Change("update", "a", id=f"{desk.list_id}:{contact}", values={"status": "subscribed"})
    receipt = desk.write(change)["a"]
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert "compliance" in receipt.message


def test_archiving_twice_is_done_and_what_may_not_be_archived_is_a_conflict(desk: Desk) -> None:
    first = desk.subscribed()[0]
    held = next(c for c in desk.contacts if desk.member(c)["status"] == "pending")
    gone = f"{desk.list_id}:{'0' * 32}"
    for _ in range(2):
        receipts = desk.write(
            Change("archive", "a", id=first),
            Change("archive", "held", id=f"{desk.list_id}:{held}"),
            Change("archive", "gone", id=gone),
        )
        kinds = {trace: (r.status, r.kind) for trace, r in receipts.items()}
        assert kinds == {
            "a": ("done", ""), "held": ("failed", "conflict"), "gone": ("done", ""),
        }  # fmt: skip
    assert desk.member(first.partition(":")[2])["status"] == "archived"


def test_a_viewer_may_not_write(make_desk: Make) -> None:
    desk = make_desk(4, LUMIO_MAILCHIMP_TOKEN=VIEWER)
    change = Change("update", "a", id=f"{desk.list_id}:{desk.contacts[0]}", values={"fname": "x"})
    receipt = desk.write(change)["a"]
    assert (receipt.status, receipt.kind) == ("failed", "permission")


def test_when_mailchimp_is_down_nothing_more_is_tried(desk: Desk) -> None:
    asked: list[Call] = []

    def send(call: Call) -> Reply:
        if call.method == "PATCH":
            asked.append(call)
            raise UnavailableError("down")
        return desk.send(call)

    changes = [Change("update", i, id=i, values={"fname": "x"}) for i in desk.subscribed()[:3]]
    receipts = desk.write(*changes, send=send)
    assert {(r.status, r.kind) for r in receipts.values()} == {("retry", "transient")}
    assert len(asked) == 1


# --- batch operations


def bulk(desk: Desk) -> list[Change]:
    desk.provider.options = {**desk.provider.options, "bulk_from": 3}
    return [
        Change("update", f"t{n}", id=record_id, values={"fname": f"Name {n}"})
        for n, record_id in enumerate(desk.subscribed()[:4])
    ]


def quick(desk: Desk) -> Callable[[Call], Reply]:
    """A way on which nobody waits, and the waits that were asked for."""
    waits: list[float] = []

    def send(call: Call) -> Reply:
        waits.append(call.delay)
        return desk.send(replace(call, delay=0.0))

    send.waits = waits  # type: ignore[attr-defined]
    return send


def test_many_changes_are_handed_over_as_a_batch(desk: Desk) -> None:
    changes = bulk(desk)
    changes.append(Change("update", "gone", id=f"{desk.list_id}:{'0' * 32}", values={"fname": "x"}))
    desk.account.batch_polls = 4
    send = quick(desk)
    receipts = desk.write(*changes, send=send)
    assert {t: (r.status, r.kind) for t, r in receipts.items()} == {
        **{f"t{n}": ("done", "") for n in range(4)}, "gone": ("failed", "gone"),
    }  # fmt: skip
    assert [w for w in send.waits if w] == [2.0, 4.0, 8.0, 16.0]  # type: ignore[attr-defined]
    assert not [c for c in desk.calls if c.method == "PATCH"]
    assert desk.member(changes[2].id.partition(":")[2])["merge_fields"]["FNAME"] == "Name 2"
    fetched = desk.calls[-1]
    assert not fetched.auth and "/batch-results/" in fetched.path


def test_creates_and_changes_of_tags_are_never_part_of_it(desk: Desk) -> None:
    changes = bulk(desk)
    tagged = Change("update", "tags", id=changes[0].id, values={"tags": '["x"]'})
    receipts = desk.write(*changes, tagged, send=quick(desk))
    assert {r.status for r in receipts.values()} == {"done"}
    assert {t["name"] for t in desk.member(tagged.id.partition(":")[2])["tags"]} == {"x"}
    (batch,) = desk.account.batches.values()
    assert len(batch.operations) == 4


def test_results_that_cannot_be_fetched_leave_all_in_doubt(desk: Desk) -> None:
    changes, way = bulk(desk), quick(desk)

    def send(call: Call) -> Reply:
        if "batch-results" in call.path:
            return Reply(200, {}, b"this is no archive")
        return way(call)

    receipts = desk.write(*changes, send=send)
    assert {r.status for r in receipts.values()} == {"unknown"}
    assert all("sandbox000" in r.message for r in receipts.values())


def test_a_link_that_is_too_old_is_asked_for_again(desk: Desk) -> None:
    changes, way = bulk(desk), quick(desk)
    late: list[Call] = []

    def send(call: Call) -> Reply:
        if "batch-results" in call.path and not late:
            late.append(call)
            desk.lab.clock.forward(601)
        return way(call)

    receipts = desk.write(*changes, send=send)
    assert {r.status for r in receipts.values()} == {"done"}
    assert sum("batch-results" in c.path for c in desk.calls) == 2


def packed(*parts: Any, size: int | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for number, part in enumerate(parts):
            body = part if isinstance(part, bytes) else json.dumps(part).encode()
            info = tarfile.TarInfo(f"../../{number}.json")
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return buffer.getvalue()


def test_archives_are_read_and_never_unpacked_to_disk() -> None:
    items = [
        {"status_code": 200, "operation_id": "a", "response": '{"id":"x"}'},
        {"status_code": 400, "operation_id": "b", "response": "no json"},
        {"status_code": "200", "operation_id": "c"},
        "nonsense",
    ]
    assert batches.unpack(packed(items, b"", [])) == {"a": (200, {"id": "x"}), "b": (400, None)}
    for raw in (b"", b"x", packed(b"[1"), packed(items)[:60]):
        with pytest.raises(BadReplyError):
            batches.unpack(raw)


@pytest.mark.attack("answers")
def test_an_archive_that_is_larger_than_results_can_be_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 100)
    with pytest.raises(BadReplyError, match="larger"):
        batches.unpack(packed(b"[" + b" " * 200 + b"]"))


@pytest.mark.attack("answers")
def test_what_is_around_the_files_of_an_archive_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 1 << 20)
    attributes = tarfile.TarInfo("attributes")
    attributes.type, attributes.size = tarfile.XHDTYPE, 1 << 40
    raw = gzip.compress(attributes.tobuf(tarfile.GNU_FORMAT) + b"a" * (2 << 20))
    with pytest.raises(BadReplyError, match="larger"):
        batches.unpack(raw)


@pytest.mark.attack("answers")
def test_an_archive_of_very_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_FILES", 3)
    with pytest.raises(BadReplyError, match="more files"):
        batches.unpack(packed([], [], [], []))
