"""The providers of other packages are looked for once, and anew where packages have come."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.providers.registry import OURS, provider_class, provider_names


def install(place: Path, name: str) -> None:
    """A package that brings a provider."""
    info = place / f"lumio_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lumio-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[lumio.providers]\n{name} = decimal:Decimal\n")


def test_packages_are_read_once_and_again_where_the_path_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, reads = metadata.entry_points, []

    def counted(**wanted: Any) -> Any:
        reads.append(wanted)
        return read(**wanted)

    monkeypatch.setattr(metadata, "entry_points", counted)
    install(tmp_path, "abacus")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert provider_names() == [*OURS, "abacus"]
    assert provider_names() == [*OURS, "abacus"]
    assert provider_class("abacus").__name__ == "Decimal"
    assert len(reads) == 1
    install(tmp_path / "more", "zither")
    monkeypatch.syspath_prepend(str(tmp_path / "more"))
    assert provider_names() == [*OURS, "abacus", "zither"]
    assert len(reads) == 2
