"""What HubSpot's adapter writes is settled item by item, through the whole transport."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.runtime import Runtime
from lumio_cli.services.connections.sessions import open_for
from lumio_cli.transport.request_log import Tally
from support.lab import Lab

Write = Callable[..., dict[str, Receipt]]


@pytest.fixture
def sent() -> Tally:
    """What the writes of a test have cost: counted here, since the look-alike takes note of a
    request only after it has answered.
    """
    return Tally()


@pytest.fixture
def write(lab: Lab, sent: Tally) -> Iterator[Write]:
    """Applies changes of one action to the contacts; receipts by trace."""
    runtime = Runtime(Globals(), environ=lab.environ)
    provider = runtime.provider("hubspot")
    session = open_for(runtime, provider)

    def apply(*changes: Change) -> dict[str, Receipt]:
        contacts = provider.resource("contacts")
        send = partial(session.send, tally=sent)
        found = provider.write(contacts, changes, send)  # type: ignore[attr-defined]
        return {receipt.trace: receipt for receipt in found}

    yield apply
    runtime.close()


def ids(lab: Lab) -> list[str]:
    return sorted(str(r["id"]) for r in lab.sandbox.hubspot.dump("contacts"))


def test_a_batch_with_one_bad_item_creates_all_others(lab: Lab, write: Write) -> None:
    known = lab.sandbox.hubspot.read("contacts", ids(lab)[0])["email"]
    emails = [f"new{n}@example.com" for n in range(7)] + [known]
    receipts = write(
        *(Change("create", f"t{n}", values={"email": e}) for n, e in enumerate(emails))
    )
    assert len(receipts) == 8
    bad = receipts.pop("t7")
    assert (bad.status, bad.kind) == ("failed", "conflict")
    assert bad.message
    for n in range(7):
        receipt = receipts[f"t{n}"]
        assert receipt.status == "done"
        stored = lab.sandbox.hubspot.read("contacts", receipt.id)["email"]
        assert stored == emails[n]


def test_updates_are_settled_by_id_and_a_null_clears(lab: Lab, write: Write) -> None:
    first, second = ids(lab)[:2]
    receipts = write(
        Change("update", "a", id=first, values={"city": "Natal"}),
        Change("update", "b", id=second, values={"city": None}),
        Change("update", "c", id="99999999999", values={"city": "Nowhere"}),
    )
    assert (receipts["a"].status, receipts["a"].id) == ("done", first)
    assert receipts["b"].status == "done"
    assert receipts["c"].status == "failed"
    assert lab.sandbox.hubspot.read("contacts", first)["city"] == "Natal"
    assert not lab.sandbox.hubspot.read("contacts", second)["city"]


def test_an_archive_takes_hundreds_in_batches_of_a_hundred(
    lab: Lab, write: Write, sent: Tally
) -> None:
    gone = ids(lab)[:110]
    receipts = write(*(Change("archive", f"t{i}", id=i) for i in gone))
    assert {r.status for r in receipts.values()} == {"done"}
    # Each batch is looked at first: one that was merged is not to take its survivor with it.
    assert sent.requests == 4
    assert not set(gone) & set(ids(lab))
