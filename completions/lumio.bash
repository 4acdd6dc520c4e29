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
        COMPREPLY+=("${line%%$'\t'*}")
    done < <(_LUMIO_COMPLETE=words "${COMP_WORDS[0]}" \
        "${COMP_WORDS[@]:1:COMP_CWORD-1}" "$cur" 2>/dev/null)
    # A word that ends in a slash goes on: PROVIDER/RESOURCE.
    [[ ${COMPREPLY[0]-} == */ ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -F _lumio lumio
