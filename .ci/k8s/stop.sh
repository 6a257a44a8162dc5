#!/usr/bin/env bash
# stop.sh DIR: ends the processes that start.sh began, and no others.
set -euo pipefail
[ -e "$1/processes" ] || exit 0
dir=$(cd "$1" && pwd -P)
# A number that the system has given to another process since then is known by its command line.
lives() { grep -qaF -- "$dir/" "/proc/$1/cmdline" 2>/dev/null; }
tac "$dir/processes" | while read -r process _; do
  lives "$process" || continue
  kill "$process"
  for ((i = 0; i < 100; i++)); do
    lives "$process" || break
    sleep 0.1
  done
  ! lives "$process" || kill -KILL "$process"
done
rm "$dir/processes"
