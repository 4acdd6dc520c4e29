"""The model: who wrote which field last, and whether what is left at the end can be explained.

It knows nothing of outboxes and merges. A record goes by its name, which never changes: one that
was deleted and made anew is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lumio_cli.providers.contract.values import meaning
from model.depot import COLUMNS, Server, Wrote, reformed

Key = tuple[str, str]
"""Resource and name."""


@dataclass(slots=True)
class HubWrite:
    """The hub's last word about a field (or about a whole record: `value` is then "deleted" or
    "created"). `seen`: what had happened at the provider by then, as far as the hub knew; `void`:
    it was taken back in the hub later, or its record deleted."""

    at: int
    seen: int
    value: Any
    void: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """What the hub's history says of an edit that a run (or a hand) has given up: of its fields,
    our value and theirs."""

    action: str
    fields: Mapping[str, Any]
    run_id: str


@dataclass(slots=True)
class Ledger:
    """What was done in the hub, and which policies have been in force. `given_up` is what the hub
    says it has given up, by resource and record id; `refused` the values that it lists as failed.
    """

    server: Server
    fields: dict[tuple[str, str, str], list[HubWrite]] = field(default_factory=dict)
    whole: dict[Key, list[HubWrite]] = field(default_factory=dict)
    policies: list[tuple[int, str, str]] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)
    local_ids: dict[str, str] = field(default_factory=dict)
    given_up: dict[tuple[str, str], list[Note]] = field(default_factory=dict)
    refused: dict[Key, Mapping[str, Any]] = field(default_factory=dict)

    def wrote(self, of: str, name: str, column: str, value: Any, seen: int) -> None:
        """The hub's operator has set a field."""
        write = HubWrite(self.server.tick(), seen, value)
        self.fields.setdefault((of, name, column), []).append(write)

    def withdrew(self, of: str, name: str, column: str) -> None:
        """The operator has set a field back to what it was, before anything was sent."""
        for earlier in self.fields.get((of, name, column), ()):
            earlier.void = True

    def did(self, of: str, name: str, what: Literal["created", "deleted"], seen: int) -> None:
        """The hub's operator has made or deleted a record; with it goes what was edited of it."""
        if what == "deleted":
            for key in [k for k in self.fields if k[:2] == (of, name)]:
                for earlier in self.fields[key]:
                    earlier.void = True
        write = HubWrite(self.server.tick(), seen, what)
        self.whole.setdefault((of, name), []).append(write)

    def in_force(self, run_id: str, policy: str, *only: str) -> None:
        """A run or a decision goes by this policy, for all resources or for some."""
        at, self.runs[run_id] = self.server.tick(), policy
        self.policies += [(at, of, policy) for of in only or COLUMNS]

    # -- the end

    def judge(self) -> list[str]:
        """What cannot be explained; empty if all is well."""
        found = [f"made twice: {name}" for name in self.server.twins]
        for of, columns in COLUMNS.items():
            live = {str(r["name"]): r for r in self.server.live[of].values()}
            known = {*self.server.names[of].values()} | {n for o, n in self.whole if o == of}
            mixed = self._mixed() if of == "people" else []
            for group in mixed:
                found += self._merged(group)
            for name in sorted(known.difference(*mixed)):
                if name not in live:
                    found += self._gone(of, name)
                    continue
                found += self._there(of, name)
                for column in columns.values():
                    if not column.read_only and column.name != "name":
                        found += self._field(of, name, column.name)
        return found

    def _field(self, of: str, name: str, column: str) -> list[str]:
        log = [w for w in self._log(of, name) if w.name == column]
        final, what = log[-1], f"{of} {name}.{column}"
        mine = self.fields.get((of, name, column), [])
        last = mine[-1] if mine and not mine[-1].void else None
        problems = []
        if last is not None and not self._same(of, column, final.value, last.value):
            arrived = self._arrived(of, column, log, last)
            if not arrived and not self._explained(of, name, column, last):
                problems.append(f"{what}: the hub's {last.value!r} is lost to {final.value!r}")
        theirs = [w for w in log if w.side == "provider"]
        if theirs and final.side == "hub":
            lost, past = theirs[-1], [w for w in mine if w.at < final.at]
            overwritten = not self._same(of, column, final.value, lost.value)
            if any(
                self._came_back(of, column, log, w.seen) for w in self._folded(log, past, final)
            ):
                overwritten = False
            if self._looks_like_ours(lost):
                overwritten = False
            if overwritten and not self._entitled(lost, past, final, of, name):
                problems.append(f"{what}: the provider's {lost.value!r} is lost to {final.value!r}")
        return problems

    def _gone(self, of: str, name: str) -> list[str]:
        log, mine = self._log(of, name), self.whole.get((of, name), [])
        deleted = [w for w in log if (w.name, w.value) == ("", "deleted")]
        if not log:
            wanted = mine[-1].value == "created" and (of, name) not in self.refused
            return [f"{of} {name}: was never created"] if wanted else []
        if not deleted:
            return [f"{of} {name}: is gone, and nobody has deleted it"]
        if deleted[-1].side == "hub":
            if not mine or mine[-1].value != "deleted":
                return [f"{of} {name}: the hub has deleted it by itself"]
            unseen = [
                w
                for w in log
                if w.side == "provider"
                and w.at > mine[-1].seen
                and w.name
                and not self._looks_like_ours(w)
                and not self._is_back(of, name, w.name, mine[-1], deleted[-1])
            ]
            if unseen and not self._entitled(unseen[-1], mine, deleted[-1], of, name):
                return [f"{of} {name}: deleted, although the provider had changed it"]
            return []
        problems = []
        for (other, called, column), writes in self.fields.items():
            if (other, called) == (of, name) and not writes[-1].void:
                past = [w for w in log if w.name == column]
                if not self._arrived(of, column, past, writes[-1]) and not self._explained(
                    of, name, column, writes[-1]
                ):
                    problems.append(f"{of} {name}.{column}: lost with its record")
        return problems

    def _there(self, of: str, name: str) -> list[str]:
        log, mine = self._log(of, name), self.whole.get((of, name), [])
        ends = [w for w in log if not w.name]
        problems = []
        if mine and mine[-1].value == "deleted":
            notes = [note for note in self._merges(of, name) if note.action == "delete"]
            kept = any(self.runs[note.run_id] in ("provider", "newest") for note in notes)
            back = any(w.side == "provider" and w.at > mine[-1].at for w in ends)
            # Who edits it afterwards wants it after all.
            edits = [
                w for key, writes in self.fields.items() if key[:2] == (of, name) for w in writes
            ]
            back = back or any(w.at > mine[-1].at and not w.void for w in edits)
            if not kept and not back and (of, name) not in self.refused:
                problems.append(f"{of} {name}: the hub's deletion is lost")
        # Made anew by the hub, after the provider has deleted it.
        if len(ends) > 1 and (ends[-2].value, ends[-1].value) == ("deleted", "created"):
            local = any(
                p == "local" and o == of and ends[-2].at < at < ends[-1].at
                for at, o, p in self.policies
            )
            if ends[-2].side == "provider" and not local:
                problems.append(f"{of} {name}: the provider's deletion is lost")
        return problems

    # -- records that became one

    def _mixed(self) -> list[set[str]]:
        """The names of people who became one."""
        names = self.server.names["people"]
        groups: list[set[str]] = []
        for pair in self.server.swallowed.items():
            new = {names[record] for record in pair}
            new = new.union(*(group for group in groups if group & new))
            groups = [group for group in groups if not group & new] + [new]
        return groups

    def _merged(self, group: set[str]) -> list[str]:
        """What cannot be explained of people who became one. An edit of one may be one of another
        by now; none of them is lost without a word, and the hub writes nothing that nobody has set.
        """
        log = [w for name in group for w in self._log("people", name)]
        writes = [
            (name, column, write)
            for (of, name, column), mine in self.fields.items()
            if of == "people" and name in group
            for write in mine
        ]
        there = any(str(r["name"]) in group for r in self.server.live["people"].values())
        problems = []
        for name, column, write in writes:
            later = any(c == column and w.at > write.at for _, c, w in writes)
            if write.void or later or not there:
                continue
            same = [w for w in log if w.name == column]
            has = any(self._same("people", column, w.value, write.value) for w in same)
            notes = [n for other in group for n in self._merges("people", other)]
            given = [n.fields[column][0] for n in notes if column in n.fields]
            refused = [self.refused.get(("people", other), {}) for other in group]
            given += [values[column] for values in refused if column in values]
            if not has and not any(self._same("people", column, v, write.value) for v in given):
                problems.append(f"{name}.{column}: the hub's {write.value!r} is lost in a merge")
        made = {w.record for w in log if (w.side, w.name, w.value) == ("hub", "", "created")}
        for entry in log:
            if entry.side != "hub" or not entry.name or entry.record in made:
                continue
            set_ = [w.value for _, column, w in writes if column == entry.name]
            if not any(self._same("people", entry.name, v, entry.value) for v in set_):
                problems.append(f"{entry} was written, and set by nobody")
        return problems

    # -- excuses

    def _arrived(self, of: str, column: str, log: list[Wrote], write: HubWrite) -> bool:
        """Whether the provider has had the value since, and changed it itself later."""
        had = [w for w in log if w.at <= write.at][-1:] + [w for w in log if w.at > write.at]
        return any(
            self._same(of, column, entry.value, write.value)
            and (number + 1 == len(had) or had[number + 1].side != "hub")
            for number, entry in enumerate(had)
        )

    def _explained(self, of: str, name: str, column: str, write: HubWrite) -> bool:
        """Whether the hub says what became of the value, and had the right to do so."""
        for note in self._merges(of, name):
            given = column in note.fields and note.fields[column]
            if given and self._same(of, column, given[0], write.value):
                policy = self.runs[note.run_id]
                log = self._log(of, name)
                # A record has one time of change, which writes move that change nothing.
                ids = {w.record for w in log}
                newest = of == "people" and any(
                    self.server.touched[of, record] > write.at for record in ids
                )
                allowed = policy == "provider" or (policy == "newest" and newest)
                if allowed and self._is_theirs(of, name, column, write, given[1]):
                    return True
        refused = self.refused.get((of, name), {})
        return column in refused and self._same(of, column, refused[column], write.value)

    def _is_theirs(self, of: str, name: str, column: str, write: HubWrite, value: Any) -> bool:
        """Whether the provider has come to `value` by itself since the edit was begun."""
        log, mine = self._log(of, name), self.fields[of, name, column]
        sent = [w.at for w in log if (w.side, w.name) == ("hub", column) and w.at < write.at]
        begun = min(w.seen for w in mine if w.at > (sent[-1] if sent else 0))
        theirs = [w for w in log if w.side == "provider" and w.at > begun]
        return any(
            (w.name == column and self._same(of, column, w.value, value))
            or (w.name, w.value) == ("", "deleted")
            for w in theirs
        )

    def _entitled(
        self, lost: Wrote, mine: list[HubWrite], final: Wrote, of: str, name: str
    ) -> bool:
        """Whether the hub's operator knew what was overwritten by `final`, or a policy that was
        in force by then was for it."""
        if mine and mine[-1].seen >= lost.at:
            return True
        # The first reading of a new record is what all edits before it were made on.
        first = self.server.first_read.get((of, lost.record), self.server.at)
        if mine and not mine[-1].seen and lost.at <= first:
            return True
        between = {p for at, o, p in self.policies if o == of and lost.at < at < final.at}
        if "local" in between:
            return True
        # Teams have no times of change: nobody can say which is the newest.
        edits = [w for key, writes in self.fields.items() if key[:2] == (of, name) for w in writes]
        edits += self.whole.get((of, name), [])
        newest = any(lost.at < w.at < final.at for w in edits)
        return "newest" in between and of == "people" and newest

    def _is_back(self, of: str, name: str, column: str, deletion: HubWrite, final: Wrote) -> bool:
        """Whether the provider's last value is what the hub's deletion, or an edit that became
        one with it, was made on."""
        log = [w for w in self._log(of, name) if w.name == column]
        edits = [w for w in self.fields.get((of, name, column), []) if w.at < deletion.at]
        made = [deletion, *self._folded(log, edits, final)]
        return any(self._came_back(of, column, log, w.seen) for w in made)

    @staticmethod
    def _folded(log: list[Wrote], past: list[HubWrite], final: Wrote) -> list[HubWrite]:
        """Edits that became one, which is made on what the first of them was made on."""
        before = [w.at for w in log if w.side == "hub" and w.at < final.at]
        return [w for w in past if w.at > (before[-1] if before else 0)] or past[-1:]

    def _came_back(self, of: str, column: str, log: list[Wrote], seen: int) -> bool:
        """Whether the provider's last value is what the hub knew already, or had written itself:
        no change of anything."""
        last = [w for w in log if w.side == "provider"][-1]
        ours = [w for w in log if w.side == "hub" and seen < w.at < last.at]
        known = [w for w in log if w.at <= seen][-1:] + ours[-1:]
        return any(self._same(of, column, w.value, last.value) for w in known)

    def _looks_like_ours(self, theirs: Wrote) -> bool:
        """Whether the provider came by itself to the very value that the hub had sent without an
        answer: nobody but the provider knows whose it is."""

        def before(log: list[Wrote]) -> list[Wrote]:
            return [
                w
                for w in log
                if w.side == "hub"
                and (w.resource, w.record, w.name) == (theirs.resource, theirs.record, theirs.name)
                and w.at < theirs.at
            ]

        sent, heard = before(self.server.unheard)[-1:], before(self.server.log)[-1:]
        return any(
            self._same(w.resource, w.name, w.value, theirs.value)
            and not any(later.at > w.at for later in heard)
            for w in sent
        )

    # -- small things

    def _log(self, of: str, name: str) -> list[Wrote]:
        ids = {i for i, n in self.server.names[of].items() if n == name}
        return [w for w in self.server.log if w.resource == of and w.record in ids]

    def _merges(self, of: str, name: str) -> list[Note]:
        ids = [i for i, n in self.server.names[of].items() if n == name]
        return [note for i in ids for note in self.given_up.get((of, i), [])]

    def _same(self, of: str, column: str, one: Any, other: Any) -> bool:
        if column == "team":
            return self._team(one) == self._team(other)
        known = COLUMNS[of][column]
        first, second = (
            meaning(known.kind, known.same, reformed(column, value)) for value in (one, other)
        )
        return bool(first == second)

    def _team(self, value: Any) -> str | None:
        """A team by its name: the hub may have called it by an id of its own."""
        names = {**self.local_ids, **self.server.names["teams"]}
        return names.get(str(value), str(value)) if value else None
