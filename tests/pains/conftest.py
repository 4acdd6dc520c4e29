"""The fixtures of these tests."""

from support.trials import brisk, lab, make_lab  # noqa: F401
