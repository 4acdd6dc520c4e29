"""Checks of what lumio keeps: configuration, hub, locks, credentials, runs."""

from __future__ import annotations

import sqlite3
import stat
import time
from pathlib import Path
from typing import Any

from lumio_cli.core.clock import format_time
from lumio_cli.core.errors import CredentialError, LumioError
from lumio_cli.core.units import format_duration, format_size
from lumio_cli.services.diagnostics.check import Check, Finding
from lumio_cli.services.diagnostics.context import BUSY, Scene

QUICK = 6.0
"""Seconds for the integrity check: a large hub is not read to its end."""
LARGE_WAL = 64 << 20
"""Bytes. Checkpoints keep the WAL at a few MiB, unless a reader never ends."""
SILENT = 600.0
"""Seconds without a heartbeat after which a running sync is suspect."""

_FIRST = "`lumio config validate` names every problem"


def checks(scene: Scene, connected: list[str]) -> list[Check]:
    """The checks of the profile. `connected` are the providers that have a credential."""
    return [
        Check("configuration", lambda: configuration(scene)),
        Check("connections", lambda: connections(scene, connected)),
        Check("credential_store", lambda: credential_store(scene, connected)),
        Check("hub", lambda: hub(scene)),
        Check("hub_integrity", lambda: integrity(scene)),
        Check("hub_files", lambda: files(scene)),
        Check("runtime_store", lambda: runtime_store(scene)),
        Check("locks", lambda: locks(scene)),
        Check("runs", lambda: runs(scene)),
    ]


def configuration(scene: Scene) -> Finding:
    """Whether the settings are valid, and what is odd about them."""
    from lumio_cli.services.maintenance.config import problems_of

    path = scene.paths.config
    problems, findings = problems_of(scene.paths, scene.environ)
    facts = {
        "path": str(path),
        "exists": path.exists(),
        "problems": [{"where": p.where, "key": p.key, "problem": p.text} for p in problems],
        "findings": findings,
    }
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        hint = first.hint if first.hint and not more else _FIRST
        return Finding("fail", f"{first.where}: {first.text}{more}", hint, facts)
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        return Finding("warn", f"{findings[0]}{more}", "correct or remove it", facts)
    what = f"{path} is valid" if path.exists() else "no file: environment and defaults decide"
    return Finding("pass", what, None, facts)


def connections(scene: Scene, connected: list[str]) -> Finding:
    """Which providers have a credential."""
    if scene.settings is None:
        return Finding("skip", "not known: the configuration is invalid")
    if not connected:
        return Finding(
            "warn",
            "no provider is connected",
            "lumio connect PROVIDER, for example: lumio connect hubspot",
        )
    return Finding("pass", ", ".join(connected), None, {"connected": connected})


def credential_store(scene: Scene, connected: list[str]) -> Finding:
    """Whether the vault or the keyring can be used, and whether the vault's key is too old."""
    if scene.settings is None:
        return Finding("skip", "not known: the configuration is invalid")
    credentials, wish = scene.runtime.credentials, scene.settings.credentials.store
    vault = credentials.vault
    if wish == "vault" or (wish == "auto" and (vault.keys.given_in_environment or vault.exists)):
        return _vault(scene)
    from lumio_cli.credentials.system_keyring import SystemKeyring

    keyring = SystemKeyring(
        limit=scene.settings.credentials.keyring_timeout,
        environ=scene.environ,
        stop=scene.runtime.stop,
    )
    provider = connected[0] if connected else "hubspot"
    try:
        _, name = keyring.use(lambda kept: kept.get("diagnostic"), provider)
    except CredentialError as error:
        facts = {"backend": None, "code": error.code}
        if connected and all(credentials.given(n) for n in connected):
            text = f"not needed: all credentials are handed over ({error.message})"
            return Finding("pass", text, None, facts)
        # Without a connection nothing is amiss yet: it is for the first `connect` to find out.
        return Finding("fail" if connected else "warn", error.message, error.hint, facts)
    return Finding("pass", f"{name} answers", None, {"backend": name})


