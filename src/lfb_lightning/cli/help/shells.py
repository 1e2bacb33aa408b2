"""The scripts that make a shell ask `lfb` for the words that may come next."""

from __future__ import annotations

from collections.abc import Mapping

_BASH = """\
# Completion of lfb and lfb-*: eval "$(lfb completion bash)", for example in ~/.bashrc.
_lfb_complete() {
    local line="${COMP_LINE:0:COMP_POINT}" word prefix reply
    word="${line##*[[:space:]]}"
    # Bash completes what follows the last "=" or ":" of a word.
    prefix="${word%"${word##*[=:]}"}"
    COMPREPLY=()
    while IFS= read -r reply; do
        [[ -n "$reply" ]] && COMPREPLY+=("${reply#"$prefix"}")
    done < <(lfb completion words "$line" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *[=.] ]]; then
        compopt -o nospace
    fi
}
complete -o default -F _lfb_complete lfb @PROGRAMS@
"""
_ZSH = """\
# Completion of lfb and lfb-*: eval "$(lfb completion zsh)" after compinit, for example in ~/.zshrc.
_lfb_complete() {
    local -a ends goes_on
    local reply
    for reply in ${(f)"$(lfb completion words "${LBUFFER}" 2>/dev/null)"}; do
        if [[ $reply == *[=.] ]]; then goes_on+=("$reply"); else ends+=("$reply"); fi
    done
    (( ${#goes_on} )) && compadd -S '' -- "${goes_on[@]}"
    (( ${#ends} )) && compadd -- "${ends[@]}"
    (( ${#goes_on} + ${#ends} )) || { compset -P '*='; _files; }
}
compdef _lfb_complete lfb @PROGRAMS@
"""
_FISH = """\
# Completion of lfb and lfb-*: lfb completion fish | source, for example in ~/.config/fish/config.fish.
for program in lfb @PROGRAMS@
    complete -c $program -a '(lfb completion words (commandline -cp | string collect) 2>/dev/null)'
end
"""
SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str, commands: list[str]) -> str:
    """Return the script for a shell; `commands` are the commands that have a program of their own."""
    return SCRIPTS[shell].replace("@PROGRAMS@", " ".join(f"lfb-{name}" for name in commands))
