"""Edits of records that a colleague merges: they go to the survivor, or wait and say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from lumio_cli.core.errors import DeniedError, LumioError, RejectedError
from lumio_cli.providers.contract.call import Send
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.hubspot import HubSpot
from lumio_cli.sandbox.http import Request, Response
from support.lab import Lab, Outcome

TARGET = "hubspot/companies"
VIEW = "hubspot_companies"
POLICIES = ["ask", "local", "provider", "newest"]


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """A lab with companies."""
    made = make_lab()
    assert made.lumio("sync", TARGET).code == 0
    return made


def ids(lab: Lab) -> list[str]:
    return sorted(str(r["id"]) for r in lab.sandbox.hubspot.dump("companies"))


def there(lab: Lab, record: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.sandbox.hubspot.read("companies", record)
    return found


def set_here(lab: Lab, record: str, **values: Any) -> None:
    for name, value in values.items():
        lab.sql(f"UPDATE {VIEW} SET {name} = ? WHERE id = ?", value, record)


def set_there(lab: Lab, record: str, **values: Any) -> None:
    lab.sandbox.hubspot.update("companies", record, values)


def merge(lab: Lab, winner: str, loser: str, *, new_id: bool = False) -> str:
    return lab.sandbox.hubspot.merge("companies", winner, loser, new_id=new_id)


def sync(lab: Lab, *words: str, direction: str = "both") -> Outcome:
    return lab.lumio("sync", TARGET, "--direction", direction, *words)


def pushed(outcome: Outcome) -> dict[str, Any]:
    """The entry of the push."""
    found: list[dict[str, Any]] = outcome.document["resources"]
    return next(entry for entry in found if entry["direction"] == "push")


def conflicts(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.lumio("conflicts", "list", TARGET).document["conflicts"]
    return found


def outbox(lab: Lab) -> list[tuple[Any, ...]]:
    return lab.sql("SELECT record, action, status FROM lumio_outbox ORDER BY record")


def pair(lab: Lab, **values: str) -> tuple[str, str]:
    """Two companies that the hub holds, the first without these values and the second with them."""
    one, two = ids(lab)[:2]
    set_there(lab, one, **dict.fromkeys(values, ""))
    set_there(lab, two, **values)
    assert sync(lab, direction="pull").code == 0
    return one, two


# -- where an edit goes


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("new_id", [False, True])
def test_an_edit_goes_to_the_survivor_that_took_the_value_over(
    lab: Lab, policy: str, new_id: bool
) -> None:
    one, two = pair(lab, phone="1")
    set_here(lab, two, phone="2")
    survivor = merge(lab, one, two, new_id=new_id)
    before = len(ids(lab))
    done = sync(lab, "--conflicts", policy)
    assert done.code == 0, done.out
    assert there(lab, survivor)["phone"] == "2"
    assert len(ids(lab)) == before, "a merged record was created again"
    assert outbox(lab) == []
    assert lab.sql(f"SELECT phone FROM {VIEW} WHERE id = ?", survivor) == [("2",)]


@pytest.mark.parametrize("policy", POLICIES)
def test_an_edit_that_would_overwrite_the_survivor_waits_under_every_policy(
    lab: Lab, policy: str
) -> None:
    one, two = pair(lab, phone="1")
    set_there(lab, one, phone="9")
    set_here(lab, two, phone="2", city="Natal")
    merge(lab, one, two)
    before = len(ids(lab))
    for words in ([], ["--mode", "full"]):
        done = sync(lab, "--conflicts", policy, *words)
        assert done.code == 3, done.out
        (found,) = conflicts(lab)
        assert (found["id"], found["kind"], found["merged_into"]) == (two, "merged", one)
        assert {"name": "phone", "base": "1", "theirs": "9", "ours": "2"} in found["fields"]
        assert there(lab, one)["phone"] == "9"
        assert len(ids(lab)) == before
    shown = lab.lumio("conflicts", "show", TARGET, two, "-o", "table")
    assert f"merged into {one}" in shown.out
    assert "--use local" in shown.err
    assert f"merged into {one}" in lab.lumio("conflicts", "list", "-o", "table").out


def test_a_conflict_is_given_to_the_survivor_or_dropped(lab: Lab) -> None:
    one, two = pair(lab, phone="1")
    for use in ("local", "provider"):
        set_there(lab, one, phone="9")
        sync(lab, direction="pull")
        set_here(lab, two, phone="2")
        merge(lab, one, two)
        assert sync(lab).code == 3
        done = lab.lumio("conflicts", "resolve", TARGET, two, "--use", use)
        assert done.code == 0, done.out
        if use == "local":
            assert [entry["id"] for entry in done.document["pending"]] == [one]
            assert sync(lab).code == 0
            assert there(lab, one)["phone"] == "2"
            two = next(i for i in ids(lab) if i != one)
            set_there(lab, two, phone="1")
            sync(lab, direction="pull")
        else:
            assert [entry["id"] for entry in done.document["given_up"]] == [two]
            assert sync(lab).code == 0
            assert there(lab, one)["phone"] == "9"
        assert outbox(lab) == []


def test_a_conflict_is_gone_once_the_survivor_makes_room(lab: Lab) -> None:
    one, two = pair(lab, phone="1")
    set_there(lab, one, phone="9")
    set_here(lab, two, phone="2")
    merge(lab, one, two)
    assert sync(lab).code == 3
    set_there(lab, one, phone="")
    assert sync(lab).code == 0
    assert there(lab, one)["phone"] == "2"


@pytest.mark.parametrize("policy", POLICIES)
def test_a_deletion_is_never_sent_to_the_survivor(lab: Lab, policy: str) -> None:
    one, two = ids(lab)[:2]
    lab.sql(f"DELETE FROM {VIEW} WHERE id = ?", two)
    merge(lab, one, two)
    assert sync(lab, "--conflicts", policy).code == 3
    (found,) = conflicts(lab)
    assert (found["id"], found["kind"], found["action"]) == (two, "merged", "delete")
    assert found["merged_into"] == one
    left = lab.lumio("conflicts", "resolve", TARGET, two, "--use", "local")
    assert (left.code, [e["id"] for e in left.document["left"]]) == (3, [two])
    assert sync(lab).code == 3
    assert one in ids(lab)
    assert lab.lumio("conflicts", "resolve", TARGET, two, "--use", "provider").code == 0
    assert (sync(lab).code, outbox(lab)) == (0, [])
    assert one in ids(lab)


def test_edits_of_both_and_of_a_third_come_together(lab: Lab) -> None:
    """Three records of one: each has an edit of another field."""
    one, two, three = ids(lab)[:3]
    for record, name in ((one, "city"), (two, "phone"), (three, "domain")):
        for other in (one, two, three):
            set_there(lab, other, **{name: ""})
        set_there(lab, record, **{name: "old.example"})
    sync(lab, direction="pull")
    set_here(lab, one, city="new.example")
    set_here(lab, two, phone="new.example")
    set_here(lab, three, domain="new.example")
    merge(lab, two, three)
    merge(lab, one, two)
    done = sync(lab)
    assert done.code == 0, done.out
    assert pushed(done)["updated"] == 1
    found = there(lab, one)
    assert [found[name] for name in ("city", "phone", "domain")] == ["new.example"] * 3
    assert outbox(lab) == []


def test_two_edits_of_one_field_do_not_swallow_each_other(lab: Lab) -> None:
    one, two = pair(lab, phone="1")
    set_here(lab, one, phone="7")
    set_here(lab, two, phone="2")
    merge(lab, one, two)
    assert sync(lab).code == 3
    kinds = {found["id"]: found["kind"] for found in conflicts(lab)}
    assert kinds[two] == "merged"
    told = {found["id"]: found["fields"] for found in conflicts(lab)}
    assert told[two] == [{"name": "phone", "base": "1", "theirs": "7", "ours": "2"}]


def test_a_survivor_that_is_deleted_is_a_deletion_again(lab: Lab) -> None:
    one, two = pair(lab, phone="1")
    set_here(lab, two, phone="2")
    merge(lab, one, two)
    lab.sandbox.hubspot.archive("companies", one)
    sync(lab, "--mode", "full", "--max-delete", "100")
    # The survivor is gone before the hub has seen the merge: nobody names it any longer.
    assert [found["kind"] for found in conflicts(lab)] == ["deleted"]


def test_a_survivor_deleted_after_the_merge_is_a_deletion_again(lab: Lab) -> None:
    one, two = pair(lab, phone="1")
    set_there(lab, one, phone="9")
    set_here(lab, two, phone="2")
    merge(lab, one, two)
    assert sync(lab).code == 3
    assert [found["kind"] for found in conflicts(lab)] == ["merged"]
    lab.sandbox.hubspot.archive("companies", one)
    assert sync(lab).code == 3
    assert [found["kind"] for found in conflicts(lab)] == ["deleted"]


def test_what_becomes_of_merged_records_is_previewed_as_it_is_done(lab: Lab) -> None:
    one, two = pair(lab, phone="1")
    three, four = ids(lab)[2:4]
    set_there(lab, three, phone="8")
    set_there(lab, four, phone="4")
    sync(lab, direction="pull")
    set_here(lab, two, phone="2")
    set_here(lab, one, city="Natal")
    set_here(lab, four, phone="5")
    merge(lab, one, two)
    merge(lab, three, four)
    told = lab.lumio("preview", TARGET, "--direction", "both").document
    changes = {(c["direction"], c["id"]): c for c in told["changes"]}
    assert changes["pull", two]["fields"] == [{"name": "id", "before": two, "after": one}]
    assert sorted(f["name"] for f in changes["push", one]["fields"]) == ["city", "phone"]
    assert changes["push", four]["conflict"] == "merged"
    assert changes["push", four]["merged_into"] == three
    assert ("push", two) not in changes
    entry = next(r for r in told["resources"] if r["direction"] == "push")
    assert (entry["updated"], entry["conflicts"]) == (1, 1)
    done = pushed(sync(lab))
    assert (done["updated"], done["conflicts"]) == (1, 1)


def test_a_plan_holds_over_a_merge(lab: Lab) -> None:
    one, two = pair(lab, phone="1")
    set_here(lab, two, phone="2")
    merge(lab, one, two)
    plan = str(lab.home / "plan.json")
    assert lab.lumio("preview", TARGET, "--direction", "push", "--out", plan).code == 0
    done = lab.lumio("sync", "--plan", plan)
    assert done.code == 0, done.out
    assert there(lab, one)["phone"] == "2"


# -- a merge that the push meets


def during_push(lab: Lab, action: Callable[[], object], label: str = "*/batch/update") -> None:
    """`action` happens before the first request of that kind is answered."""
    provider = lab.sandbox.providers["hubspot"]
    handle, waiting = provider.handle, [action]

    def late(request: Request) -> Response:
        if request.label.endswith(label.lstrip("*")) and waiting:
            waiting.pop()()
        return handle(request)

    provider.handle = late  # type: ignore[method-assign]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_record_merged_a_moment_ago_is_not_created_again(lab: Lab, policy: str) -> None:
    one, two = pair(lab, phone="1")
    set_here(lab, two, phone="2")
    during_push(lab, lambda: merge(lab, one, two))
    before = len(ids(lab))
    done = sync(lab, "--conflicts", policy)
    assert done.code == 3, done.out
    assert pushed(done)["error"]["code"] == "merged"
    assert outbox(lab) == [(two, "update", "pending")]
    assert sync(lab, "--conflicts", policy).code == 0
    assert there(lab, one)["phone"] == "2"
    assert len(ids(lab)) == before - 1


def test_a_record_that_was_thought_deleted_is_asked_about_before_it_is_made_anew(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page has told of the merge: only the provider itself can."""
    one, two = pair(lab, phone="1")
    set_here(lab, two, phone="2")
    merge(lab, one, two)
    monkeypatch.setattr(HubSpot, "merged", lambda *_: {})
    sync(lab, "--mode", "full", direction="pull")
    assert [found["kind"] for found in conflicts(lab)] == ["deleted"]
    before = len(ids(lab))
    done = sync(lab, "--conflicts", "local", direction="push")
    assert (done.code, len(ids(lab))) == (3, before)
    assert sync(lab, "--conflicts", "local", direction="push").code == 0
    assert there(lab, one)["phone"] == "2"
    assert len(ids(lab)) == before


