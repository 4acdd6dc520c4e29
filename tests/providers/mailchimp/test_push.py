"""Edits of members on their way: pushed, undone, and told by field where they are not taken."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sandbox.mailchimp.problems import problem

from .conftest import Desk

TARGET = "mailchimp/members"


def push(desk: Desk) -> Any:
    """What became of the edits."""
    return desk.lab.lumio("sync", TARGET, "--direction", "push")


def create(desk: Desk, address: str) -> None:
    values = (f"email_address={address}", f"list_id={desk.list_id}", "fname=Zoë", 'tags=["vip"]')
    assert desk.lab.lumio("records", "create", TARGET, *values).code == 0


def test_an_archive_of_ours_is_undone_by_bringing_the_member_back(desk: Desk) -> None:
    record_id = desk.subscribed()[0]
    contact = record_id.partition(":")[2]
    room = desk.account.rooms[desk.list_id]
    room.update(contact, {"tags": [{"id": 1, "name": "vip"}], "language": "pt"})
    before = desk.member(contact)
    desk.lab.lumio("sync", TARGET)
    desk.lab.lumio("records", "delete", TARGET, record_id, "--yes")
    run = push(desk)
    assert desk.member(contact)["status"] == "archived"
    undone = desk.lab.lumio("runs", "undo", run.document["run_id"], "--yes")
    assert undone.code == 0, undone.out
    after = desk.member(contact)
    for name in ("status", "merge_fields", "language", "email_address"):
        assert after[name] == before[name], name
    assert [tag["name"] for tag in after["tags"]] == ["vip"]


@pytest.mark.parametrize("archived", [False, True])
def test_tags_that_alone_were_not_taken_are_a_failure_by_field(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, archived: bool
) -> None:
    """The member is there all the same, and the edit waits with its tags."""
    handle = desk.account.handle

    def untagged(request: Request) -> Response:
        if request.method == "POST" and request.path.endswith("/tags"):
            return problem(400, "no tags today", "Bad Request")
        if request.method == "POST" and request.path.endswith("/members"):
            body = {k: v for k, v in json.loads(request.body).items() if k != "tags"}
            return handle(replace(request, body=json.dumps(body).encode()))
        return handle(request)

    mail = "new@example.com"
    if archived:
        contact = desk.subscribed()[0].partition(":")[2]
        mail = desk.member(contact)["email_address"]
        desk.account.rooms[desk.list_id].archive(contact)
    desk.lab.lumio("sync", TARGET)
    create(desk, mail)
    with monkeypatch.context() as patched:
        patched.setattr(desk.account, "handle", untagged)
        run = push(desk)
    assert run.code == 3
    (entry,) = run.document["resources"]
    assert (entry["created"], entry["failed"]) == (1, 1)
    (letter,) = desk.lab.lumio("failures", "list").document["failures"]
    assert letter["message"].startswith("""tags: '["vip"]' was not taken""")
    contact = desk.account.rooms[desk.list_id].find(mail) or ""
    assert desk.member(contact)["merge_fields"]["FNAME"] == "Zoë"
    assert "vip" not in {tag["name"] for tag in desk.member(contact)["tags"]}
    desk.lab.lumio("failures", "retry")
    assert push(desk).code == 0
    assert [tag["name"] for tag in desk.member(contact)["tags"]] == ["vip"]
