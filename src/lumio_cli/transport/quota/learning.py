"""What an answer's headers teach of a quota."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lumio_cli.transport.quota.bounds import longest_hold, longest_spent
from lumio_cli.transport.quota.state import State

if TYPE_CHECKING:
    from lumio_cli.providers.contract.quota import Allowance
    from lumio_cli.transport.quota.ledger import Term

SAID = "an answer said that nothing remains"
"""The reason of a hold that no refusal has set."""


def learn(term: Term, state: State, said: Allowance) -> bool:
    """Adapt a state to what the provider said; whether that changed anything.

    It may lower what we allow ourselves, and raise it as far as `Quota.most` goes. A quota without
    `most` stays at the lowest limit that was told until none is told for a while.
    """
    return _limit(term, state, said) | _remaining(term, state, said)


def _limit(term: Term, state: State, said: Allowance) -> bool:
    quota, now = term.quota, state.wall
    if said.limit is None or not 0 < said.limit < math.inf:
        return False
    own = term.rule.limit(State()) if quota.kind != "daily" else quota.count
    trusted = quota.most is not None and quota.most > quota.count
    if not trusted and (said.limit >= own or said.limit > state.limit):
        return False
    rate = said.rate if said.rate is not None and 0 < said.rate < math.inf else 0.0
    if trusted and said.limit == own and not rate and state.limit == math.inf:
        return False
    quiet = max(60.0, state.ends - now if quota.kind == "daily" else 6 * quota.per)
    # The time is not moved with every answer: that would be a write for each.
    fresh = state.limit_until - now >= quiet / 2
    if fresh and (state.limit, state.rate) == (said.limit, rate):
        return False
    state.limit, state.rate, state.limit_until = said.limit, rate, now + quiet
    return True


def _remaining(term: Term, state: State, said: Allowance) -> bool:
    quota, now = term.quota, state.wall
    if said.remaining is None or not math.isfinite(said.remaining):
        return False
    missing = term.rule.left(state) - max(0.0, said.remaining)
    whole = quota.count if quota.kind == "daily" else term.rule.limit(State())
    if missing <= max(2.0, 0.05 * min(whole, state.limit)):
        return False
    term.rule.phantom(state, now, missing)
    if said.remaining < 1 and said.reset_after and math.isfinite(said.reset_after):
        if quota.kind == "daily":
            until = now + min(said.reset_after, longest_spent(quota, now))
            state.stop(spent=until, reason=SAID)
        else:
            until = now + min(said.reset_after, longest_hold(quota, now))
            state.stop(held=until, reason=SAID)
    return True
