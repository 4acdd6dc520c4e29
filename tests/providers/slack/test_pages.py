"""How Slack's listings end: where Slack says so, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from lumio_cli.core.errors import BadReplyError, PagingError
from lumio_cli.providers.contract.call import Place
from lumio_cli.providers.contract.paging import NoPlaceError, Paging
from lumio_cli.providers.contract.resource import Walk
from lumio_cli.providers.slack import Slack
from lumio_cli.providers.slack.walks import Cursors, History, Visible
from lumio_cli.sync.pull import slice_pull
from providers.slack.conftest import Answers, SlackLab, reply

STYLES: list[tuple[Paging, Place]] = [
    (Cursors(), {"size": 2}),
    (Visible(Cursors()), {"size": 2, "types": "im"}),
    (History(), {"size": 2}),
    (History("general"), {"step": "find", "size": 2, "types": "im"}),
]
MORE = {"response_metadata": {"next_cursor": "n"}}
ROOT = {"ts": "1.000000", "reply_count": 2, "latest_reply": "1.000003", "channel": "C1"}


@pytest.mark.parametrize(("style", "place"), STYLES)
def test_an_empty_page_with_a_cursor_goes_on(style: Paging, place: Place) -> None:
    answer = reply({"ok": True, "messages": [], "members": [], "channels": [], **MORE})
    following = style.next(place, answer, [])
    assert following is not None
    assert "n" in (following.get("token"), following.get("cursor"))


@pytest.mark.parametrize(("style", "place"), STYLES)
@pytest.mark.parametrize("metadata", [{}, {"next_cursor": ""}, {"next_cursor": None}, None])
def test_more_without_a_cursor_is_no_end(style: Paging, place: Place, metadata: Any) -> None:
    answer = reply({"ok": True, "has_more": True, "response_metadata": metadata})
    with pytest.raises(NoPlaceError):
        style.next(place, answer, [{"ts": "1.0"}])


@pytest.mark.parametrize(("style", "place"), STYLES[:3])
def test_neither_more_nor_a_cursor_is_the_end(style: Paging, place: Place) -> None:
    for body in ({"ok": True}, {"ok": True, "has_more": False, "response_metadata": None}):
        assert style.next(place, reply(body), [{"ts": "1.0"}]) is None


def fill(*answers: Any) -> list[Any]:
    """What comes of a message with a thread."""
    slack = Slack({"channels": ["C12345678"]})
    whole = Walk(slack.resource("messages"), "full", options={"channel": "C12345678"})
    return slack.fill(whole, [dict(ROOT)], Answers(*answers))


def test_a_thread_ends_where_slack_says_so_too() -> None:
    first = {"ok": True, "messages": [ROOT], **MORE}
    found = fill(first, {"ok": True, "messages": [ROOT, {"ts": "1.000003"}]})
    assert [record["ts"] for record in found] == ["1.000000", "1.000003"]
    with pytest.raises(NoPlaceError):
        fill({"ok": True, "messages": [ROOT], "has_more": True})
    with pytest.raises(PagingError):
        fill(first, first)
    with pytest.raises(BadReplyError):
        fill({"ok": True})


def test_a_null_in_a_thread_costs_itself() -> None:
    found = fill({"ok": True, "messages": [ROOT, None, "text", {"ts": "1.000003"}]})
    assert [record["ts"] for record in found if isinstance(record, dict)] == [
        "1.000000",
        "1.000003",
    ]
    assert found[1:3] == [None, "text"]


def test_a_time_that_is_none_does_not_hide_a_thread() -> None:
    slack = Slack({"channels": ["C12345678"]})
    odd = {"ts": "1.0", "reply_count": 1, "latest_reply": "soon", "channel": "C1"}
    send = Answers({"ok": True, "messages": []})
    slack.fill(Walk(slack.resource("messages"), "changes"), [odd], send)
    assert len(send.calls) == 1


@pytest.mark.parametrize("path", ["/conversations.history", "/conversations.replies"])
def test_a_history_that_loses_its_place_keeps_all_there_is(
    lab: SlackLab, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slice_pull, "PAUSE", 0.0)
    lab.sync("messages")
    before = lab.sql("SELECT count(*) FROM slack_messages")
    lab.sandbox.faults.set([f"nowhere:path={path}"])
    entry = lab.sync("messages", "--mode", "full", code=5)
    assert entry["deleted"] == 0
    assert "has_more" in entry["error"]["message"]
    lab.sandbox.faults.set([f"nowhere:path={path}:times=2", f"hollow:path={path}:after=2:times=3"])
    entry = lab.sync("messages", "--mode", "full")
    assert (entry["deleted"], entry["status"]) == (0, "succeeded")
    assert lab.sql("SELECT count(*) FROM slack_messages") == before


# -- a workspace without a paid plan


def test_what_a_free_workspace_hides_stays_and_what_is_deleted_goes(lab: SlackLab) -> None:
    """Also the replies of a message that is hidden, though they are younger than others."""
    times = list(lab.general.ids())
    old = next(ts for ts in times[20:] if lab.general.replies(ts))
    straddling = lab.general.reply(old, {"text": "years later"})
    lab.sync("messages")
    # The message lies behind the horizon by a second; its last reply does not.
    lab.workspace.keeps_days = (lab.workspace.clock() - float(old) - 1) / 86_400
    shown = [ts for ts in times if float(ts) > float(old) + 1]
    assert straddling > shown[0]
    entry = lab.sync("messages", "--mode", "full", "--max-delete", "0")
    assert entry["deleted"] == 0
    deleted = next(ts for ts in shown[10:] if not lab.general.replies(ts))
    lab.general.purge(deleted)
    entry = lab.sync("messages", "--mode", "full", "--max-delete", "2")
    assert entry["deleted"] == 1
    kept = {name for (name,) in lab.sql("SELECT ts FROM slack_messages")}
    assert {*times} - {deleted} <= kept
    assert straddling in kept
    # With a paid plan all of it is listed again.
    lab.workspace.keeps_days = None
    entry = lab.sync("messages", "--mode", "full")
    assert (entry["created"], entry["deleted"]) == (0, 0)


def test_without_a_limit_what_is_absent_is_deleted(lab: SlackLab) -> None:
    lab.sync("messages")
    oldest = next(ts for ts in lab.general.ids() if not lab.general.replies(ts))
    lab.general.purge(oldest)
    assert lab.sync("messages", "--mode", "full")["deleted"] == 1
