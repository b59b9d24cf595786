# Completes coherencyd's command line in fish.
function __coherencyd_suggest
    set -l line (commandline --current-process --cut-at-cursor)
    coherencyd "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
end
complete --command coherencyd --arguments "(__coherencyd_suggest)"
