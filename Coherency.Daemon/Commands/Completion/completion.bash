# Completes coherencyd's command line in bash.
_coherencyd() {
  local line=${COMP_LINE} word=${COMP_WORDS[COMP_CWORD]} suggestion
  COMPREPLY=()
  # Those that only contain the word are suggested too.
  while read -r suggestion; do
    [[ $suggestion != "$word"* ]] || COMPREPLY+=("$suggestion")
  done < <(coherencyd "[suggest:${COMP_POINT}]" "$line" 2>/dev/null)
  [[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
complete -F _coherencyd coherencyd
