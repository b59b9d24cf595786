#compdef coherencyd
# Completes coherencyd's command line in zsh: as a file _coherencyd of $fpath, or sourced.
_coherencyd() {
  local -a found
  local line="${(j: :)words[1,CURRENT]}"
  found=(${(f)"$(coherencyd "[suggest:${#line}]" "$line" 2>/dev/null)"})
  compadd -- $found || _files
}
if [[ $funcstack[1] == _coherencyd ]]; then
  _coherencyd
else
  compdef _coherencyd coherencyd
fi