def _vault(scene: Scene) -> Finding:
    vault = scene.runtime.credentials.vault
    about = vault.status()
    facts: dict[str, Any] = {
        "backend": "vault",
        "entries": about.entries,
        "key_source": about.key_source,
        "key_created_at": about.key_created_at,
        "key_age_days": about.age_days,
    }
    if not about.exists:
        return Finding("pass", f"the vault will be {vault.path}: nothing is in it yet", None, facts)
    count = "1 credential" if about.entries == 1 else f"{about.entries} credentials"
    if about.key_source is not None:
        vault.check()
        text = f"the vault opens with {about.key_source}: {count}"
    else:
        text = f"a vault with a passphrase, which is asked for: {count}"
    text += f", its key is {about.age_days} days old"
    if about.overdue:
        return Finding("warn", text, "lumio vault rekey", facts)
    return Finding("pass", text, None, facts)


def hub(scene: Scene) -> Finding:
    """Whether the hub opens, and is of a schema that this lumio knows."""
    from lumio_cli.hub.sqlite.database import explained
    from lumio_cli.hub.sqlite.migrations import APPLICATION_ID, LATEST

    path = scene.hub_path
    if not path.exists():
        return Finding("pass", f"{path} is not there yet: the first sync makes it")
    # Not by `Hub.open_reader`, which would migrate an older one.
    with explained(path):
        db = _open(path)
        try:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            application = int(db.execute("PRAGMA application_id").fetchone()[0])
            mode = str(db.execute("PRAGMA journal_mode").fetchone()[0])
        finally:
            db.close()
    size = path.stat().st_size
    facts = {"path": str(path), "bytes": size, "schema": version, "journal_mode": mode}
    text = f"{path}, {format_size(size)}, schema {version}"
    if application != APPLICATION_ID:
        hint = "move it away, or name another hub with LUMIO_HOME or --profile"
        return Finding("fail", f"{path} is no hub of lumio", hint, facts)
    if version > LATEST:
        hint = "upgrade lumio, or name another hub with LUMIO_HOME or --profile"
        return Finding("fail", f"{text}: a newer lumio wrote it", hint, facts)
    if version < LATEST:
        hint = "the next sync makes a backup and brings it up to date"
        return Finding("warn", f"{text} of {LATEST}", hint, facts)
    if mode != "wal":
        hint = "close what has it open, and sync: lumio sets WAL again"
        return Finding("warn", f"{text}: not in WAL mode, readers will wait", hint, facts)
    return Finding("pass", text, None, facts)


def integrity(scene: Scene) -> Finding:
    """SQLite's quick check, as far as it comes in its time."""
    from lumio_cli.hub.sqlite.database import explained

    path = scene.hub_path
    if not path.exists():
        return Finding("skip", "there is no hub yet")
    end = time.monotonic() + QUICK
    with explained(path):
        db = _open(path)
        try:
            db.set_progress_handler(lambda: int(time.monotonic() > end), 20_000)
            found = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)")]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            text = f"no damage found in {QUICK:g} s; the hub is too large to be read to its end"
            return Finding("pass", f"{text} here (`lumio hub check` does)")
        finally:
            db.close()
    if found != ["ok"]:
        return Finding(
            "fail",
            f"damaged: {found[0]}",
            f"stop syncing; restore a copy from {scene.paths.backups}, or move the hub away "
            "and sync again",
            {"found": found},
        )
    return Finding("pass", "no damage found")


