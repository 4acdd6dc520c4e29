"""Loopback look-alikes of the providers, for trying lumio out and for its tests.

A second, independent reading of each API: this package shares no code with the adapters, the
transport, the engine or the hub, so that a misreading on one side shows on the other.
"""

from .app import Sandbox

__all__ = ["Sandbox"]
