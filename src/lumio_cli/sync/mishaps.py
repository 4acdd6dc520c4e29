"""What nobody foresaw: an answer of another form, and a mistake of lumio's own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from lumio_cli.core.errors import BadReplyError, LumioError, out_of_memory


@contextmanager
def understood(target: str) -> Iterator[None]:
    """Raise `BadReplyError` for JSON that is not of the form a provider promises: it fails its
    resource, and not the run. What exactly was met is in the log."""
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        logging.getLogger(__name__).warning("%s: an answer of another form", target, exc_info=error)
        raise BadReplyError(
            f"{target}: an answer does not have the form that lumio knows",
            hint="`lumio debug` shows the exchange, the log what was missed; please report it",
        ) from error


def unexpected(target: str, error: Exception) -> LumioError:
    """The error of a piece of work that a mistake of lumio's has ended; the traceback is logged."""
    if (short := out_of_memory(error)) is not None:
        return short
    logging.getLogger(__name__).critical("%s: unexpected error", target, exc_info=error)
    return LumioError(
        f"{target}: a mistake in lumio has ended this; what was stored stays",
        code="internal",
        hint="the log has the traceback; please report it, with `lumio diagnostic --bundle FILE`",
    )
