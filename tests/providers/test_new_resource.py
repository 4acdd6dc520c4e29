"""A new resource of a provider that is there is one class in one file: this one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.providers.contract.call import Call, Record, Reply, Send
from lumio_cli.providers.contract.columns import columns
from lumio_cli.providers.contract.paging import Token, with_params
from lumio_cli.providers.contract.resource import Kind, Resource, Walk
from lumio_cli.providers.pipedrive import Pipedrive
from lumio_cli.sandbox.http import Request, Response
from providers.pipedrive_subjects import SUBJECTS, account
from support.conformance import rig

PAGE = Token("additional_data.next_cursor", "cursor", "limit")


class Memos(Resource):
    """Memos, that Pipedrive does not have: by colour, without the empty ones, with their author."""

    def slices(
        self, provider: Any, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        return {colour: {"colour": colour} for colour in ("red", "blue")}

    def call(self, provider: Any, walk: Walk) -> Call:
        return with_params(Call("GET", self.path), colour=walk.options["colour"])

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        return [row for row in super().records(provider, walk, reply) if row["text"]]

    def fill(self, provider: Any, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        author = send(Call("GET", "/api/v2/memoAuthor")).json()["data"]
        return [{**record, "author": author} for record in records]


MEMOS = Memos(
    name="memos",
    path="/api/v2/memos",
    title="Memos",
    columns=columns("text! colour written_by=author.name"),
    paging={"full": PAGE},
    page_size={"full": 2},
    rows="data",
    deletes=("sweep",),
)


def answer(request: Request) -> Response | None:
    """What an account with five memos answers, two a page."""
    if request.path == "/api/v2/memoAuthor":
        return Response.of_json({"success": True, "data": {"name": "Ada"}})
    if request.path != MEMOS.path:
        return None
    colour, at = request.one("colour"), int(request.one("cursor") or 0)
    texts = {"red": ["stop", "", "wait"], "blue": ["sky", "sea"]}[str(colour)]
    rows = [{"id": f"{colour}{n}", "text": t, "colour": colour} for n, t in enumerate(texts)]
    further = str(at + 2) if at + 2 < len(rows) else None
    data = {"data": rows[at : at + 2], "additional_data": {"next_cursor": further}}
    return Response.of_json({"success": True, **data})


def test_a_resource_that_nobody_knew_is_synced_as_its_class_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pipedrive, "resources", (*Pipedrive.resources, MEMOS))
    with rig(SUBJECTS[0], tmp_path) as lab:
        service = account(lab.sandbox)
        known = service.handle
        service.handle = lambda request: answer(request) or known(request)  # type: ignore[method-assign]
        assert lab.lumio("sync", "pipedrive/memos").code == 0
        found = lab.sql("SELECT id, text, written_by FROM pipedrive_memos ORDER BY id")
        assert [tuple(row) for row in found] == [
            ("blue0", "sky", "Ada"),
            ("blue1", "sea", "Ada"),
            ("red0", "stop", "Ada"),
            ("red2", "wait", "Ada"),
        ]
