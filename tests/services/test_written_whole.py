"""Files are written whole or not at all, wherever their names lead."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from lumio_cli.core.paths import written_whole


def write(path: Path, text: str) -> None:
    with written_whole(path) as file:
        file.write(text)


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_a_file_is_there_when_it_is_whole_and_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with written_whole(path) as file:
        file.write("olá\r\n")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == "olá\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["a.txt"]


def test_what_was_there_may_still_be_read_by_those_who_might(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    path.chmod(0o644)
    write(path, "after")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("after", 0o644)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no /proc")
def test_a_stream_that_is_open_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    inode = path.stat().st_ino
    write(Path(f"/proc/self/fd/{descriptor}"), "after")
    os.close(descriptor)
    assert (path.read_text(), path.stat().st_ino) == ("after", inode)


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), written_whole(path) as file:
        file.write(str(1 / 0))
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "b.txt") as file:
        file.write(str(1 / 0))
    assert (path.read_text(), names(tmp_path)) == ("before", ["a.txt"])


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for target in ("old.txt", "new.txt"):
        (tmp_path / "link").symlink_to(Path("there") / target)
        (tmp_path / "there" / "old.txt").write_text("before")
        write(tmp_path / "link", "after")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there" / target).read_text() == "after"
        (tmp_path / "link").unlink()
    assert names(tmp_path / "there") == ["new.txt", "old.txt"]


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    path, found = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_text()), daemon=True)
    reader.start()
    write(path, "through it")
    reader.join(10)
    assert found == ["through it"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_links_that_somebody_has_put_in_the_way_are_not_written_to(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    for name in ("a.txt.part", ".a.txt.part"):
        (tmp_path / name).symlink_to(precious)
    write(tmp_path / "a.txt", "after")
    assert precious.read_text() == "precious"


def test_where_there_can_be_no_file(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for path in (tmp_path, tmp_path / "none" / "a.txt", tmp_path / "round"):
        with pytest.raises(OSError) as error:
            write(path, "x")
        assert error.value.strerror
    assert names(tmp_path) == ["round"]
