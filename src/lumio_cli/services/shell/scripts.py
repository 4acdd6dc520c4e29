"""The shells' completion scripts, and the answers to what they ask.

A script sends the words before the cursor and the one under it, and gets lines back: the first is
`files` where file names may follow, too, then one candidate a line, with its help after a tab.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, Any

BASH = """\
# bash completion for lumio. Put it into ~/.local/share/bash-completion/completions/lumio

_lumio() {
    local cur=${COMP_WORDS[COMP_CWORD]} line first=1
    COMPREPLY=()
    while IFS= read -r line; do
        if ((first)); then
            first=0
            [[ $line == files ]] && compopt -o default 2>/dev/null
            continue
        fi
        COMPREPLY+=("${line%%$'\\t'*}")
    done < <(_LUMIO_COMPLETE=words "${COMP_WORDS[0]}" \\
        "${COMP_WORDS[@]:1:COMP_CWORD-1}" "$cur" 2>/dev/null)
    # A word that ends in a slash goes on: PROVIDER/RESOURCE.
    [[ ${COMPREPLY[0]-} == */ ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -F _lumio lumio
"""

ZSH = """\
#compdef lumio
# zsh completion for lumio. Put it as _lumio into a directory of $fpath

_lumio() {
    local line value first=1 files=0
    local -a candidates
    while IFS= read -r line; do
        if ((first)); then
            first=0
            [[ $line == files ]] && files=1
            continue
        fi
        value=${line%%$'\\t'*}
        if [[ $line == *$'\\t'* ]]; then
            candidates+=("${value//:/\\\\:}:${line#*$'\\t'}")
        else
            candidates+=("${value//:/\\\\:}")
        fi
    done < <(_LUMIO_COMPLETE=words "${words[1]}" \\
        "${(@)words[2,CURRENT-1]}" "${words[CURRENT]}" 2>/dev/null)
    ((${#candidates})) && _describe -V lumio candidates
    ((files)) && _files
}

if [[ ${funcstack[1]-} == _lumio ]]; then
    _lumio "$@"
else
    compdef _lumio lumio
fi
"""

FISH = """\
# fish completion for lumio. Put it into ~/.config/fish/completions/lumio.fish

function __lumio_complete
    set -l words (commandline -opc)
    set -l lines (_LUMIO_COMPLETE=words $words[1] $words[2..-1] (commandline -ct) 2>/dev/null)
    test "$lines[1]" = files; and __fish_complete_path (commandline -ct)
    for line in $lines[2..-1]
        echo $line
    end
end

complete --command lumio --no-files --arguments '(__lumio_complete)'
"""

SCRIPTS: Mapping[str, tuple[str, str]] = {
    "bash": ("lumio.bash", BASH),
    "zsh": ("_lumio", ZSH),
    "fish": ("lumio.fish", FISH),
}
"""For each shell, the name of its file in `completions/` and what stands in it."""


def answer(
    request: str,
    argv: list[str],
    root: Callable[[], Any],
    environ: Mapping[str, str],
    stdout: IO[str],
) -> int:
    """Answer `_LUMIO_COMPLETE`: `words` completes `argv`, `source_SHELL` prints a script.

    Returns the exit code. An error must never appear in the middle of somebody's command line.
    """
    from lumio_cli.services.shell.completion import respond

    if request != "words":
        script = SCRIPTS.get(request.removeprefix("source_"))
        if script is None:
            return 2
        stdout.write(script[1])
        return 0
    *words, incomplete = argv or [""]
    try:
        found = respond(root(), words, incomplete, environ)
    except Exception:  # noqa: BLE001 see above
        return 1
    stdout.write("files\n" if found.files else "words\n")
    for word, meaning in found.candidates:
        about = " ".join(meaning.split())
        stdout.write(f"{word}\t{about}\n" if about else f"{word}\n")
    return 0
