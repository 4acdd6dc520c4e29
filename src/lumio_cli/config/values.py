"""Values of settings as people write them."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lumio_cli.core.units import parse_duration, parse_share, parse_size


def _listed(value: Any) -> Any:
    """A list, also as the environment has it: `a,b,c` or JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return decoded(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def decoded(value: Any) -> Any:
    """JSON, where the environment has a mapping."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("should be JSON here") from None


def _command(value: Any) -> Any:
    """A command as its words; text is split as a shell would, without running one."""
    if not isinstance(value, str):
        return value
    import shlex

    return shlex.split(value)


Seconds = Annotated[float, BeforeValidator(parse_duration)]
Share = Annotated[float, BeforeValidator(parse_share)]
Bytes = Annotated[int, BeforeValidator(parse_size)]
Names = Annotated[list[str], BeforeValidator(_listed)]
Words = Annotated[list[str], BeforeValidator(_command)]
Limit = Annotated[float, Field(gt=0, allow_inf_nan=False)]
