"""What a support bundle holds: one function a file, each independent of the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lumio_cli.core.redact import MASK, is_secret_name

if TYPE_CHECKING:
    import sqlite3

    from lumio_cli.services.diagnostics.context import Scene
    from lumio_cli.services.diagnostics.run import Report

RUNS = 50
LETTERS = 500
DRIFT = 500
REQUESTS = 1_000
LOG_TAIL = 512 * 1024
"""Bytes of the log file's end."""

_BODIES = ("request_body", "response_body")
_SHOWN = ("HOME", "PROFILE", "CONFIG", "TRACEBACK")
"""`LUMIO_` variables that are no settings, and hold no secret."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the bundle. `collect` returns JSON, text, or None where there is nothing.

    payload: records of customers are in it; only with --include-payloads, and then as they are,
    secrets apart.
    """

    name: str
    collect: Callable[[], Any]
    payload: bool = False


def sources(scene: Scene, report: Report, names: list[str], *, payloads: bool) -> list[Source]:
    """The bundle's files. `names` are the providers it is about."""
    plain = [
        Source("diagnostic.json", report.as_json),
        Source("settings.json", lambda: settings(scene)),
        Source("environment.json", lambda: environment(scene.environ)),
        Source("versions.json", lambda: versions(report)),
        Source("runs.json", lambda: runs(scene)),
        Source("dead_letters.json", lambda: dead_letters(scene)),
        Source("schema.sql", lambda: schema(scene)),
        Source("resources.json", lambda: resources(scene)),
        Source("drift.json", lambda: drift(scene)),
        Source("transport.json", lambda: transport(scene, names)),
        Source("http_log.jsonl", lambda: http_log(scene, bodies=False)),
        Source("lumio.log", lambda: log_tail(scene)),
    ]
    if not payloads:
        return plain
    return [
        *plain,
        Source("payloads/dead_letters.json", lambda: letter_payloads(scene), payload=True),
        Source("payloads/http_log.jsonl", lambda: http_log(scene, bodies=True), payload=True),
    ]


def settings(scene: Scene) -> list[dict[str, Any]]:
    """Every effective setting and where it came from. Raises ConfigError."""
    from lumio_cli.providers.registry import provider_names
    from lumio_cli.services.maintenance.config import effective

    found = effective(scene.runtime.settings, provider_names())
    return [{"key": s.key, "value": s.value, "from": str(s.origin)} for s in found]


def environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The names of all variables; values only of lumio's own, and of those only the open ones."""
    ours = {name: value for name, value in environ.items() if name.startswith("LUMIO_")}
    return {
        "names": sorted(environ),
        "values": {name: ours[name] if _is_open(name) else MASK for name in sorted(ours)},
    }


def _is_open(name: str) -> bool:
    """Whether the value of a `LUMIO_` variable may be shown: what is not known is a secret."""
    bare = name.removeprefix("LUMIO_")
    if "token_command" in bare.lower() or is_secret_name(bare):
        return False
    return bare in _SHOWN or bare.endswith(("_TOKEN_FILE", "VAULT_KEY_FILE")) or "__" in bare


def versions(report: Report) -> dict[str, Any]:
    """What lumio is made of, and every package beside it."""
    from importlib.metadata import distributions

    installed = {str(d.metadata["Name"]): d.version for d in distributions()}
    return {
        "python": report.environment["python"],
        "sqlite": report.environment["sqlite"],
        "platform": report.environment["platform"],
        "packages": report.environment["packages"],
        "installed": dict(sorted(installed.items())),
    }


def runs(scene: Scene) -> Any:
    """The newest runs with their resources and errors."""
    from lumio_cli.hub.sqlite.runs import list_runs

    return _from_hub(scene, lambda db: list_runs(db, RUNS))


def dead_letters(scene: Scene) -> Any:
    """Open dead letters without their payloads."""
    from lumio_cli.hub.sqlite.runs import list_dead_letters

    return _from_hub(scene, lambda db: list_dead_letters(db, limit=LETTERS))


def letter_payloads(scene: Scene) -> Any:
    """Open dead letters with the records that could not be stored."""
    from lumio_cli.hub.sqlite.runs import list_dead_letters, read_dead_letter

    return _from_hub(
        scene,
        lambda db: [
            _decoded(read_dead_letter(db, letter["id"]) or letter)
            for letter in list_dead_letters(db, limit=LETTERS)
        ],
    )


def _decoded(letter: dict[str, Any]) -> dict[str, Any]:
    """The payload as JSON where it is: secrets are found by their keys, too."""
    try:
        return {**letter, "payload": json.loads(letter.get("payload") or "null")}
    except ValueError:
        return letter


def schema(scene: Scene) -> Any:
    """The SQL of the hub's tables, indexes and views."""
    sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name"
    found = _from_hub(scene, lambda db: [str(row[0]) for row in db.execute(sql)])
    return None if found is None else ";\n\n".join(found) + ";\n"


def resources(scene: Scene) -> Any:
    """Where each resource stands, how many records it has, and the columns of its view."""
    from lumio_cli.hub.sqlite.columns import view_name
    from lumio_cli.hub.sqlite.views import has_columns, read_columns

    def read(db: sqlite3.Connection) -> list[dict[str, Any]]:
        rows = db.execute(
            "SELECT provider, resource, records, cursor, synced_at, full_at, tombstones_at, warning"
            " FROM lumio_resources ORDER BY rowid"
        ).fetchall()
        return [
            {
                **dict(row),
                "view": view_name(row["provider"], row["resource"]),
                "columns": [
                    column._asdict()
                    for column in read_columns(db, row["provider"], row["resource"])
                ]
                if has_columns(db, row["provider"], row["resource"])
                else None,
            }
            for row in rows
        ]

    return _from_hub(scene, read)


def drift(scene: Scene) -> Any:
    """The newest changes of the providers' schemas."""
    from lumio_cli.hub.sqlite.state import read_drift

    return _from_hub(scene, lambda db: read_drift(db, limit=DRIFT))


def transport(scene: Scene, names: list[str]) -> dict[str, Any]:
    """Quotas and circuits, by provider. Raises ConfigError."""
    from lumio_cli.services.diagnostics.account_checks import circuit, level_facts
    from lumio_cli.services.diagnostics.provider_context import find_subject

    _ = scene.runtime.settings
    found = {}
    for name in names:
        subject = find_subject(scene, name)
        found[name] = {
            "quotas": [level_facts(level, subject) for level in subject.limiter().levels()],
            "circuit": dict(circuit(subject).facts),
        }
    return found


def http_log(scene: Scene, *, bodies: bool) -> list[dict[str, Any]] | None:
    """The newest rows of the debug log."""
    if not scene.paths.runtime.exists():
        return None
    rows = scene.runtime.store.read_log(limit=REQUESTS)
    hidden = () if bodies else _BODIES
    return [
        {
            "id": row.id,
            "provider": row.provider,
            **{name: value for name, value in row.data.items() if name not in hidden},
        }
        for row in rows
    ] or None


def log_tail(scene: Scene) -> str | None:
    """The end of the log file, in whole lines."""
    from lumio_cli.core.logs import FILE_NAME

    path = scene.paths.logs / FILE_NAME
    if not path.exists():
        return None
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LOG_TAIL))
        text = file.read().decode("utf-8", "replace")
    return text if size <= LOG_TAIL else text.partition("\n")[2]


def _from_hub(scene: Scene, read: Callable[[sqlite3.Connection], Any]) -> Any:
    with scene.hub() as db:
        return read(db) if db is not None else None
