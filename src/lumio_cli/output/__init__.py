"""What an operator sees: tables (rich, TSV, JSON), diffs, progress, prompts, errors.

The only package that knows rich, which is imported when something is drawn.
"""

from lumio_cli.output.console import Output, Preferences
from lumio_cli.output.diff import Diff
from lumio_cli.output.table import Col, Table

__all__ = ["Col", "Diff", "Output", "Preferences", "Table"]
