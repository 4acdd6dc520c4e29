"""Runs the shell blocks of README.md that are marked for it, and checks every other lumio line.

A block is run where `<!-- check -->` stands on the line before its fence. Its lines run in one
bash, in a directory and a home of their own, against the sandbox; nothing but loopback can be
reached. The lines of all other blocks, in the README and in the guides, are parsed: each `lumio`
command line must have a command and options that exist.

    .venv/bin/python tests/readme_check.py

ends with 0, or with 1 and the file, the line and what is wrong with it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumio_cli.app import build_root
from lumio_cli.config.global_options import GLOBAL_OPTIONS, split_globals

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
MARK = "<!-- check -->"
SHELLS = ("sh", "bash", "console")
PLACEHOLDER = re.compile(r"\[?[A-Z][A-Z0-9_]*\]?(\.\.\.)?")
_FENCE = re.compile(r"^(?P<indent> *)```(?P<tag>[\w-]*)\s*$")
_NO_ROAD = "http://127.0.0.1:9"
"""A proxy that nobody serves: what wants to leave this machine fails at once."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: `line` is the number of its first line in the file, `run` if marked."""

    file: Path
    line: int
    tag: str
    lines: tuple[str, ...]
    run: bool

    @property
    def place(self) -> str:
        """Where it is, for a message."""
        return str(self.file.relative_to(ROOT))


@dataclass(frozen=True, slots=True)
class Invocation:
    """One `lumio` command line in the documentation, without the word `lumio`."""

    place: str
    argv: tuple[str, ...]
    text: str


class WrongLineError(Exception):
    """A line of the documentation that is not true."""


def documents() -> list[Path]:
    """The README, every guide, and what is written for contributors."""
    others = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
    return [README, *others, *sorted((ROOT / "docs").rglob("*.md"))]


def run_documents() -> list[Path]:
    """Those whose marked blocks are run. A translation has the same ones, which a test checks."""
    return [README, *sorted((ROOT / "docs" / "guide" / "en").glob("*.md"))]


def blocks(file: Path) -> list[Block]:
    """The fenced blocks of a file. Raises WrongLineError for one that does not end."""
    found: list[Block] = []
    inside: tuple[int, str, str, bool] | None = None
    body: list[str] = []
    before = ""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is None:
            if fence:
                inside = (number + 1, fence["tag"], fence["indent"], before == MARK)
                body = []
            elif line.strip():
                before = line.strip()
        elif fence:
            start, tag, indent, run = inside
            lines = tuple(text.removeprefix(indent) for text in body)
            found.append(Block(file, start, tag, lines, run))
            inside, before = None, ""
        else:
            body.append(line)
    if inside is not None:
        raise WrongLineError(f"{file.name}:{inside[0]}: this block does not end")
    return found


# -- command lines, statically


def logical_lines(block: Block) -> Iterator[tuple[int, str]]:
    """The lines of a block with their numbers, those that end in a backslash joined."""
    held, start = "", block.line
    for number, line in enumerate(block.lines, block.line):
        if not held:
            start = number
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        yield start, held + line
        held = ""
    if held:
        yield start, held


