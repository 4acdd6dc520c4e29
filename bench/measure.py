"""Processes, measured: wall time, processor time and peak memory, as the kernel counts them."""

from __future__ import annotations

import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "pat-na1-00000000-0000-0000-0000-000000000000"
UNLIMITED = '{"burst": 1000000, "search": 100000}'


class BenchError(Exception):
    """Something that was to be measured did not work."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a process. Seconds, mebibytes, and what it printed."""

    wall: float
    cpu: float
    rss: float
    output: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `good` None: there is no target."""

    what: str
    lumio: str
    floor: str = ""
    ratio: str = ""
    target: str = ""
    good: bool | None = None
    note: str = ""


def own_rss() -> float:
    """Our own peak in MiB. A child's figure is never below it: the kernel hands it on at fork."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def environment(**more: str) -> dict[str, str]:
    """Our environment without settings of lumio that happen to be in it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LUMIO_")}
    return {**kept, **more}


def lumio() -> list[str]:
    """How to call lumio: the script that was installed, where there is one."""
    script = Path(sys.executable).with_name("lumio")
    return [str(script)] if script.exists() else [sys.executable, "-m", "lumio_cli"]


def run(command: Sequence[str], env: Mapping[str, str], *, check: bool = True) -> Sample:
    """Run a process to its end. Raises `BenchError` if it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        child = subprocess.Popen(
            command, env=dict(env), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read().decode()
        if check and child.returncode != 0:
            err.seek(0)
            said = err.read().decode().strip()[-2000:]
            raise BenchError(f"{' '.join(command[-4:])} ended with {child.returncode}: {said}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def best(samples: Sequence[Sample]) -> float:
    """The least wall time: what is left when nothing else disturbs."""
    return min(sample.wall for sample in samples)


def least_cpu(samples: Sequence[Sample]) -> float:
    """The least processor time."""
    return min(sample.cpu for sample in samples)


def peak(samples: Sequence[Sample]) -> float:
    """The greatest peak of memory."""
    return max(sample.rss for sample in samples)


def median(samples: Sequence[Sample]) -> float:
    """The median wall time."""
    return statistics.median(sample.wall for sample in samples)


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


@contextmanager
def child(command: Sequence[str]) -> Iterator[Any]:
    """A server that says when it is ready, in a line of JSON, and ends with its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise BenchError(f"{command[0]} did not start")
        yield json.loads(line)
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class Client:
    """The barest client that there is: it measures the server and nothing of its own."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, target: str) -> bytes:
        """The body of an answer."""
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        data = self._socket.recv(1 << 20)
        while b"\r\n\r\n" not in data:
            data += self._socket.recv(1 << 20)
        head, _, first = data.partition(b"\r\n\r\n")
        left = int(head.rpartition(b"Content-Length: ")[2]) - len(first)
        parts = [first]
        while left > 0:
            parts.append(self._socket.recv(1 << 20))
            left -= len(parts[-1])
        return b"".join(parts)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
