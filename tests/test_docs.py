"""README, guides and changelog say what the program does, and say all of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import lumio_cli
import readme_check
from lumio_cli.config.global_options import GLOBAL_OPTIONS
from lumio_cli.config.validation import RESERVED
from lumio_cli.core import errors

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = ROOT / "docs" / "guide"
LANGUAGES = ("en", "pt-BR")
PAGES = sorted(page.name for page in (GUIDE / "en").glob("*.md"))
COMMANDS = readme_check.all_commands()

# The signals' codes are no errors of the tree: app.py and the shell make them.
OTHER_CODES = {0, 10, 129, 141, 143}


def read(language: str, page: str) -> str:
    return (GUIDE / language / page).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Without code blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(text: str) -> list[str]:
    return re.findall(r"^(#+) ", prose(text), re.MULTILINE)


def sections(text: str) -> dict[str, str]:
    """What stands below each heading of `commands.md`, up to the next one."""
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# -- the program is described


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_has_its_section(language: str) -> None:
    found = [name.removeprefix("lumio ") for name in sections(read(language, "commands.md"))]
    assert [name for name in found if name.split()[0] in COMMANDS] == [
        name for name in found if name in COMMANDS
    ]
    assert set(COMMANDS) <= set(found)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_is_in_its_commands_section(path: str, language: str) -> None:
    text = sections(read(language, "commands.md"))[f"lumio {path}"]
    table = "\n".join(line for line in text.splitlines() if line.startswith("| `"))
    firsts = " ".join(row.split("|")[1] for row in table.splitlines())
    told = {name for span in re.findall(r"`([^`]+)`", firsts) for name in span.split()[:1]}
    assert told == readme_check.options_of(COMMANDS[path]) - {"--help"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_global_option_is_described(language: str) -> None:
    text = read(language, "commands.md")
    for option in GLOBAL_OPTIONS:
        assert f"`{option.flag}" in text
        assert f"`{option.flag}`" in README
        assert not option.short or f"`{option.short}`" in text


def test_every_command_is_in_the_table_of_the_readme() -> None:
    for name in COMMANDS:
        assert " " in name or f"| `lumio {name}` |" in README


def kinds(error: type[errors.LumioError]) -> Iterator[type[errors.LumioError]]:
    yield error
    for child in error.__subclasses__():
        yield from kinds(child)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_exit_code_is_in_the_reference(language: str) -> None:
    ours = [e for e in kinds(errors.LumioError) if e.__module__ == errors.__name__]
    codes = {e.exit_code for e in ours} | OTHER_CODES
    found = re.findall(r"^\| (\d+) \|", read(language, "reference.md"), re.MULTILINE)
    assert {int(code) for code in found} == codes


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_variable_is_in_the_reference(language: str) -> None:
    names = [f"LUMIO_{word}" for word in RESERVED]
    names += [f"LUMIO_PROVIDER_{kind}" for kind in ("TOKEN", "TOKEN_FILE", "FIELD", "WAY")]
    names.append("LUMIO_PROVIDERS__PROVIDER__SETTING")
    names += ["NO_COLOR", "TERM=dumb", "CI", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY"]
    for name in names:
        assert re.search(rf"`{name}(=[^`]*)?`", read(language, "reference.md")), name


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len(README.splitlines()) <= 160


def test_the_views_of_the_guide_are_those_of_the_provider() -> None:
    from lumio_cli.providers.registry import provider_class

    wanted = {f"hubspot_{r.name}" for r in provider_class("hubspot").resources}
    for language in LANGUAGES:
        told = re.findall(r"^\| `(hubspot_\w+)`", read(language, "hub.md"), re.MULTILINE)
        assert set(told) == wanted


# -- what is described exists


def test_every_command_line_is_one_that_the_program_takes() -> None:
    assert readme_check.static_problems() == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("sync --mdoe full", "mdoe"),
        ("sync --mode half", "half"),
        ("synk", "synk"),
        ("hub bakcup", "bakcup"),
        ("sync -o xml", "xml"),
        ("connect", "PROVIDER"),
        ("failures show twelve", "ID"),
    ],
)
def test_a_wrong_command_line_is_noticed(line: str, problem: str) -> None:
    assert problem.lower() in (readme_check.problem_of(tuple(line.split())) or "").lower()


@pytest.mark.parametrize("line", ["sync --mdoe", "hub bakcup", "synk hubspot", "runs list --all"])
def test_a_wrong_synopsis_is_noticed(line: str) -> None:
    assert readme_check.problem_of(tuple(line.split()), loose=True)


@pytest.mark.parametrize(
    ("tag", "line", "argv"),
    [
        ("sh", "lumio sync -q 2>&1 >/dev/null | head -n 3", "sync -q"),
        ("sh", "cd /tmp && A=b lumio status # now", "status"),
        ("sh", "sudo -u lumio env A=b /opt/bin/lumio runs last", "runs last"),
        ("sh", 'sqlite3 "$(lumio hub path)" "SELECT 1"', "hub path"),
        ("cron", "*/5 * * * * /usr/bin/lumio sync >/dev/null", "sync"),
        ("ini", "ExecStart=/usr/bin/lumio sync --no-input", "sync --no-input"),
        ("yaml", "- run: lumio sync -o json > a.json", "sync -o json"),
        ("sh", "sudo useradd --system lumio", None),
        ("yaml", "  LUMIO_HOME: /tmp/lumio", None),
    ],
)
def test_command_lines_are_found(tag: str, line: str, argv: str | None, tmp_path: Path) -> None:
    block = readme_check.Block(ROOT / "README.md", 1, tag, (line,), run=False)
    found = [" ".join(call.argv) for call in readme_check._in_line(block, 1, line)]
    assert found == ([argv] if argv else [])


def test_a_block_that_fails_is_named_with_its_line(tmp_path: Path) -> None:
    file = readme_check.ROOT / "README.md"
    block = readme_check.Block(file, 40, "sh", ("true", "false # here", "true"), run=True)
    with pytest.raises(readme_check.WrongLineError, match=r"README.md:40(.|\n)*at line 41: false"):
        readme_check.run_block(block, {"PATH": "/usr/bin:/bin"}, tmp_path)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as they are made where it is shown."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


@pytest.mark.parametrize("file", readme_check.documents(), ids=lambda f: str(f.relative_to(ROOT)))
def test_relative_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(file.read_text(encoding="utf-8"))):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (file.parent / path).resolve() if path else file
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), target


# -- the two languages


def test_both_languages_have_the_same_pages() -> None:
    assert PAGES
    assert sorted(page.name for page in (GUIDE / "pt-BR").iterdir()) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_headings_and_code(page: str) -> None:
    english, other = (GUIDE / language / page for language in LANGUAGES)
    assert headings(read("en", page)) == headings(read("pt-BR", page))
    pairs = zip(readme_check.blocks(english), readme_check.blocks(other), strict=True)
    for one, two in pairs:
        assert (one.tag, one.lines, one.run) == (two.tag, two.lines, two.run)


@pytest.mark.parametrize("page", PAGES)
def test_the_readme_links_every_page(page: str) -> None:
    for language in LANGUAGES:
        assert f"(docs/guide/{language}/{page})" in README


# -- the rest


def test_the_first_screen_has_the_two_commands() -> None:
    first = README.splitlines()[:20]
    assert any(line.startswith("make demo") for line in first)
    assert any(line.startswith("make test") for line in first)


def test_the_changelog_knows_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == lumio_cli.__version__
    assert re.search(rf"^## \[{re.escape(lumio_cli.__version__)}\]", text, re.MULTILINE)
    assert f"lumio_cli-{lumio_cli.__version__}-py3-none-any.whl" in README


@pytest.mark.parametrize(
    "file",
    [*readme_check.documents(), ROOT / "CHANGELOG.md"],
    ids=lambda f: str(f.relative_to(ROOT)),
)
def test_the_form(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert not re.search(r"[ \t]+$", text, re.MULTILINE)
    assert not re.search("[\U0001f300-\U0001faff\u2705\u274c\u2728]", text)
