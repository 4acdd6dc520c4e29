"""What a method of the Web API is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..http import Request, Response
from ..lookalike import Token
from .answers import Arguments

if TYPE_CHECKING:
    from .account import Account


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of a method: by whom, with what, in which workspace."""

    slack: Account
    request: Request
    arguments: Arguments
    token: Token


@dataclass(frozen=True, slots=True)
class Method:
    """One method.

    answer      what answers it
    scopes      any of which it needs; methods about conversations look at their types themselves
    json        whether it takes its arguments as JSON, too
    restricted  whether it is one of the two that apps sold outside the Marketplace may hardly use
    open        needs no token and is not counted
    """

    name: str
    answer: Callable[[Ask], Response]
    tier: str = "tier3"
    scopes: tuple[str, ...] = ()
    json: bool = False
    restricted: bool = False
    open: bool = False
