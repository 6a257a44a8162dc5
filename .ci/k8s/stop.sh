#!/usr/bin/env bash
# stop.sh DIR: ends the processes that start.sh began, and no others.
set -euo pipefail
[ -e "$1/processes" ] || exit 0
dir=$(cd "$1" && pwd -P)
. "${0%/*}/../daemons.sh"
end_all
