"""What can go wrong, as types.

Each error carries everything an operator or a script needs: `code` (the snake_case word of the
JSON contract), `exit_code` (the contract's table), a one-line message that names the thing, and a
hint that says what to do next. Only `app.main` turns them into output and an exit status.

    LumioError                    1  failed
    +-- UsageError                2  usage
    +-- PartialError              3  partial
    +-- CredentialError           4  credential_missing, credential_refused, ...
    |   +-- DeniedError           4  scope_missing: this one resource may not be read
    +-- UnavailableError          5  provider_unavailable
    |   +-- BadReplyError         5  bad_reply: HTML, a cut body, something that is not the API
    |   +-- QuotaError            5  quota_exhausted: comes back at `retry_at`
    |   +-- CircuitOpenError      5  circuit_open
    +-- BusyError                 6  target_busy
    +-- ConfigError               7  config_invalid
    +-- HubError                  1  hub_locked, hub_read_only, hub_corrupt, disk_full, hub_too_new
    +-- RejectedError             1  request_rejected: the provider says that our request is wrong
    |   +-- GoneError             1  not_found
    +-- PagingError               1  paging_loop
    +-- StoppedError        130/143  interrupted: Ctrl-C, SIGTERM, or --max-duration (3)
"""

from __future__ import annotations

from datetime import datetime

OUTCOME_UNKNOWN = "outcome_unknown"
"""The code of errors after which nobody can say whether a write was applied."""


class LumioError(Exception):
    """An error that an operator can read.

    `message` is one line without secrets; `hint` is the next thing to do, or None.
    """

    code = "failed"
    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        exit_code: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code
        if exit_code is not None:
            self.exit_code = exit_code


class UsageError(LumioError):
    """The command line names something that does not exist or cannot be combined."""

    code = "usage"
    exit_code = 2


class PartialError(LumioError):
    """Some records or targets failed; they are kept and listed."""

    code = "partial"
    exit_code = 3


class CredentialError(LumioError):
    """There is no usable credential, or the provider refused it."""

    code = "credential_refused"
    exit_code = 4


class DeniedError(CredentialError):
    """The credential is good, but lacks the permission for this one resource.

    `scopes` are the missing scopes, as far as the provider names them.
    """

    code = "scope_missing"

    def __init__(self, message: str, *, scopes: tuple[str, ...] = (), hint: str | None = None):
        super().__init__(message, hint=hint)
        self.scopes = scopes


class UnavailableError(LumioError):
    """The provider cannot be reached or keeps failing; nothing was lost."""

    code = "provider_unavailable"
    exit_code = 5


class BadReplyError(UnavailableError):
    """What came back is not an answer of the API: HTML, a cut body, bytes that are not JSON."""

    code = "bad_reply"


class QuotaError(UnavailableError):
    """A quota is used up for longer than the run may wait. `retry_at` says when to come back."""

    code = "quota_exhausted"

    def __init__(self, message: str, *, retry_at: datetime | None = None, hint: str | None = None):
        super().__init__(message, hint=hint)
        self.retry_at = retry_at


class CircuitOpenError(UnavailableError):
    """The provider failed so often that it is left alone until `retry_at`."""

    code = "circuit_open"

    def __init__(self, message: str, *, retry_at: datetime | None = None, hint: str | None = None):
        super().__init__(message, hint=hint)
        self.retry_at = retry_at


class BusyError(LumioError):
    """Another lumio run holds the same target."""

    code = "target_busy"
    exit_code = 6


class ConfigError(LumioError):
    """The configuration is invalid."""

    code = "config_invalid"
    exit_code = 7


class HubError(LumioError):
    """The hub cannot be opened, read or written; what was there stays."""

    code = "hub_unusable"


class RejectedError(LumioError):
    """The provider understood the request and refuses it; repeating it would not help.

    `status` is the HTTP status, `category` the provider's own word for the error, if it has one.
    """

    code = "request_rejected"

    def __init__(
        self, message: str, *, status: int = 0, category: str = "", hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.category = category


class GoneError(RejectedError):
    """The provider has no such record or endpoint."""

    code = "not_found"


class PagingError(LumioError):
    """A listing does not move on: following it would never end."""

    code = "paging_loop"


class StoppedError(LumioError):
    """The run was asked to stop; what was committed stays."""

    code = "interrupted"
    exit_code = 130


def out_of_memory(error: Exception) -> LumioError | None:
    """The error of a process that gets no more memory, or no more threads; None for any other."""
    if not isinstance(error, MemoryError) and "start new thread" not in str(error):
        return None
    return LumioError(
        "there is not enough memory",
        code="out_of_memory",
        hint="raise the limit (`ulimit -v` and `-u`, the container's), or ask for less at a time",
    )
