"""The state of one HubSpot account, and everything that changes it.

The HTTP endpoints call these methods, and so may a test. All of them lock, validate as the API
does, and raise the API's errors (ApiError).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..lookalike import LookAlike
from ..options import Options
from .associations import Links
from .catalog import ALIASES, EPOCH_END_MS, Property, owners, pipelines
from .data import Value
from .errors import ApiError, invalid, no_resource, not_found
from .rules import Rule, enforce
from .store import Store
from .values import checked

STAGE, DEFAULT_STAGE = "lifecyclestage", "lead"


class Objects(dict[str, Store]):
    """The records by type (`contacts`, ...), generated when a type is first looked at."""

    def __init__(self, records: int, seed: int) -> None:
        super().__init__()
        self._records = records
        self._seed = seed

    def __missing__(self, kind: str) -> Store:
        name = ALIASES.get(kind)
        if name is None:
            raise KeyError(kind)
        if name not in self:
            self[name] = Store(name, self._records, self._seed)
        return self[name]


class Records(LookAlike):
    """One account: its records, associations, properties, owners and pipelines.

    `options.search_lag` is how many seconds a write stays hidden from search.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.search_lag = options.search_lag
        self.objects = Objects(options.records, options.seed)
        self.links = Links(self.objects)
        self.owners = owners()
        self.pipelines = pipelines()
        self.rules: list[Rule] = []
        """What an administrator requires of records that are written."""
        self.enforced = False
        """Whether the request that is answered is of a version for which the rules hold."""
        self._last_ms = EPOCH_END_MS

    def now(self) -> float:
        """The account's clock: never before the latest generated record, so that the Date header
        and the records agree on a machine whose clock is behind them."""
        return max(self.clock(), EPOCH_END_MS / 1000 + 1)

    def stamp(self) -> int:
        """The time of a write, in milliseconds; never earlier than the one before."""
        self._last_ms = max(self._last_ms, int(self.now() * 1000))
        return self._last_ms

    def store(self, kind: str) -> Store:
        """The records of a type, by any of its names. Raises ApiError (400)."""
        try:
            return self.objects[kind]
        except KeyError:
            raise invalid(f"Unable to infer object type from: {kind}") from None

    def _at(self, store: Store, object_id: str) -> int:
        index = store.find(object_id)
        if index is None:
            raise not_found(object_id)
        return index

    def resolve(
        self, store: Store, value: str, id_property: str | None, merged: bool = False
    ) -> int | None:
        """The index of a live record by id (`merged`: see Store.find) or by a unique property.
        Raises ApiError (400)."""
        if not id_property or id_property == "hs_object_id":
            return store.find(value, merged=merged)
        item = store.properties.get(id_property)
        if item is None or not item.unique:
            raise invalid(
                f"Unable to perform update/upsert by non-unique {store.type.type_id} property "
                f"{id_property}"
            )
        return store.find_unique(id_property, value)

    # writing records

    def create(self, kind: str, properties: dict[str, Any]) -> str:
        """Makes a record; returns its id."""
        with self.lock:
            store = self.store(kind)
            values = self.check(store, properties, new=True)
            return str(store.ids[self.add(store, values)])

    def update(self, kind: str, object_id: str, properties: dict[str, Any]) -> None:
        """Writes properties of a record; an empty value clears one."""
        with self.lock:
            store = self.store(kind)
            index = self._at(store, object_id)
            self.put(store, index, self.check(store, properties, index=index))

    def archive(self, kind: str, object_id: str) -> None:
        """Archives a record; one that is archived stays so."""
        with self.lock:
            store = self.store(kind)
            if store.find(object_id, archived=True) is not None:
                return
            index = self._at(store, object_id)
            self._before(store, index)
            store.archive(index, self.stamp())

    def purge(self, kind: str, object_id: str) -> None:
        """Deletes a record for good (privacy deletion)."""
        with self.lock:
            store = self.store(kind)
            index = store.find(object_id)
            if index is None:
                index = store.find(object_id, archived=True)
            if index is None:
                raise not_found(object_id)
            self._before(store, index)
            store.purge(index)

    def merge(self, kind: str, winner_id: str, loser_id: str, *, new_id: bool = False) -> str:
        """Merges two records: the loser's id vanishes, what the winner lacks it takes from the
        loser, and its `hs_merged_object_ids` lists the loser. With `new_id` both vanish, and the
        record that is made of them lists both. Returns the survivor's id."""
        with self.lock:
            store = self.store(kind)
            if not store.type.mergeable:
                raise no_resource()
            winner, loser = self._at(store, winner_id), self._at(store, loser_id)
            if winner == loser:
                raise invalid("Cannot merge an object with itself")
            mine, theirs = store.everything(winner), store.everything(loser)
            taken: dict[str, Value] = {
                name: value
                for name, value in theirs.items()
                if value is not None and mine[name] is None and not store.properties[name].read_only
            }
            merged = [mine["hs_merged_object_ids"], theirs["hs_merged_object_ids"], loser_id]
            taken["hs_merged_object_ids"] = ";".join(part for part in merged if part)
            if kind == "contacts" and theirs.get("email"):
                emails = [mine.get("hs_additional_emails"), theirs["email"]]
                taken["hs_additional_emails"] = ";".join(part for part in emails if part)
            survivor = winner
            if new_id:
                own = {n: v for n, v in mine.items() if v is not None and self._is_own(store, n)}
                taken = {**own, **taken}
                taken["hs_merged_object_ids"] = f"{winner_id};{taken['hs_merged_object_ids']}"
            for merged_away in (winner, loser) if new_id else (loser,):
                self._before(store, merged_away)
                store.purge(merged_away)
            if new_id:
                survivor = self.add(store, {})
            for merged_away in (winner, loser) if new_id else (loser,):
                store.merged_into[merged_away] = survivor
                self.links.move(store.type.name, merged_away, survivor)
            self.put(store, survivor, taken)
            return str(store.ids[survivor])

    def _is_own(self, store: Store, name: str) -> bool:
        """Whether a property is the record's, and not one of its id and times."""
        return name not in ("hs_object_id", "createdate", store.type.modified)

    def check(
        self, store: Store, properties: Any, new: bool = False, index: int | None = None
    ) -> dict[str, Value]:
        """The values of a write, normalized. Raises ApiError: 400 for a value that is not valid
        or missing, 409 for a unique value that another record has."""
        kind = store.type
        values = checked(store.properties, properties, kind.name)
        if new:
            missing = [name for name in kind.required if values.get(name) is None]
            if missing:
                message = (
                    f"Error creating {kind.singular.upper()}. "
                    "Some required properties were not set."
                )
                raise invalid(message, properties=missing)
        if self.enforced:
            enforce(self.rules, store, values, index)
        for name, value in values.items():
            if value is None or not store.properties[name].unique:
                continue
            other = store.find_unique(name, value)
            if other is not None and other != index:
                raise ApiError(
                    409,
                    "CONFLICT",
                    f"{kind.singular.capitalize()} already exists. Existing ID: {store.ids[other]}",
                )
        return values

    @staticmethod
    def forward(store: Store, index: int, values: dict[str, Value]) -> dict[str, Value]:
        """What the API writes of checked values: a stage that is earlier than the record's is
        passed over, and the call answers success all the same. "You can only set the value forward
        in the stage order"; from nothing it can be set to any (guide to contacts, 2026-09)."""
        wanted = values.get(STAGE)
        current = store.values([index], STAGE)[0] if wanted is not None else None
        if current is None or wanted is None:
            return values
        order = store.properties[STAGE].options
        back = order.index(wanted) < order.index(current)
        return {name: v for name, v in values.items() if name != STAGE} if back else values

    @staticmethod
    def first(store: Store, values: dict[str, Value]) -> dict[str, Value]:
        """Checked values of a new record, with the account's default for its stage: unless it is
        switched off, new contacts and companies are leads."""
        if STAGE not in store.properties or values.get(STAGE) is not None:
            return values
        return {**values, STAGE: DEFAULT_STAGE}

    def add(self, store: Store, values: dict[str, Value]) -> int:
        """Makes a record of checked values; returns its index."""
        index = store.add(values, self.stamp())
        if self.search_lag:
            store.remember(index, self.now() + self.search_lag, new=True)
        return index

    def put(self, store: Store, index: int, values: dict[str, Value]) -> None:
        """Writes checked values to a record."""
        self._before(store, index)
        store.put(index, values, self.stamp())

    def _before(self, store: Store, index: int) -> None:
        if self.search_lag:
            store.remember(index, self.now() + self.search_lag)

    # reading, for tests

    def read(self, kind: str, object_id: str) -> dict[str, Value]:
        """All properties of a live record, by name. Raises ApiError (404)."""
        with self.lock:
            store = self.store(kind)
            return store.everything(self._at(store, object_id))

    def dump(self, kind: str) -> Iterator[dict[str, Any]]:
        """All live records with all properties, in the order of ids."""
        store = self.store(kind)
        start = 0
        while True:
            with self.lock:
                indexes = store.page(start, 500)
                if not indexes:
                    return
                start = indexes[-1] + 1
                documents = store.documents(indexes, store.chosen(list(store.properties)))
            yield from documents

    # associations and properties

    def associate(
        self, from_kind: str, from_id: str, to_kind: str, to_id: str, type_id: int | None = None
    ) -> None:
        """Associates two records, both ways; without a type, by the default one."""
        with self.lock:
            one, other = self.store(from_kind), self.store(to_kind)
            pair = (one.type.name, other.type.name)
            self.links.add(pair, self._at(one, from_id), self._at(other, to_id), type_id)

    def dissociate(self, from_kind: str, from_id: str, to_kind: str, to_id: str) -> None:
        """Removes every association between two records."""
        with self.lock:
            one, other = self.store(from_kind), self.store(to_kind)
            pair = (one.type.name, other.type.name)
            self.links.remove(pair, self._at(one, from_id), self._at(other, to_id))

    def add_property(
        self,
        kind: str,
        name: str,
        type: str = "string",
        field_type: str = "text",
        *,
        label: str = "",
        options: tuple[str, ...] = (),
        unique: bool = False,
        group: str = "",
    ) -> Property:
        """Adds a custom property, empty in every record. Raises ApiError (409)."""
        with self.lock:
            store = self.store(kind)
            known = store.properties.get(name)
            if known is not None and known.archived_at is None:
                message = f'Property "{name}" already exists'
                raise ApiError(409, "OBJECT_ALREADY_EXISTS", message)
            now = self.stamp()
            store.properties[name] = Property(
                name, type, field_type, label or name, group or f"{store.type.singular}information",
                options, unique, custom=True, created_at=now, updated_at=now,
            )  # fmt: skip
            store.version += 1
            return store.properties[name]

    def remove_property(self, kind: str, name: str) -> None:
        """Archives a property; answers no longer have it. HubSpot's own cannot be removed."""
        with self.lock:
            store = self.store(kind)
            item = self.property(store, name)
            if not item.custom:
                raise ApiError(
                    400, "VALIDATION_ERROR", f'"{name}" is a HubSpot property and cannot be deleted'
                )
            item.archived_at = self.stamp()
            store.version += 1

    def retype_property(self, kind: str, name: str, type: str, field_type: str = "text") -> None:
        """Changes the type of a property; the values stay as they are."""
        with self.lock:
            store = self.store(kind)
            item = self.property(store, name)
            item.type, item.field_type, item.updated_at = type, field_type, self.stamp()
            store.version += 1

    def property(self, store: Store, name: str) -> Property:
        """A property in force. Raises ApiError (404)."""
        item = store.properties.get(name)
        if item is None or item.archived_at is not None:
            raise no_resource()
        return item
