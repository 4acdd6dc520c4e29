"""How far each message's request had come: what is left to read after a kill -9.

One byte a message in a file that is mapped into memory. Setting it is one store, with no system
call and nothing that could wait: it can stand right before the request is handed to the system.
What a process stored there outlives it, since the page belongs to the kernel; a power cut it does
not outlive, which is why the ledger keeps under which start of the machine it was written.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lumio_cli.core.paths import make_private_dir

if TYPE_CHECKING:
    from types import TracebackType

FREE = 0
"""No request is on its way that would have to be sent only once."""
LEAVING = 1
"""The request was about to be handed to the system."""
LEFT = 2
"""It was handed over; there was no answer yet."""
TAKEN = 3
"""The provider said that it has the message."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_boot() -> str:
    """What tells this start of the machine from others; empty where the system does not say, and
    then marks that another process left are not believed.
    """
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Marks:
    """The marks of a send's messages, by position from 1. A context manager.

    `kept` says whether there were marks of an earlier run. Raises OSError where the file cannot
    be made.
    """

    def __init__(self, path: Path, size: int) -> None:
        make_private_dir(path.parent)
        self.path = path
        self.kept = path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            missing = size - os.fstat(descriptor).st_size
            if missing > 0:
                # Written, not left as a hole: a full disk has to show now, and not as a signal.
                os.lseek(descriptor, 0, os.SEEK_END)
                os.write(descriptor, bytes(missing))
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)

    def __getitem__(self, position: int) -> int:
        return self._map[position - 1]

    def __setitem__(self, position: int, mark: int) -> None:
        self._map[position - 1] = mark

    def delete(self) -> None:
        """They are not needed any more: the ledger knows all there is to know."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Not closed: a request that hangs may still want to set its mark before the process ends.
        return
