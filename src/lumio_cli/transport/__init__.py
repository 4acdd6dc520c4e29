"""One request's way out and back."""

import sys

# httpx has a command line of its own, which imports rich and pygments for 50 ms wherever click is
# installed (sqlite-utils brings it). Nobody calls it here: what cannot be imported is left out.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
