"""What an operator types: one file a command, at most about 80 lines, options -> service -> render.

The table is all that the root help and completion need: no command is imported for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: its one-line help and the section of the root help that it stands in.

    It lives in `lumio_cli.commands.NAME`, as `app` (a group, from `common.new_app`) or as a
    function of the command's name.
    """

    help: str
    section: str


_DAILY = "Commands"
_CARE = "When something is wrong"
_KEEP = "Housekeeping"

COMMANDS: Mapping[str, Entry] = {
    "connect": Entry("Give lumio a provider's credential, and prove it.", _DAILY),
    "disconnect": Entry("Forget a provider's credential.", _DAILY),
    "sync": Entry("Bring the hub and the providers up to date.", _DAILY),
    "preview": Entry("Show what a sync would change, and write nothing.", _DAILY),
    "records": Entry("Look at the hub's records, edit them, export and import them.", _DAILY),
    "send": Entry("Send messages to one or to many, none of them twice.", _DAILY),
    "status": Entry("Show what is connected, how fresh it is, and what waits.", _DAILY),
    "providers": Entry("Show the providers, their resources, quotas and settings.", _DAILY),
    "diagnostic": Entry("Check everything, and say how to mend it.", _CARE),
    "debug": Entry("Record a provider's requests, redacted, and show them.", _CARE),
    "limits": Entry("Show and lift what holds requests back.", _CARE),
    "conflicts": Entry("Show and resolve conflicts of two-way sync.", _CARE),
    "failures": Entry("Show, retry or drop records that could not be synced.", _CARE),
    "runs": Entry("Show earlier runs, and undo what one has pushed.", _CARE),
    "sends": Entry("Show what was sent, and what became of each message.", _CARE),
    "config": Entry("Show, check or begin the configuration.", _KEEP),
    "hub": Entry("Look into the hub, back it up, check it.", _KEEP),
    "vault": Entry("Manage the encrypted credential vault.", _KEEP),
    "cache": Entry("Show or clear the response cache.", _KEEP),
    "sandbox": Entry("Serve look-alikes of the providers on this machine.", _KEEP),
}
