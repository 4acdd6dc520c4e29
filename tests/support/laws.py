"""All cases of conformance: a law whose cases have a module of their own is imported here, and
whoever runs cases takes them from here."""

from __future__ import annotations

from support import (
    cases_credentials,
    cases_declared,
    cases_faults,
    cases_holds,
    cases_knowledge,
    cases_merges,
    cases_records,
    cases_sync,
    cases_values,
    cases_walks,
    cases_writes,
)
from support.conformance import CASES, cases_of

__all__ = [
    "CASES",
    "cases_credentials",
    "cases_declared",
    "cases_faults",
    "cases_holds",
    "cases_knowledge",
    "cases_merges",
    "cases_of",
    "cases_records",
    "cases_sync",
    "cases_values",
    "cases_walks",
    "cases_writes",
]