def files(scene: Scene) -> Finding:
    """Who may read the hub, and whether its WAL stays small."""
    path = scene.hub_path
    if not path.exists():
        return Finding("skip", "there is no hub yet")
    wal = Path(f"{path}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    mode = stat.S_IMODE(path.stat().st_mode)
    around = stat.S_IMODE(path.parent.stat().st_mode)
    facts = {"mode": f"{mode:04o}", "directory_mode": f"{around:04o}", "wal_bytes": size}
    text = f"mode {mode:04o} in {around:04o}, WAL {format_size(size)}"
    if mode & 0o077:
        # A closed directory protects an open file.
        if around & 0o077:
            hint = f"chmod 600 {path}"
            return Finding("fail", f"{text}: others can read your customers' data", hint, facts)
        return Finding(
            "warn", f"{text}: only its directory protects it", f"chmod 600 {path}", facts
        )
    if size > LARGE_WAL:
        hint = "a program keeps an old read open (a shell, a GUI, a dashboard): close it"
        return Finding("warn", f"{text}: it cannot be folded back into the hub", hint, facts)
    return Finding("pass", text, None, facts)


def runtime_store(scene: Scene) -> Finding:
    """Whether quotas and the request log can be kept."""
    words = []
    for store in dict.fromkeys((scene.runtime.store, scene.runtime.quota_store)):
        if not store.path.exists():
            words.append(f"{store.path.name} is not there yet")
            continue
        rows = store.query("SELECT count(*) FROM http_log")[0][0]
        size = format_size(store.path.stat().st_size)
        words.append(f"{store.path} usable, {size}, {rows} requests logged")
    return Finding("pass", "; ".join(words))


def locks(scene: Scene) -> Finding:
    """Which targets are being synced at this moment, and by whom."""
    from lumio_cli.core.locks import FileLock

    held = []
    for path in sorted(scene.paths.locks.glob("*.*.lock")):
        holder = FileLock(path).holder()
        if holder is not None:
            held.append((path.stem.replace(".", "/"), holder))
    facts = {
        "held": [
            {
                "target": target,
                "pid": who.pid,
                "host": who.host,
                "run_id": who.what,
                "since": format_time(who.since) if who.since else None,
            }
            for target, who in held
        ]
    }
    if not held:
        return Finding("pass", "no sync is running", None, facts)
    targets = ", ".join(target for target, _ in held)
    pids = sorted({who.pid for _, who in held})
    text = f"being synced: {targets} (by pid {', '.join(map(str, pids))})"
    return Finding("pass", text, None, facts)


def runs(scene: Scene) -> Finding:
    """How the last runs ended, and when the last one succeeded."""
    from lumio_cli.hub.sqlite.runs import list_runs
    from lumio_cli.sync.run_locks import run_lock

    with scene.hub() as db:
        found = list_runs(db, 50) if db is not None else []
    if not found:
        return Finding("warn", "nothing was ever synced", "lumio sync")
    for run in found:
        if (
            run["status"] == "running"
            and run_lock(scene.paths.locks, run["run_id"]).holder() is None
        ):
            run["status"] = "killed"
    newest = found[0]
    good = next((run for run in found if run["status"] == "succeeded"), None)
    bad = next((run for run in found if run["status"] in ("failed", "partial")), None)
    broken = [run for run in found if run["status"] in ("interrupted", "killed")]
    words = [f"last success {scene.ago(good['finished_at'])}" if good else "no run succeeded"]
    words += [f"last failure {scene.ago(bad['finished_at'])}"] if bad else []
    words += [f"{len(broken)} of the last {len(found)} interrupted"] if broken else []
    facts = {
        "last_success": good["finished_at"] if good else None,
        "last_failure": bad["finished_at"] if bad else None,
        "last_failure_run": bad["run_id"] if bad else None,
        "interrupted": [run["run_id"] for run in broken],
    }
    text, run_id = ", ".join(words), newest["run_id"]
    if newest["status"] == "running":
        silence = scene.age(newest["heartbeat_at"])
        if silence > SILENT:
            hint = f"see whether pid {newest['pid']} still works; a killed run loses nothing"
            text = f"run {run_id} has said nothing for {format_duration(silence)}; {text}"
            return Finding("warn", text, hint, facts)
    elif newest["status"] != "succeeded":
        text = f"run {run_id} {_ended(newest['status'])}; {text}"
        hint = "lumio sync goes on from where it stopped"
        if newest["status"] in ("failed", "partial"):
            hint = f"lumio runs show {run_id}"
        return Finding("warn", text, hint, facts)
    return Finding("pass", text, None, facts)


def _ended(status: str) -> str:
    return {"killed": "was killed", "interrupted": "was interrupted"}.get(status, f"was {status}")


def _open(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, isolation_level=None)
    db.execute(f"PRAGMA busy_timeout = {int(BUSY * 1000)}")
    return db


def connected_names(scene: Scene) -> list[str]:
    """The providers that have a credential and are not switched off. Raises nothing: a store that
    cannot be asked is a finding.
    """
    from lumio_cli.providers.registry import provider_names
    from lumio_cli.services.syncing.targets import is_connected

    if scene.settings is None:
        return []
    found = []
    for name in provider_names():
        if not scene.settings.configured(name).enabled:
            continue
        try:
            connected = is_connected(scene.runtime, name)
        except LumioError:  # a hub that cannot be read
            connected = scene.runtime.credentials.given(name) is not None
        if connected:
            found.append(name)
    return found
