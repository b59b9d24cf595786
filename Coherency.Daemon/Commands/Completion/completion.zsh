# Completes coherencyd's command line in zsh.
_coherencyd() {
  local -a found
  found=(${(f)"$(coherencyd "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)"})
  compadd -- $found || _files
}
compdef _coherencyd coherencyd
