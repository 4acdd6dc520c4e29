"""A resource's fields during a run: as they are known, and as the provider describes them now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lumio_cli.core.errors import DeniedError, RejectedError
from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.hub.sqlite.state import KnownField
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.resource import Property
from lumio_cli.sync.context import RunContext
from lumio_cli.sync.fields import abilities_of, as_known, as_property, columns_of
from lumio_cli.sync.mishaps import understood
from lumio_cli.sync.model import ResourceResult, ResourceTask
from lumio_cli.sync.resource_sink import ResourceSink


class Schema:
    """The fields of one resource. `known` are those of the last description, `send` asks the
    provider itself and no cache, `warn` tells the operator."""

    def __init__(
        self,
        context: RunContext,
        sink: ResourceSink,
        task: ResourceTask,
        result: ResourceResult,
        known: Sequence[KnownField],
        *,
        send: Callable[[Call], Reply],
        warn: Callable[[str], None],
    ) -> None:
        self._context = context
        self._sink = sink
        self._task = task
        self._result = result
        self._send = send
        self._warn = warn
        self._properties: tuple[Property, ...] = tuple(as_property(f) for f in known)

    @property
    def names(self) -> tuple[str, ...]:
        """What to ask for; empty where the API sends all."""
        return tuple(p.name for p in self._properties)

    @property
    def columns(self) -> list[ViewColumn]:
        """What the view shows."""
        return columns_of(self._task.connection.provider, self._task.resource, self._properties)

    def describe(self) -> None:
        """Ask the provider for the fields it has now, and let the view follow. Where it refuses to
        tell, those that are known from before will do.

        Raises `LumioError`.
        """
        provider, resource = self._task.connection.provider, self._task.resource
        try:
            with understood(self._task.target):
                described = provider.describe(resource, self._send)
        except (RejectedError, DeniedError) as error:
            if not self._properties:
                raise
            self._warn(f"the fields are those that were known before: {error.message}")
            return
        if described is None:
            return
        self._properties = described
        fields, able = [as_known(p) for p in described], abilities_of(provider, resource)
        drift = self._sink.describe(fields, self.columns, able)
        for change in drift:
            told = {name: getattr(change, name) for name in ("field", "change", "before", "after")}
            self._result.drift.append(told)
            self._context.progress.warn(
                f"schema: {change.field} is {change.change}"
                + (f" ({change.before} -> {change.after})" if change.change == "retyped" else ""),
                self._task.target,
            )

    def refresh(self) -> tuple[str, ...] | None:
        """Describe the fields again, since something has changed and they may have, too.

        Returns the names to ask for if they are not the ones that were asked for, else None.
        """
        before = self.names
        self.describe()
        return self.names if set(self.names) != set(before) else None
