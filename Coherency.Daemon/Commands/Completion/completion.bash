# Completes coherencyd's command line in bash.
_coherencyd() {
  local line=${COMP_LINE} word=${COMP_WORDS[COMP_CWORD]}
  mapfile -t COMPREPLY < <(coherencyd "[suggest:${COMP_POINT}]" "$line" 2>/dev/null | grep -F -- "$word")
  [[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
complete -F _coherencyd coherencyd
