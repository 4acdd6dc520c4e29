"""Print exact pins of what lumio needs, as installed here: `python requirements/pin.py run|dev`.

Only the closure of pyproject.toml's own requirements, whatever else the environment holds.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement


def canonical(name: str) -> str:
    """The one spelling of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(requirements: list[str]) -> dict[str, str]:
    """Name and version of everything that `requirements` need on this machine, and beyond."""
    pins: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    queue = [(Requirement(text), "") for text in requirements]
    while queue:
        requirement, extra = queue.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonical(requirement.name)
        for wanted in ("", *sorted(requirement.extras)):
            if (name, wanted) in seen:
                continue
            seen.add((name, wanted))
            try:
                found = distribution(name)
            except PackageNotFoundError:
                sys.exit(f"{name} is needed and not installed: run `make setup` first")
            pins[name] = found.version
            queue += [(Requirement(text), wanted) for text in found.requires or ()]
    return pins


def main() -> None:
    """Print the pins of one set."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = list(project["dependencies"])
    if sys.argv[1:] == ["dev"]:
        needed += project["optional-dependencies"]["dev"]
    pins = [f"{name}=={version}" for name, version in sorted(closure(needed).items())]
    head = "# Made by `make pins`: the versions that lumio is tested with."
    sys.stdout.write("\n".join([head, *pins]) + "\n")


if __name__ == "__main__":
    main()
