"""A preview says what a sync would do, and does nothing."""

from __future__ import annotations

import hashlib

from support.lab import Lab


def fingerprint(lab: Lab) -> str:
    """The whole content of the hub, but for SQLite's own bookkeeping."""
    digest = hashlib.sha256()
    for (table,) in lab.sql("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1"):
        digest.update(repr(lab.sql(f"SELECT * FROM {table}")).encode())
    return digest.hexdigest()


def test_a_preview_without_a_hub_shows_creates_and_makes_no_hub(lab: Lab) -> None:
    done = lab.lumio("preview", "hubspot/contacts", "--limit", "7")
    assert done.code == 0
    assert len(done.document["changes"]) == 7
    change = done.document["changes"][0]
    assert change["action"] == "create"
    assert {"name", "before", "after"} == set(change["fields"][0])
    assert done.resource("contacts")["created"] == 120
    assert not lab.hub_path.exists()


def test_a_preview_shows_creates_updates_and_deletes_and_writes_nothing(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    hubspot = lab.sandbox.hubspot
    first, second = sorted(str(r["id"]) for r in hubspot.dump("contacts"))[:2]
    before = fingerprint(lab)
    old = lab.sql("SELECT city FROM hubspot_contacts WHERE id = ?", first)[0][0]
    hubspot.update("contacts", first, {"city": "Porto Alegre"})
    new = hubspot.create("contacts", {"email": "fresh@example.com"})
    hubspot.archive("contacts", second)
    done = lab.lumio("preview", "hubspot/contacts")
    actions = {c["id"]: c for c in done.document["changes"]}
    assert actions[str(new)]["action"] == "create"
    assert actions[second]["action"] == "delete"
    fields = {f["name"]: (f["before"], f["after"]) for f in actions[first]["fields"]}
    assert fields["city"] == (old, "Porto Alegre")
    assert fingerprint(lab) == before
    # and the sync does what the preview said
    synced = lab.lumio("sync", "hubspot/contacts").resource("contacts")
    for count in ("created", "updated", "deleted"):
        assert synced[count] == done.resource("contacts")[count] == 1


def test_a_full_preview_shows_what_a_sweep_would_delete(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    gone = sorted(str(r["id"]) for r in lab.sandbox.hubspot.dump("contacts"))[3]
    lab.sandbox.hubspot.purge("contacts", gone)
    done = lab.lumio("preview", "hubspot/contacts", "--mode", "full")
    assert [(c["id"], c["action"]) for c in done.document["changes"]] == [(gone, "delete")]
    assert done.resource("contacts")["unchanged"] == 119


def test_exit_code_10_says_that_there_are_changes(lab: Lab) -> None:
    assert lab.lumio("preview", "hubspot/contacts", "--exit-code").code == 10
    lab.lumio("sync", "hubspot/contacts")
    assert lab.lumio("preview", "hubspot/contacts", "--exit-code").code == 0


def test_people_read_a_plan(lab: Lab) -> None:
    done = lab.lumio("preview", "hubspot/contacts", "--limit", "1", "-o", "table")
    assert "Preview: 120 to create" in done.out
    assert "Nothing was written." in done.out
