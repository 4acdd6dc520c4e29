"""What belongs to a record that is known to be gone goes with it, without a full sync."""

from __future__ import annotations

from support.lab import Lab

TARGETS = ("hubspot/contacts", "hubspot/companies", "hubspot/associations")


def of(lab: Lab, contact: str) -> int:
    """How many links of a contact the hub holds."""
    found = lab.sql(
        "SELECT count(*) FROM hubspot_associations WHERE _payload ->> 'parent' LIKE ?",
        f"contacts-%:{contact}",
    )
    return int(found[0][0])


def linked(lab: Lab) -> str:
    """A contact with links, in a hub that has all of them."""
    assert lab.lumio("sync", *TARGETS).code == 0
    contact = lab.sql("SELECT id FROM hubspot_contacts ORDER BY id LIMIT 1")[0][0]
    if not of(lab, contact):
        company = lab.sql("SELECT id FROM hubspot_companies ORDER BY id LIMIT 1")[0][0]
        lab.sandbox.hubspot.associate("contacts", contact, "companies", company)
        lab.sandbox.hubspot.update("contacts", contact, {"firstname": "Linked"})
        assert lab.lumio("sync", *TARGETS).code == 0
    assert of(lab, contact) > 0
    return str(contact)


def test_links_go_with_a_contact_that_was_deleted(lab: Lab) -> None:
    contact = linked(lab)
    held, links = lab.sql("SELECT count(*) FROM hubspot_associations")[0][0], of(lab, contact)
    lab.sandbox.hubspot.archive("contacts", contact)
    done = lab.lumio("sync", *TARGETS, "--max-delete", "0")
    entry = done.resource("associations")
    assert (entry["mode"], entry["status"], entry["deleted"]) == ("incremental", "succeeded", links)
    assert lab.sql("SELECT count(*) FROM hubspot_associations") == [(held - links,)]
    again = lab.lumio("sync", *TARGETS).resource("associations")
    assert again["deleted"] == 0


def test_a_preview_says_so_and_deletes_nothing(lab: Lab) -> None:
    contact = linked(lab)
    links = of(lab, contact)
    lab.sandbox.hubspot.archive("contacts", contact)
    entry = lab.lumio("preview", *TARGETS).resource("associations")
    assert entry["deleted"] == links
    assert of(lab, contact) == links


def test_a_full_sync_counts_them_for_nothing_that_it_has_to_believe(lab: Lab) -> None:
    contact = linked(lab)
    links = of(lab, contact)
    lab.sandbox.hubspot.archive("contacts", contact)
    lab.lumio("sync", "hubspot/contacts")
    done = lab.lumio("sync", "hubspot/associations", "--mode", "full", "--max-delete", "0")
    entry = done.resource("associations")
    # The other ends' links to it are absent, and too many to be believed.
    assert entry["deleted"] == links
    assert of(lab, contact) == 0
