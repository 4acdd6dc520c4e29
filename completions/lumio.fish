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
