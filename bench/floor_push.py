"""The floor of a push: one client, one thread, batches of 100, each written back into SQLite."""

from __future__ import annotations

import json
import sqlite3
import sys

import httpx


def push(base_url: str, token: str, path: str) -> int:
    """Set a property of every contact in the hub at `path`; returns how many there were."""
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    ids = [row[0] for row in source.execute("SELECT id FROM hubspot_contacts")]
    source.close()
    db = sqlite3.connect(f"{path}.floor", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE contacts (id TEXT PRIMARY KEY, payload TEXT NOT NULL)")
    headers = {"authorization": f"Bearer {token}"}
    count = 0
    with httpx.Client(base_url=base_url, headers=headers, timeout=60) as client:
        for start in range(0, len(ids), 100):
            part = ids[start : start + 100]
            inputs = [{"id": i, "properties": {"city": f"Recife {i}"}} for i in part]
            reply = client.post(
                "crm/objects/2026-03/contacts/batch/update", json={"inputs": inputs}
            )
            reply.raise_for_status()
            rows = [(r["id"], json.dumps(r)) for r in reply.json()["results"]]
            db.execute("BEGIN")
            db.executemany("INSERT OR REPLACE INTO contacts VALUES (?, ?)", rows)
            db.execute("COMMIT")
            count += len(rows)
    db.close()
    return count


if __name__ == "__main__":
    sys.stdout.write(f"{push(*sys.argv[1:4])}\n")