def words_of(line: str) -> list[list[str]]:
    """The simple commands in a shell line, each as its words."""
    # shlex would make a word of the number before a redirection.
    line = re.sub(r"(^|\s)\d([<>])", r"\1\2", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    lexer.commenters = "#"
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    skip = False
    for word in lexer:
        if set(word) <= set("();|&"):
            commands.append([])
        elif set(word) <= set("<>&"):
            skip = True  # the file that follows is no argument
        elif skip:
            skip = False
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def lumio_argv(command: list[str]) -> tuple[str, ...] | None:
    """What follows `lumio` in a simple command; None where it is another program."""
    words = list(command)
    while words and (re.match(r"[A-Z_]+=", words[0]) or words[0] in ("sudo", "env")):
        words = words[1:]
        if words[:1] == ["-u"]:  # the user, who may have that name, too
            words = words[2:]
    if words and Path(words[0]).name == "lumio":
        return tuple(words[1:])
    return None


def invocations(file: Path) -> Iterator[Invocation]:
    """Every lumio command line in the code blocks of a file."""
    for block in blocks(file):
        if block.tag not in (*SHELLS, "cron", "crontab", "ini", "yaml"):
            continue
        for number, line in logical_lines(block):
            yield from _in_line(block, number, line)


def _in_line(block: Block, number: int, line: str) -> Iterator[Invocation]:
    text = line.strip()
    place = f"{block.place}:{number}"
    if block.tag == "console":
        if not text.startswith("$ "):
            return
        text = text[2:]
    if block.tag == "ini":
        key, _, value = text.partition("=")
        if not key.startswith("Exec"):
            return
        text = value
    if block.tag == "yaml":
        key, _, text = text.removeprefix("- ").partition(":")
        if key != "run":
            return
    if block.tag in ("cron", "crontab"):
        fields = text.split(None, 5)
        if text.startswith("#") or "=" in fields[0]:
            return
        if len(fields) < 6 or not all(re.fullmatch(r"[\d*/,-]+", f) for f in fields[:5]):
            raise WrongLineError(f"{place}: not a line of a crontab: {text}")
        if re.search(r"(?<!\\)%", fields[5]):
            raise WrongLineError(f"{place}: cron makes a line end of %: {text}")
        text = fields[5]
    if "lumio" not in text or "_LUMIO_COMPLETE=" in text:
        return
    # A command inside "$(...)" is one word to shlex: look into it on its own.
    for inner in re.findall(r"\$\((lumio [^()]*)\)", text):
        yield Invocation(place, tuple(shlex.split(inner)[1:]), inner)
        text = text.replace(f"$({inner})", "FILE")
    try:
        commands = words_of(text)
    except ValueError:
        # SQL in quotes over several lines, or prose: a marked block is run, and so checked.
        return
    for command in commands:
        argv = lumio_argv(command)
        if argv is not None:
            yield Invocation(place, argv, " ".join(("lumio", *argv)))


def problem_of(argv: tuple[str, ...], *, loose: bool = False) -> str | None:
    """What is wrong with a command line; None: the program would take it.

    `loose` looks at the command and the names of its options only: for synopses.
    """
    if loose:
        return _loose_problem(argv)
    options, rest, problem = split_globals(argv)
    if problem is not None:
        return problem.message
    if options.version:
        return None
    command: Any = build_root()
    context: Any = None
    name = "lumio"
    try:
        while True:
            context = command.make_context(name, list(rest), parent=context)
            following = [*getattr(context, "_protected_args", ()), *context.args]
            if not hasattr(command, "resolve_command") or not following:
                return None
            name, command, rest = command.resolve_command(context, following)
    except Exception as error:  # whatever it is, the line is wrong
        if type(error).__name__ == "Exit":  # --help
            return None
        told = error.format_message() if hasattr(error, "format_message") else str(error)
        return told or type(error).__name__


def _loose_problem(argv: tuple[str, ...]) -> str | None:
    known = {"--help", *(o.flag for o in GLOBAL_OPTIONS), *(o.short for o in GLOBAL_OPTIONS)}
    command, context, path = build_root(), None, "lumio"
    for raw in argv:
        word = raw.strip("[].,")
        if word.startswith("-"):
            flag = word.split("=")[0]
            if flag not in known and flag not in options_of(command):
                return f"{path} has no option {flag}"
        elif hasattr(command, "list_commands") and not PLACEHOLDER.fullmatch(word):
            found = command.get_command(context, word)
            if found is None:
                return f"{path} has no command {word}"
            command, path = found, f"{path} {word}"
    return None


def options_of(command: Any) -> set[str]:
    """All names of a command's own options."""
    return {
        name
        for param in command.params
        if param.param_type_name == "option" and not param.hidden
        for name in (*param.opts, *param.secondary_opts)
    }


def all_commands() -> dict[str, Any]:
    """Every command by its path: `sync`, `hub`, `hub backup`."""
    found: dict[str, Any] = {}

    def walk(command: Any, path: str) -> None:
        for name in command.list_commands(None):
            inner = command.get_command(None, name)
            here = f"{path} {name}".strip()
            found[here] = inner
            if hasattr(inner, "list_commands"):
                walk(inner, here)

    walk(build_root(), "")
    return found


def inline(file: Path) -> Iterator[Invocation]:
    """Every `lumio ...` in backquotes outside of blocks."""
    inside = False
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if _FENCE.match(line):
            inside = not inside
        if inside:
            continue
        place = f"{file.relative_to(ROOT)}:{number}"
        for span in re.findall(r"(?<!`)`(?:[A-Z_]+=\S+ )*lumio ([^`]+)`(?!`)", line):
            words = words_of(span.replace("\\|", " ").replace("|", " "))
            yield Invocation(place, tuple(w for part in words for w in part), f"lumio {span}")


# -- other files, statically


def make_problems() -> list[str]:
    """`make X` in the README must exist, and the test command must be the one that CI runs."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    found = []
    named: set[str] = set()
    for block in blocks(README):
        for number, line in logical_lines(block):
            match = re.match(r"\s*make ([a-z-]+)", line)
            if match is None:
                continue
            named.add(match[1])
            if match[1] not in targets:
                found.append(f"README.md:{number}: the Makefile has no target {match[1]}")
    if "test" not in named:
        found.append("README.md: does not say `make test`")
    if not re.search(r"^\s*make test\b", ci, re.MULTILINE):
        found.append(".ci/run: does not run `make test`, which the README says")
    return found


def unit_problems() -> list[str]:
    """What systemd-analyze, where there is one, has to say about the units in the documents."""
    found = []
    for file in documents():
        for block in blocks(file):
            if block.tag != "ini":
                continue
            for number, line in logical_lines(block):
                text = line.strip()
                if not text or text[0] in "#;[":
                    continue
                if not re.fullmatch(r"[A-Z][A-Za-z]+=.*", text):
                    found.append(f"{block.place}:{number}: not a line of a unit: {text}")
                if text.startswith("Exec") and not re.match(r"Exec\w+=[-@+!:]*/", text):
                    found.append(f"{block.place}:{number}: systemd wants a full path: {text}")
    return found


def static_problems() -> list[str]:
    """Everything that can be said without running anything."""
    found = [*make_problems(), *unit_problems()]
    for file in documents():
        for call in invocations(file):
            if problem := problem_of(call.argv):
                found.append(f"{call.place}: {call.text}: {problem}")
        for call in inline(file):
            if problem := problem_of(call.argv, loose=True):
                found.append(f"{call.place}: {call.text}: {problem}")
    return found


# -- running the marked blocks

_SQLITE = """\
#!{python}
import sqlite3, sys
words = [w for w in sys.argv[1:] if not w.startswith("-")]
mode = "ro" if "-readonly" in sys.argv else "rw"
db = sqlite3.connect(f"file:{{words[0]}}?mode={{mode}}", uri=True)
for row in db.execute(words[1]):
    print("|".join("" if v is None else str(v) for v in row))
db.commit()
"""
_MAKE = """\
#!/bin/sh
# The real targets, with what they make in a place of its own, and nothing installed anew. The
# tests are not run again: that the command is the one of .ci/run is checked without running it.
test "$1" = test && exit 0
exec {make} -C '{root}' -o .venv/.installed DEMO="$HOME/demo" "$@"
"""


@contextmanager
def sandbox() -> Iterator[dict[str, Any]]:
    """A look-alike that runs as long as the block."""
    child = subprocess.Popen(
        [sys.executable, "-m", "lumio_cli.sandbox", "--until-eof", "--records", "40"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield json.loads(child.stdout.readline())["providers"]["hubspot"]
    finally:
        child.stdin.close()
        child.wait(timeout=10)
        child.stdout.close()


def prepare(home: Path, provider: dict[str, Any], *, connected: bool) -> dict[str, str]:
    """A home with a `bin` and a token, and the environment for it; `connected` as the README
    leaves its reader.
    """
    bin_dir = home / "bin"
    bin_dir.mkdir(parents=True)
    venv = Path(sys.executable).parent
    tools = {"lumio": f'#!/bin/sh\nexec "{venv}/python" -m lumio_cli "$@"\n'}
    tools["python3"] = tools["python"] = f'#!/bin/sh\nexec "{venv}/python" "$@"\n'
    tools["sqlite3"] = _SQLITE.format(python=sys.executable)
    tools["make"] = _MAKE.format(make=shutil.which("make") or "make", root=ROOT)
    for name, text in tools.items():
        (bin_dir / name).write_text(text)
        (bin_dir / name).chmod(0o755)
    (home / "lumio").mkdir(mode=0o700)
    token = home / "hubspot.token"
    token.touch(mode=0o600)
    token.write_text(provider["token"] + "\n")
    env = {
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "HOME": str(home),
        "LUMIO_HOME": str(home / "lumio"),
        "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": provider["base_url"],
        "LUMIO_VAULT_KEY": "correct horse battery staple",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "HTTP_PROXY": _NO_ROAD,
        "HTTPS_PROXY": _NO_ROAD,
        "ALL_PROXY": _NO_ROAD,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    # In place of a keyring, which this machine may not have.
    first = [["vault", "init"]]
    first += [["connect", "hubspot", "--token-file", str(token)]] if connected else []
    for words in first:
        subprocess.run([bin_dir / "lumio", *words, "-q"], env=env, capture_output=True, check=True)
    return env


def run_block(block: Block, env: dict[str, str], directory: Path) -> None:
    """Run a block. Raises WrongLineError with the line that failed."""
    place = f"{block.place}:{block.line}"
    if block.tag not in ("sh", "bash"):
        raise WrongLineError(f"{place}: only sh blocks can be checked")
    # The trap is on line 1, and empty lines follow, so that bash counts as the file does.
    trap = (
        "set -Eeu -o pipefail; "
        "trap 'echo \"at line $LINENO: $BASH_COMMAND (ended with $?)\" >&2' ERR"
    )
    script = directory / "block.sh"
    script.write_text(trap + "\n" * (block.line - 1) + "\n".join(block.lines) + "\n")
    try:
        done = subprocess.run(
            ["bash", str(script)],
            cwd=directory,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WrongLineError(f"{place}: took longer than 2 min") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise WrongLineError(f"{place}: this block failed:\n{said}")


def check_document(file: Path) -> int:
    """Run what is marked in a file, in its order; how many blocks there were.

    Raises WrongLineError.
    """
    marked = [block for block in blocks(file) if block.run]
    if not marked:
        return 0
    with tempfile.TemporaryDirectory(prefix="readme-") as scratch, sandbox() as provider:
        home = Path(scratch)
        work = home / "work"
        work.mkdir()
        env = prepare(home, provider, connected=file != README)
        for block in marked:
            run_block(block, env, work)
    return len(marked)


def main() -> int:
    """The whole check; returns the exit code."""
    try:
        if problems := static_problems():
            sys.stderr.write("\n".join(problems) + "\n")
            return 1
        with ThreadPoolExecutor(4) as pool:
            counts = list(pool.map(check_document, run_documents()))
        if not counts[0]:
            raise WrongLineError(f"README.md: no block is marked with {MARK}")
    except WrongLineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    lines = sum(1 for file in documents() for _ in invocations(file))
    sys.stdout.write(f"{sum(counts)} blocks were run, {lines} lumio command lines are right\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
