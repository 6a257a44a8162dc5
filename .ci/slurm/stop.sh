#!/usr/bin/env bash
# stop.sh DIR: cancels the jobs of the cluster in DIR and ends the processes that start.sh began, and no others.
set -euo pipefail
[ -e "$1/processes" ] || exit 0
dir=$(cd "$1" && pwd -P)
export SLURM_CONF=$dir/slurm.conf
. "${0%/*}/../daemons.sh"
# Jobs outlive the daemons, so they go first.
timeout 20 scancel --partition=ci || true
for ((i = 0; i < 200; i++)); do
  [ -n "$(squeue -h 2>/dev/null)" ] || break
  sleep 0.1
done
end_all
