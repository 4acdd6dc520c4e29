"""The floor: the least that a Python program can do to have a provider's records in SQLite.

One keep-alive client, one thread, no retries, no quotas, no checkpoints, no digests, no history:
decode a page, encode each record, store (id, payload) in one transaction a page.
"""

from __future__ import annotations

import sqlite3
import sys

import httpx
import orjson


def pull(base_url: str, path: str, properties: str) -> int:
    """Pull every contact into a table at `path`; returns how many there were."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE contacts (id TEXT PRIMARY KEY, payload TEXT NOT NULL)")
    count = 0
    params = {"limit": "100", "archived": "false", "properties": properties}
    headers = {"authorization": "Bearer bench"}
    with httpx.Client(base_url=base_url, headers=headers, timeout=60) as client:
        while True:
            reply = client.get("crm/objects/2026-03/contacts", params=params)
            reply.raise_for_status()
            body = orjson.loads(reply.content)
            rows = [(record["id"], orjson.dumps(record).decode()) for record in body["results"]]
            db.execute("BEGIN")
            db.executemany("INSERT OR REPLACE INTO contacts VALUES (?, ?)", rows)
            db.execute("COMMIT")
            count += len(rows)
            if "paging" not in body:
                break
            params["after"] = body["paging"]["next"]["after"]
    db.close()
    return count


if __name__ == "__main__":
    sys.stdout.write(f"{pull(*sys.argv[1:4])}\n")
