"""What is printed, in which form, and on which stream."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumio_cli.config.global_options import Globals, split_globals
from lumio_cli.core.errors import LumioError, PartialError, StoppedError, UsageError
from lumio_cli.core.progress import NoProgress
from lumio_cli.output import Col, Diff, Output, Preferences, Table
from lumio_cli.output.cells import ago, for_programs
from lumio_cli.output.progress import (
    BarProgress,
    JsonProgress,
    LineProgress,
    choose_progress,
    summary,
)
from lumio_cli.output.prompt import Prompt
from lumio_cli.output.style import json_escape, printable, tsv_escape
from support.cli import Stream

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LONG_ID = "0123456789" * 6


def make(
    *argv: str,
    out_tty: bool = False,
    err_tty: bool = False,
    encoding: str = "utf-8",
    env: dict[str, str] | None = None,
    redact: Callable[[str], str] = str,
    preferences: Preferences | None = None,
) -> tuple[Output, Stream, Stream]:
    options, _, problem = split_globals(argv)
    assert problem is None
    stdout = Stream(terminal=out_tty, encoding=encoding)
    stderr = Stream(terminal=err_tty, encoding=encoding)
    output = Output(
        options,
        stdout=stdout,
        stderr=stderr,
        environ={"COLUMNS": "80", **(env or {})},
        preferences=lambda: preferences or Preferences(),
        redact=redact,
        now=lambda: NOW,
    )
    return output, stdout, stderr


TABLE = Table(
    [
        Col("id", kind="id"),
        Col("name"),
        Col("records", kind="number"),
        Col("last_sync", kind="time"),
        Col("status", kind="status"),
        Col("note", drop=1),
    ],
    [
        {
            "id": LONG_ID,
            "name": "[bold]Ann[/oops]\x1b[2J",
            "records": 1234567,
            "last_sync": NOW - timedelta(minutes=3),
            "status": "succeeded",
            "note": "x" * 60,
        },
        {
            "id": "2",
            "name": "a\tb\\\n\u202e",
            "records": 0,
            "last_sync": None,
            "status": "failed",
            "note": None,
        },
    ],
)


# --- tables ---------------------------------------------------------------------------------


def test_tsv_is_complete_and_plain() -> None:
    output, out, _ = make()
    output.result({}, TABLE)
    lines = out.getvalue().splitlines()
    assert lines[0] == "id\tname\trecords\tlast_sync\tstatus\tnote"
    first = lines[1].split("\t")
    assert first[0] == LONG_ID
    assert first[1] == "[bold]Ann[/oops]\\x1b[2J"
    assert first[2:5] == ["1234567", "2026-01-02T03:01:05Z", "succeeded"]
    assert lines[2].split("\t") == ["2", "a\\tb\\\\\\n\\u202e", "0", "", "failed", ""]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_table_fits_and_cuts_nothing(width: int, encoding: str) -> None:
    output, out, _ = make(out_tty=True, env={"COLUMNS": str(width)}, encoding=encoding)
    output.result({}, TABLE)
    text = ANSI.sub("", out.getvalue())
    text.encode(encoding)
    assert max(map(len, text.splitlines())) <= max(width, 66)
    assert "…" not in text
    # A wrapped id is whole once its pieces are put together.
    table = [line for line in text.splitlines() if not line.startswith("(too narrow")]
    pieces = "".join(re.sub(r"[^0-9]", "", line[: len(LONG_ID)]) for line in table)
    assert LONG_ID[:20] in pieces
    if width == 200:
        assert "[bold]Ann[/oops]\\x1b[2J" in text
        assert "1 234 567" in text
        assert "3 min ago" in text
        assert ("✓ succeeded" if encoding == "utf-8" else "ok succeeded") in text
        assert "x" * 60 in text


def test_a_narrow_terminal_says_what_it_leaves_out() -> None:
    output, out, _ = make(out_tty=True, env={"COLUMNS": "40", "NO_COLOR": "1"})
    output.result({}, TABLE)
    assert "(too narrow for: note; see -o tsv)" in out.getvalue()


def test_a_table_in_a_pipe_is_as_wide_as_it_needs() -> None:
    output, out, _ = make("-o", "table")
    output.result({}, TABLE)
    assert LONG_ID in out.getvalue()
    assert "x" * 60 in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_titles_footers_and_empty_tables() -> None:
    output, out, _ = make("-o", "table")
    empty = Table([Col("a")], [], title="Things", empty="no things")
    full = Table([Col("a")], [["1"]], footer="that was all")
    output.result({}, "first", empty, full)
    assert out.getvalue().splitlines()[:4] == ["first", "Things", "no things", ""]
    assert out.getvalue().endswith("that was all\n")
    output, out, _ = make("-o", "tsv")
    output.result({}, "first", empty, full)
    assert out.getvalue() == "a\n\na\n1\n"


def test_kinds_of_cells() -> None:
    columns = [
        Col("d", kind="duration"), Col("b", kind="bytes"), Col("p", kind="percent"),
        Col("l", kind="list"), Col("y", kind="bool"), Col("j"), Col("t", kind="time"),
    ]  # fmt: skip
    row = [61, 2048, 12.4, ["a", "b"], True, {"x": 1}, "2026-01-02T03:04:05Z"]
    output, out, _ = make("-o", "table")
    output.result({}, Table(columns, [row, [None] * 7]))
    text = " ".join(out.getvalue().split())
    assert '1 min 1 s 2.0 KiB 12 % a, b yes {"x": 1} just now - - -' in text
    output, out, _ = make()
    output.result({}, Table(columns, [row]))
    expected = '61\t2048\t12.4\ta,b\ttrue\t{"x": 1}\t2026-01-02T03:04:05Z'
    assert out.getvalue().splitlines()[1] == expected


def test_times_for_people() -> None:
    assert ago(NOW - timedelta(seconds=1), NOW) == "just now"
    assert ago(NOW - timedelta(seconds=5), NOW) == "5 s ago"
    assert ago(NOW - timedelta(hours=5, minutes=3), NOW) == "5 h ago"
    assert ago(NOW + timedelta(days=2), NOW) == "in 2 d"
    assert for_programs("text", NOW) == "2026-01-02T03:04:05Z"
    assert for_programs("text", False) == "false"


@given(st.text())
def test_no_text_can_act_on_a_terminal(text: str) -> None:
    for shown in (printable(text), tsv_escape(text)):
        assert "\n" not in shown
        assert "\t" not in shown
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    encoded = json_escape(json.dumps(text, ensure_ascii=False))
    assert json.loads(encoded) == text
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", encoded)


# --- JSON -----------------------------------------------------------------------------------


def test_json_is_one_document_with_times_in_utc() -> None:
    output, out, _ = make("-o", "json", encoding="ascii")
    local = datetime.fromisoformat("2026-01-02T05:04:05+02:00")
    output.result({"at": local, "name": "Zoë\x9b", "path": Path("/x"), "set": {2, 1}}, TABLE)
    output.note("not now")
    output.line("nor this")
    assert out.getvalue() == ""
    output.finish()
    assert out.getvalue().isascii()
    assert json.loads(out.getvalue()) == {
        "at": "2026-01-02T03:04:05Z", "name": "Zoë\x9b", "path": "/x", "set": [1, 2],
    }  # fmt: skip


def test_an_error_after_the_result_is_part_of_the_document() -> None:
    output, out, err = make("-o", "json")
    output.result({"status": "partial"}, TABLE)
    output.finish(PartialError("2 records failed", hint="lumio failures"))
    assert err.getvalue() == ""
    assert json.loads(out.getvalue()) == {
        "status": "partial",
        "error": {
            "code": "partial",
            "message": "2 records failed",
            "hint": "lumio failures",
            "exit_code": 3,
        },
    }


def test_an_error_alone_is_a_document() -> None:
    output, out, _ = make("-o", "json")
    output.finish(LumioError("no"))
    assert json.loads(out.getvalue())["error"]["hint"] is None


def test_what_is_not_json_is_a_bug() -> None:
    output, _, _ = make("-o", "json")
    for value in (object(), float("nan"), datetime(2026, 1, 1)):
        with pytest.raises((TypeError, ValueError)):
            output.encode({"x": value})
    output.result({})
    with pytest.raises(RuntimeError):
        output.result({})


def test_streams_print_at_once() -> None:
    output, out, _ = make("-o", "json")
    output.stream({"a": 1})
    output.stream({"a": 2}, "two")
    output.finish()
    assert out.getvalue() == '{"a": 1}\n{"a": 2}\n'
    output, out, _ = make("-o", "table")
    output.stream({"a": 2}, "two")
    assert out.getvalue() == "two\n"


def test_the_error_that_ends_a_stream_is_a_line_like_the_others() -> None:
    output, out, _ = make("-o", "json")
    output.stream({"a": 1})
    output.finish(LumioError("over"))
    first, second = out.getvalue().splitlines()
    assert json.loads(first) == {"a": 1}
    assert json.loads(second)["error"]["message"] == "over"


# --- stderr ---------------------------------------------------------------------------------


def test_errors_are_two_clean_lines() -> None:
    output, out, err = make(redact=lambda text: text.replace("hush", "***"))
    output.finish(LumioError("hush\nand \x1b[2J", hint="say hush"))
    assert out.getvalue() == ""
    assert err.getvalue() == "error: *** and \\x1b[2J\nhint: say ***\n"


def test_quiet_leaves_errors_only() -> None:
    output, _, err = make("-q")
    output.note("a")
    output.warn("b", "c")
    output.event("d")
    output.detail("e", 0)
    assert err.getvalue() == ""
    output.error(LumioError("f"))
    assert err.getvalue() == "error: f\n"


def test_verbose_says_more() -> None:
    output, _, err = make("-vv")
    output.detail("one")
    output.detail("two", 2)
    output.detail("three", 3)
    output.warn("careful", "do this")
    assert err.getvalue() == "one\ntwo\nwarning: careful\nhint: do this\n"


def test_the_log_format_json() -> None:
    output, _, err = make("--log-format", "json")
    output.warn("careful", "do this")
    output.note("fine")
    output.error(LumioError("no"))
    output.event("waiting", seconds=3)
    lines = [json.loads(line) for line in err.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["warning", "note", "error", "waiting"]
    assert lines[0] == {
        "ts": "2026-01-02T03:04:05Z", "event": "warning", "message": "careful", "hint": "do this",
    }  # fmt: skip


def test_json_in_a_pipe_has_a_silent_stderr() -> None:
    output, _, err = make("-o", "json")
    output.note("decoration")
    assert err.getvalue() == ""


@pytest.mark.parametrize(
    ("argv", "env", "colored"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"NO_COLOR": ""}, True),
        ((), {"TERM": "dumb"}, False),
        (("--color", "never"), {}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
    ],
)
def test_colours_of_a_terminal(argv: tuple[str, ...], env: dict[str, str], colored: bool) -> None:
    output, out, err = make(*argv, out_tty=True, env=env)
    output.line("text", "good")
    output.result({}, TABLE)
    assert ("\x1b[" in out.getvalue()) is colored
    # Each stream decides for itself.
    output.error(LumioError("no"))
    assert ("\x1b" in err.getvalue()) is (argv == ("--color", "always"))


def test_preferences_stand_in_for_flags() -> None:
    output, out, err = make(preferences=Preferences("json", "always", "json"))
    output.result({"a": 1}, TABLE)
    output.warn("x")
    output.finish()
    assert json.loads(out.getvalue()) == {"a": 1}
    assert json.loads(err.getvalue())["event"] == "warning"
    assert output.err_look.color
    output, _, _ = make("--color", "never", "-o", "tsv", preferences=Preferences("json", "always"))
    assert (output.mode, output.err_look.color) == ("tsv", False)


def test_a_closed_stream_is_no_terminal() -> None:
    stdout = io.StringIO()
    stdout.close()
    output = Output(Globals(), stdout=stdout, stderr=io.StringIO(), environ={})
    assert output.mode == "tsv"


# --- diff -----------------------------------------------------------------------------------

DIFF = Diff(
    [
        {
            "provider": "hubspot", "resource": "contacts", "direction": "pull", "id": "1",
            "action": "create", "fields": [{"name": "email", "before": None, "after": "a@b"}],
        },
        {
            "provider": "hubspot", "resource": "contacts", "direction": "pull", "id": "2",
            "action": "update",
            "fields": [
                {"name": "stage", "before": "lead", "after": "[b]customer\x1b"},
                {"name": "age", "before": 1, "after": None},
            ],
        },
        {
            "provider": "hubspot", "resource": "contacts", "direction": "pull", "id": "3",
            "action": "delete", "fields": [],
        },
        {
            "provider": "hubspot", "resource": "deals", "direction": "push", "id": "4",
            "action": "conflict", "fields": [{"name": "x", "before": "y" * 90, "after": "z"}],
        },
    ],
    {"create": 1, "update": 1, "delete": 1, "conflict": 1, "unchanged": 4182},
)  # fmt: skip


def test_a_diff_for_people() -> None:
    output, out, _ = make("-o", "table")
    output.result({}, DIFF)
    assert out.getvalue() == (
        "hubspot/contacts\n"
        '+ 1\n    email: "a@b"\n'
        '~ 2\n    age: 1 → (none)\n    stage: "lead" → "[b]customer\\x1b"\n'
        "- 3\n"
        "hubspot/deals (push)\n"
        f'! 4\n    x: theirs "{"y" * 90}", ours "z"\n'
        "Preview: 1 to create, 1 to update, 1 to delete, 1 conflict, 4 182 unchanged. "
        "Nothing was written.\n"
    )


def test_a_diff_on_a_terminal_cuts_long_values_and_keeps_the_sign_first() -> None:
    output, out, _ = make(out_tty=True, encoding="ascii")
    output.result({}, DIFF)
    text = ANSI.sub("", out.getvalue())
    assert 'yyy..., ours "z"' in text
    assert "\n+ 1\n" in text


def test_a_diff_for_programs() -> None:
    output, out, _ = make()
    output.result({}, DIFF)
    lines = [line.split("\t") for line in out.getvalue().splitlines()]
    assert lines[0][:2] == ["action", "provider"]
    assert len(lines) == 6
    assert all(len(line) == 8 for line in lines)
    assert lines[4][5:] == ["", "", ""]


def test_a_diff_that_is_cut_off_or_empty_says_so() -> None:
    output, out, _ = make("-o", "table")
    output.result({}, Diff(DIFF.changes[:1], {"create": 1200}), Diff([], {"unchanged": 3}))
    assert "1 200 to create, 0 to update, 0 to delete. The first 1 are shown." in out.getvalue()
    assert out.getvalue().endswith("No changes. Nothing was written.\n")


# --- progress -------------------------------------------------------------------------------

RESULT = {"status": "succeeded", "read": 1250, "created": 3, "deleted": 0, "error": None}


def play(output: Output) -> Any:
    progress = choose_progress(output)
    progress.start("hubspot/contacts", 1250, detail="full")
    progress.start("hubspot/contacts", 1300)
    progress.start("hubspot/deals", None)
    progress.advance("hubspot/contacts", 100)
    progress.waiting("hubspot/contacts", "burst quota", 8)
    progress.warn("the field 'x' has gone", "hubspot/contacts")
    progress.finish("hubspot/contacts", {**RESULT, "duration_s": 4.2})
    progress.finish("hubspot/deals", {"status": "failed", "error": {"message": "no\x1b"}})
    return progress


def test_progress_in_a_pipe_is_two_lines_a_resource() -> None:
    output, out, err = make()
    assert isinstance(play(output), LineProgress)
    assert out.getvalue() == ""
    lines = err.getvalue().splitlines()
    assert lines[:5] == [
        "hubspot/contacts: started (full), about 1 250 records",
        "hubspot/deals: started",
        "hubspot/contacts: waiting 8.0 s (burst quota)",
        "warning: hubspot/contacts: the field 'x' has gone",
        "hubspot/contacts: succeeded, 1 250 read, 3 created, 4.2 s",
    ]
    assert re.fullmatch(r"hubspot/deals: failed, \d+ ms \(no\\x1b\)", lines[5])


def test_progress_as_json_lines() -> None:
    output, out, err = make("--log-format", "json", "-o", "json")
    assert isinstance(play(output), JsonProgress)
    assert out.getvalue() == ""
    events = [json.loads(line) for line in err.getvalue().splitlines()]
    assert [e["event"] for e in events] == [
        "resource_started", "resource_started", "resource_started", "waiting", "warning",
        "resource_finished", "resource_finished",
    ]  # fmt: skip
    assert events[5]["read"] == 1250
    assert events[3]["reason"] == "burst quota"


def test_progress_that_nobody_wants() -> None:
    for argv in (("-q",), ("-o", "json"), ("-q", "--log-format", "json")):
        output, out, err = make(*argv)
        assert isinstance(play(output), NoProgress)
        assert out.getvalue() + err.getvalue() == ""


def test_progress_on_a_terminal() -> None:
    output, out, err = make(err_tty=True, out_tty=True)
    progress = play(output)
    assert isinstance(progress, BarProgress)
    progress.start("hubspot/owners", 10)
    output.finish(StoppedError("stopped: Ctrl-C"))
    assert out.getvalue() == ""
    text = ANSI.sub("", err.getvalue())
    assert "✓ hubspot/contacts: succeeded, 1 250 read, 3 created, 4.2 s" in text
    assert "✗ hubspot/deals: failed" in text
    assert "waiting 8.0 s (burst quota)" in text
    assert err.getvalue().rstrip().splitlines()[-1].endswith("stopped: Ctrl-C")
    # The cursor is back.
    assert err.getvalue().rindex("\x1b[?25h") > err.getvalue().rindex("\x1b[?25l")


def test_progress_from_many_threads() -> None:
    output, _, err = make(err_tty=True)
    progress = choose_progress(output)

    def work(number: int) -> None:
        target = f"hubspot/r{number}"
        progress.start(target, 10)
        for _ in range(10):
            progress.advance(target)
            output.note(f"note {number}")
        progress.finish(target, RESULT)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert err.getvalue().count("succeeded") == 4
    assert err.getvalue().count("note ") == 40


def test_summary_without_counts() -> None:
    assert summary("a/b", {"status": "succeeded"}) == "a/b: succeeded, nothing new"
    assert summary("a/b", {"status": "skipped", "error": "no scope"}) == "a/b: skipped (no scope)"


# --- prompts --------------------------------------------------------------------------------


def prompt(text: str = "", *, tty: bool = True, **more: Any) -> tuple[Prompt, Stream]:
    err = Stream(terminal=tty)
    options = Globals(no_input=more.pop("no_input", False))
    env = more.pop("environ", {})
    stdin = Stream(text, terminal=tty)
    return Prompt(options, stdin=stdin, stderr=err, environ=env, **more), err


@pytest.mark.parametrize("where", [{"tty": False}, {"no_input": True}, {"environ": {"CI": "true"}}])
def test_nobody_is_asked_where_nobody_is(where: dict[str, Any]) -> None:
    asking, err = prompt("hubspot\n", **where)
    for ask in (
        lambda: asking.text("Region", instead="--set region=..."),
        lambda: asking.secret("Token", instead="--token-stdin or LUMIO_HUBSPOT_TOKEN"),
        lambda: asking.confirm("Drop it?", name="hubspot"),
    ):
        with pytest.raises(UsageError) as caught:
            ask()
        assert caught.value.exit_code == 2
        assert caught.value.hint is not None
    assert err.getvalue() == ""
    asking.confirm("Drop it?", name="hubspot", yes=True)


def test_answers() -> None:
    asking, err = prompt("eu\n\nhubspot\nno\n", read_hidden=lambda question: f" {question} ")
    assert asking.text("Region", default="na", instead="") == "eu"
    assert asking.text("Region", default="na", instead="") == "na"
    asking.confirm("Drop it?", name="hubspot")
    with pytest.raises(UsageError, match="not confirmed"):
        asking.confirm("Drop it?", name="hubspot")
    with pytest.raises(UsageError, match="ended"):
        asking.text("Region", instead="")
    assert asking.secret("Token", instead="") == "Token:"
    assert "Region [na]: " in err.getvalue()
