"""The input of a bulk send: files as people make them, and which kind of message a row is."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import UsageError
from lumio_cli.providers.contract.fields import Field
from lumio_cli.providers.contract.messages import Message, MessageKind
from lumio_cli.services.messaging.compose import Composer, Given, summary
from lumio_cli.services.messaging.option_values import values_of
from lumio_cli.services.tabular.row_reader import Row, Source
from support.courier import KINDS

NOW = utc(1_795_000_000.0)


def rows(path: Path, data: bytes | str) -> list[Row]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with Source(str(path), io.StringIO()) as source:
        first = list(source.rows())
        assert first == list(source.rows()), "it can be read any number of times"
    return first


def cells(path: Path, data: bytes | str) -> list[dict[str, Any]]:
    found = rows(path, data)
    assert not [row.problem for row in found if row.problem]
    return [dict(row.cells) for row in found]


# -- CSV


@pytest.mark.parametrize(
    "data",
    [
        "to,text\nAna,olá\n",
        "\ufeffto,text\r\nAna,olá\r\n",
        "To; TEXT \nAna;olá\n",
        'to\ttext\nAna\t"olá"\n',
        "to,text\n\n , \nAna,olá",
        "to,text\nAna,olá\n".encode("utf-16"),
    ],
)
def test_csv_as_programs_write_it(tmp_path: Path, data: bytes | str) -> None:
    assert cells(tmp_path / "a.csv", data) == [{"to": "Ana", "text": "olá"}]


def test_cells_may_hold_lines_commas_and_quotes(tmp_path: Path) -> None:
    found = rows(tmp_path / "a.csv", 'to,text\na,"one\n""two"", three"\nb,x\n')
    assert [row.cells["text"] for row in found] == ['one\n"two", three', "x"]
    assert [(row.position, row.line) for row in found] == [(1, 3), (2, 4)]


def test_an_empty_cell_is_not_given(tmp_path: Path) -> None:
    assert cells(tmp_path / "a.csv", "to,text,x\na,, \n") == [{"to": "a"}]


def test_a_bad_row_has_its_line_and_the_next_one_is_read(tmp_path: Path) -> None:
    data = b'to,text\na,1\nb\nc,1,2\nd,\xff\n"e"x,1\nf,1\n'
    found = rows(tmp_path / "a.csv", data)
    assert {row.line: bool(row.problem) for row in found} == {
        2: False, 3: True, 4: True, 5: True, 6: True, 7: False,
    }  # fmt: skip
    assert "not UTF-8" in found[3].problem


def test_a_quote_that_is_never_closed_is_told_with_its_line(tmp_path: Path) -> None:
    found = rows(tmp_path / "a.csv", 'to,text\na,1\nb,"x\nc,1\n')
    assert "line 3 is not closed" in found[1].problem


@pytest.mark.parametrize(
    "quoted", ['"x\nc,"y"', '"x"y,"', '"a"x,b"c"d"e,"multi', f'"{"x" * 200_000}\nc,"y"']
)
def test_nothing_is_sent_that_may_lie_inside_of_a_cell(tmp_path: Path, quoted: str) -> None:
    found = rows(tmp_path / "a.csv", f"to,text\na,1\nb,{quoted}\nc,1\nd,2\n")
    assert [(row.position, row.line) for row in found] == [(1, 2), (2, 3)]
    assert found[1].problem.endswith("nothing from that line on was read")
    assert (found[1].cells, found[1].raw) == ({}, f"b,{quoted}".partition("\n")[0])


def test_a_cell_may_be_as_long_as_a_record(tmp_path: Path) -> None:
    text = "x" * 200_000 + "\nc,1\n"
    assert cells(tmp_path / "a.csv", f'to,text\na,"{text}"\n') == [{"to": "a", "text": text}]


# -- JSON lines


def test_json_lines(tmp_path: Path) -> None:
    data = '\ufeff{"to":"Ana","text":"ol\u2028á","n":null}\n\n{"to":1,"x":[{"y":2}]}'
    found = cells(tmp_path / "a.jsonl", data)
    assert found == [{"to": "Ana", "text": "ol\u2028á"}, {"to": 1, "x": [{"y": 2}]}]


def test_bad_json_lines(tmp_path: Path) -> None:
    found = rows(tmp_path / "a.ndjson", b'{"to":\n"a"\n{"to":"\xff"}\n{"to":"a"}\n')
    assert [bool(row.problem) for row in found] == [True, True, True, False]
    assert found[3].line == 4


def test_whole_numbers_of_json_keep_their_digits(tmp_path: Path) -> None:
    data = '{"to": 12345678901234567890123}\n{"to": Infinity}\n'
    found = rows(tmp_path / "a.jsonl", data)
    assert found[0].cells == {"to": 12345678901234567890123}
    assert found[1].problem.startswith("it is not JSON")


# -- where it comes from


def test_what_a_file_is_shows_where_its_name_does_not_say(tmp_path: Path) -> None:
    assert cells(tmp_path / "a.txt", '{"to": "a"}') == [{"to": "a"}]
    assert cells(tmp_path / "b.txt", "to\na\n") == [{"to": "a"}]


def test_stdin_as_bytes_and_as_text(tmp_path: Path) -> None:
    binary = io.TextIOWrapper(io.BytesIO("to\nolá\n".encode("utf-16")))
    for stdin in (binary, io.StringIO("to\nolá\n")):
        with Source("-", stdin) as source:
            assert source.name == "stdin"
            assert [row.cells for row in source.rows()] == [{"to": "olá"}]


def test_what_was_read_once_does_not_change_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("to\na\n")
    with Source(str(path), io.StringIO()) as source:
        path.write_text("to\nsomebody else\n")
        assert [row.cells for row in source.rows()] == [{"to": "a"}]


@pytest.mark.parametrize("data", ["", "\n", "to,to\na,b\n"])
def test_a_header_that_is_none(tmp_path: Path, data: str) -> None:
    (tmp_path / "a.csv").write_text(data)
    with pytest.raises(UsageError):
        Source(str(tmp_path / "a.csv"), io.StringIO())


# -- which kind


def made(kinds: tuple[MessageKind, ...], **row: Any) -> Message:
    return Composer("acme", kinds, Given()).message(row, "key", NOW)


def test_a_field_has_more_than_one_name() -> None:
    """Options are the same for all providers; what providers call their fields differs."""
    threads = MessageKind("a", "A", (Field("reply_to", "x"), Field("body", "y", kind="list")))
    assert made((threads,), thread="1", params=["2"]).values == {"reply_to": "1", "body": ["2"]}
    rows = MessageKind("a", "A", (Field("sections", "x"),))
    assert made((rows,), list=[1]).values == {"sections": [1]}


@pytest.mark.parametrize("field", ["file", "media", "image"])
def test_a_file_goes_where_the_kind_wants_files(field: str, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(b"\x89PNG")
    kind = MessageKind("a", "A", (Field(field, "x", kind="file"), Field("link", "y", default="")))
    value = made((kind,), file=str(path)).values[field]
    assert value == {"name": "cat.png", "type": "image/png", "data": b"\x89PNG"}


def test_the_kind_of_a_file_follows_from_its_type(tmp_path: Path) -> None:
    fields = (Field("file", "x", kind="file", default=""), Field("link", "y", default=""))
    kinds = tuple(MessageKind(n, n, fields, to="x") for n in ("document", "sticker", "image"))
    for name, kind in (("a.jpg", "image"), ("a.pdf", "document"), ("a", "document")):
        (tmp_path / name).write_bytes(b"x")
        assert made(kinds, to="1", file=str(tmp_path / name)).kind == kind
        assert made(kinds, to="1", file=f"https://example.com/{name}?v=1#x").kind == kind
    with pytest.raises(UsageError, match="more than one kind"):
        made(kinds, to="1")


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lumio_cli.services.messaging.compose.MAX_FILE", 3)
    (tmp_path / "a").write_bytes(b"four")
    with pytest.raises(UsageError, match="MiB"):
        made(KINDS, to="1", media=str(tmp_path / "a"))


def test_values_are_read_as_their_fields_want_them() -> None:
    given = {"to": "a", "template": 5, "params": '["x", 1]', "copies": "3", "urgent": "YES"}
    values = made(KINDS, **given).values
    assert values == {"template": "5", "params": ["x", 1], "copies": 3, "urgent": True}
    assert made(KINDS, to="a", template="t", params="one").values["params"] == ["one"]
    with pytest.raises(UsageError, match="not JSON"):
        made(KINDS, to="a", template="t", params="[1")


@pytest.mark.parametrize(
    ("row", "params"),
    [
        ({"params.2": "b", "params.1": "a"}, ["a", "b"]),
        ({"2": "b", "1": "a"}, ["a", "b"]),
        ({"{{2}}": "b", "{{ 1 }}": "a"}, ["a", "b"]),
        ({"params_2": "b", "params_1": "a"}, ["a", "b"]),
        ({"params.10": "j", **{f"params.{n}": str(n) for n in range(1, 10)}},
         [*"123456789", "j"]),
        ({"params": ["a", "b", "c"], "2": "x"}, ["a", "x", "c"]),
        ({"{{city}}": "c", "1": "a"}, ["a", "city=c"]),
        ({"town": "c", "1": "a"}, ["a", "town=c"]),
    ],
)  # fmt: skip
def test_parameters_are_read_by_their_number_or_name(
    row: dict[str, Any], params: list[str]
) -> None:
    composer = Composer("acme", KINDS, Given(), {"town"})
    message = composer.message({"to": "a", "template": "t", **row}, "key", NOW)
    assert message.values["params"] == params


def test_a_parameter_may_be_called_as_another_kinds_field() -> None:
    given = Given(values={"template": "t"})
    message = Composer("acme", KINDS, given, {"caption"}).message(
        {"to": "a", "caption": "x"}, "", NOW
    )
    assert (message.kind, message.values["params"]) == ("form", ["caption=x"])


@pytest.mark.parametrize(
    ("row", "gap"), [({"2": "b"}, 1), ({"1": "a", "3": "c"}, 2), ({"0": "x", "1": "a"}, 2)]
)
def test_a_gap_in_the_parameters_is_told(row: dict[str, Any], gap: int) -> None:
    with pytest.raises(UsageError, match=f"parameter {gap} of params is missing"):
        made(KINDS, to="a", template="t", **row)


@pytest.mark.parametrize("to", [5511987650009.0, True, ["a"]])
def test_a_figure_is_no_recipient(to: Any) -> None:
    with pytest.raises(UsageError, match="'to'"):
        made(KINDS, to=to, text="x")


def test_the_digest_tells_messages_apart(tmp_path: Path) -> None:
    composer = Composer("acme", KINDS, Given())

    def digest(**row: Any) -> bytes:
        return composer.digest(composer.message(row, "key", NOW))

    assert digest(to="a", text="x") == digest(text="x", to="a")
    assert len({digest(to="a", text="x"), digest(to="a", text="y"), digest(to="b", text="x")}) == 3
    assert digest(to="a", text="x\ny") == digest(to="a", text="x\r\ny")
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(name.encode())
    one, two = (digest(to="a", media=str(tmp_path / n)) for n in ("one", "two"))
    assert one != two


def test_a_summary_is_one_short_line(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"x" * 5)
    parcel = made(KINDS, to="a", media=str(tmp_path / "cat.png"), caption="a\ncat")
    assert summary(parcel) == "media: cat.png (5 bytes), caption: a cat"
    assert len(summary(made(KINDS, to="a", text="word " * 100))) <= 80


# -- options


def options(**given: Any) -> dict[str, Any]:
    base = {"text_file": None, "blocks": None, "chosen": None, "at": None, "sets": ()}
    return values_of(io.StringIO('{"button": "b", "sections": [1]}'), **{**base, **given})


def test_options_become_fields() -> None:
    assert options(sets=("a=1", "b=x=y", "a=2"), text="t", file=None, params=[]) == {
        "text": "t", "a": ["1", "2"], "b": "x=y",
    }  # fmt: skip
    assert options(at="2026-05-04T09:00:00-03:00") == {"at": "2026-05-04T12:00:00Z"}
    assert options(chosen="-") == {"button": "b", "sections": [1]}
    assert options(blocks="-") == {"blocks": {"button": "b", "sections": [1]}}


def test_files_of_options(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps([1]))
    (tmp_path / "bad").write_bytes(b"\xff")
    assert options(chosen=str(tmp_path / "list.json")) == {"list": [1]}
    for given in ({"text_file": str(tmp_path / "bad")}, {"blocks": str(tmp_path / "none")}):
        with pytest.raises(UsageError):
            options(**given)
    with pytest.raises(UsageError, match="time zone"):
        options(at="2026-05-04T09:00:00")