def test_a_question_without_an_answer_creates_nothing(lab: Lab) -> None:
    one, two = pair(lab, phone="1")
    set_here(lab, two, phone="2")
    lab.sandbox.hubspot.purge("companies", two)
    lab.sandbox.faults.set(["400:path=*/companies/batch/read"])
    before = ids(lab)
    done = sync(lab, "--conflicts", "local", "--mode", "full", direction="push")
    assert done.code != 0, done.out
    assert ids(lab) == before
    lab.sandbox.faults.clear()
    assert sync(lab, "--conflicts", "local").code == 0
    assert len(ids(lab)) == len(before) + 1, "what is deleted is created again, as the policy says"
    assert one in ids(lab)


def all_gone(
    self: HubSpot, resource: Resource, changes: Sequence[Change], send: Send
) -> Iterator[Receipt]:
    """As a provider that finds nothing of what it is asked to write."""
    for change in changes:
        yield Receipt(change.trace, "failed", kind="gone", message="no such thing")


def test_a_new_record_that_is_refused_is_not_asked_about(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider has never heard of it: what is gone is something that it refers to."""
    (two,) = ids(lab)[1:2]
    asked: list[str] = []

    def survivors(
        self: HubSpot, resource: Resource, records: Sequence[str], send: Send
    ) -> dict[str, str]:
        asked.extend(records)
        return {}

    monkeypatch.setattr(HubSpot, "write", all_gone)
    monkeypatch.setattr(HubSpot, "survivors", survivors)
    lab.sql(f"INSERT INTO {VIEW} (name) VALUES ('Nova')")
    assert sync(lab, direction="push").code == 3
    assert asked == []
    assert [(action, status) for _, action, status in outbox(lab)] == [("create", "failed")]
    set_here(lab, two, phone="2")
    sync(lab, direction="push")
    assert asked == [two]


@pytest.mark.parametrize("error", [RejectedError("no such query"), DeniedError("not for you")])
def test_where_the_provider_refuses_to_tell_of_merges_what_is_gone_is_deleted(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: LumioError
) -> None:
    """To ask again would not help: the edit meets a deletion, instead of waiting for ever."""
    (two,) = ids(lab)[1:2]
    set_here(lab, two, phone="2")

    def survivors(*_: object) -> dict[str, str]:
        raise error

    monkeypatch.setattr(HubSpot, "write", all_gone)
    monkeypatch.setattr(HubSpot, "survivors", survivors)
    assert sync(lab, direction="push").code == 3
    assert [found["kind"] for found in conflicts(lab)] == ["deleted"]
    assert outbox(lab) == [(two, "update", "conflict")]


def test_a_deletion_that_meets_a_merge_spares_the_survivor(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    lab.sql(f"DELETE FROM {VIEW} WHERE id = ?", two)
    during_push(lab, lambda: merge(lab, one, two), "/batch/read")
    assert pushed(sync(lab))["error"]["code"] == "merged"
    assert sync(lab).code == 3
    assert [found["merged_into"] for found in conflicts(lab)] == [one]
    assert one in ids(lab)


def test_an_update_that_changes_the_survivor_is_told_of_that(lab: Lab) -> None:
    """HubSpot may take a merged record's id for its survivor's: then that was changed."""
    one, two = pair(lab, phone="1")
    set_here(lab, two, phone="2")
    provider = lab.sandbox.providers["hubspot"]
    handle = provider.handle

    def redirect(request: Request) -> Response:
        if not request.path.endswith("/companies/batch/update"):
            return handle(request)
        merge(lab, one, two)
        request.body = request.body.replace(two.encode(), one.encode())
        return handle(request)

    provider.handle = redirect  # type: ignore[method-assign]
    done = sync(lab)
    assert done.code == 0, done.out
    assert outbox(lab) == []
    assert lab.sql(f"SELECT id, phone FROM {VIEW} WHERE id IN (?, ?)", one, two) == [(one, "2")]
    provider.handle = handle  # type: ignore[method-assign]
    sync(lab, "--mode", "full", direction="pull")
    assert lab.differences("companies") == []


def test_an_edit_whose_answer_was_lost_goes_to_the_survivor_once(lab: Lab) -> None:
    one, two = pair(lab, phone="1")
    set_here(lab, two, phone="2")
    # As a run that was killed leaves it, whose request had arrived.
    lab.sql("UPDATE lumio_outbox SET status = 'sending', sent = edits")
    set_there(lab, two, phone="2")
    merge(lab, one, two)
    assert sync(lab).code == 0
    assert there(lab, one)["phone"] == "2"
    assert outbox(lab) == []


def test_a_new_record_merged_before_it_was_seen_is_not_created_twice(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql(f"INSERT INTO {VIEW} (name, domain) VALUES ('Nova', 'nova.example')")
    lab.sandbox.faults.set(["lost:times=1:path=*/companies/batch/create"])
    before = set(ids(lab))
    sync(lab, direction="push")
    lab.sandbox.faults.clear()
    (made,) = set(ids(lab)) - before
    merge(lab, one, made)
    lab.sql("UPDATE lumio_outbox SET attempted_at = '2020-01-01T00:00:00Z'")
    done = sync(lab)
    assert set(ids(lab)) == before, "it was created again"
    assert done.code == 3, done.out
    (letter,) = lab.lumio("failures", "list").document["failures"]
    assert f"{made} came since, and was merged into {one}" in letter["message"]


# -- undo


def test_undo_refuses_by_the_name_of_the_survivor(lab: Lab) -> None:
    one, two = pair(lab, phone="1")
    set_here(lab, two, phone="2")
    run = sync(lab).document["run_id"]
    merge(lab, one, two)
    sync(lab, direction="pull")
    done = lab.lumio("runs", "undo", run, "--yes")
    assert done.code == 3, done.out
    (left,) = done.document["left"]
    assert (left["id"], left["reason"]) == (two, f"it was merged into {one} since")
    assert there(lab, one)["phone"] == "2"


def test_a_record_that_a_run_has_created_and_that_was_merged_is_not_undone(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql(f"INSERT INTO {VIEW} (name) VALUES ('Nova')")
    before = set(ids(lab))
    run = sync(lab).document["run_id"]
    (made,) = set(ids(lab)) - before
    merge(lab, one, made)
    sync(lab, direction="pull")
    done = lab.lumio("runs", "undo", run, "--yes")
    assert done.code == 3, done.out
    assert done.document["left"][0]["reason"] == f"it was merged into {one} since"


# -- what the hub says


def test_the_history_of_a_merged_record_names_the_survivor(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    merge(lab, one, two)
    assert sync(lab, direction="pull").resource("companies")["deleted"] == 1
    told = lab.lumio("records", "history", TARGET, two).document["history"][0]
    assert (told["action"], told["origin"]) == ("delete", "pull")
    assert told["fields"] == [{"name": "id", "before": two, "after": one}]


# -- what was denied


def test_what_was_listed_all_the_same_is_merged_once_a_full_walk_finds_it_gone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = ids(lab)[:2]

    def names_the_other(self: HubSpot, walk: object, record: dict[str, Any]) -> dict[str, str]:
        return {two: one} if record["id"] == one else {}

    monkeypatch.setattr(HubSpot, "merged", names_the_other)
    assert sync(lab, "--mode", "full", direction="pull").resource("companies")["deleted"] == 0
    merge(lab, one, two)
    told = lab.lumio("preview", TARGET, "--direction", "pull").document["changes"]
    assert two not in [change["id"] for change in told]
    assert sync(lab, direction="pull").resource("companies")["deleted"] == 0
    words = ("--mode", "full", "--direction", "pull")
    told = lab.lumio("preview", TARGET, *words).document["changes"]
    there = [{"name": "id", "before": two, "after": one}]
    assert [change["fields"] for change in told if change["id"] == two] == [there]
    assert lab.lumio("sync", TARGET, *words).resource("companies")["deleted"] == 1
    history = lab.lumio("records", "history", TARGET, two).document["history"]
    assert history[0]["fields"] == there


def test_another_survivor_is_believed_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = ids(lab)[:3]
    names = {two: one}

    def names_the_other(self: HubSpot, walk: object, record: dict[str, Any]) -> dict[str, str]:
        return names if record["id"] == names[two] else {}

    monkeypatch.setattr(HubSpot, "merged", names_the_other)
    assert sync(lab, "--mode", "full", direction="pull").resource("companies")["deleted"] == 0
    names[two] = three
    merge(lab, three, two)
    assert sync(lab, direction="pull").resource("companies")["deleted"] == 1
