# The script that launch prints, on a real Slurm: shards one of which fails, a search round by round, a sweep; merged, bit for bit a single run.
# debian: gcc libc6-dev munge slurmctld slurmd slurm-client
dir=$(mktemp -d)
trap '.ci/slurm/stop.sh "$dir/cluster"; rm -rf "$dir"' EXIT
go build -o "$dir/avssnative" ./cmd/avssnative
export "$(.ci/slurm/start.sh "$dir/cluster")"

# Shard 2 fails the first time.
cat >"$dir/program" <<PROGRAM
#!/bin/bash
if [ "\${SLURM_ARRAY_TASK_ID:-}" = 2 ] && [ ! -e "$dir/failed" ]; then
  touch "$dir/failed"
  exit 1
fi
exec "$dir/avssnative" "\$@"
PROGRAM
chmod +x "$dir/program"
job=(score --calib-tokens=2000 --seq-len=64 --metrics=ppl,kl)
"$dir/avssnative" launch slurm --program "$dir/program" --shards 4 --state "$dir/state" --out "$dir/merged.json" -- "${job[@]}" >"$dir/job.sh"

ended() { [ -z "$(squeue -h -j "$1")" ]; }
until_ended() { # until_ended JOB: two minutes at most
  local i
  for ((i = 0; i < 600; i++)); do
    if ended "$1"; then return; fi
    sleep 0.2
  done
  echo "job $1 has not ended" >&2
  return 1
}
merge_of() { sed -n 's/^merge: job //p' "$1"; }
state_of() { squeue -h -t all -j "$1" -o %T; }

bash "$dir/job.sh" | tee "$dir/first"
until_ended "$(merge_of "$dir/first")"
[ "$(state_of "$(merge_of "$dir/first")")" = CANCELLED ] # its dependency can never be fulfilled
[ ! -e "$dir/merged.json" ]
bash "$dir/job.sh" 2 | tee "$dir/second"
until_ended "$(merge_of "$dir/second")"
grep -h "still to come" "$dir"/state/*.log
[ "$(state_of "$(merge_of "$dir/second")")" = COMPLETED ]
"$dir/avssnative" "${job[@]}" --out "$dir/single.json" >/dev/null
cmp "$dir/merged.json" "$dir/single.json"

# A search: every merge decides a round and submits the shards and the next merge, until the search is done.
search=(score --calib-tokens=300 --seq-len=32 --search-tokens=64 --metric=search --greedy-layers=1)
"$dir/avssnative" launch slurm --program "$dir/avssnative" --shards 2 --state "$dir/search" --out "$dir/searched.json" -- "${search[@]}" >"$dir/search.sh"
bash "$dir/search.sh" | tee "$dir/last"
rounds=0
while merge=$(merge_of "$dir/last") && [ -n "$merge" ]; do
  until_ended "$merge"
  rounds=$((rounds + 1))
  cp "$dir/search/merge-$merge.log" "$dir/last" # the submission of the next round, where there is one
done
"$dir/avssnative" "${search[@]}" --out "$dir/alone.json" >/dev/null
cmp "$dir/searched.json" "$dir/alone.json"
echo "a search of $rounds merges"

# A sweep: two models, one of which needs more shards, in one array; each is merged by itself.
printf 'models:\n  - {name: plain, model: demo}\n  - {name: halved, model: demo, shards: 3, flags: [--seed=7]}\n' >"$dir/sweep.yaml"
"$dir/avssnative" launch slurm --program "$dir/avssnative" --sweep "$dir/sweep.yaml" --shards 2 --state "$dir/sweep" --out "$dir/{name}.json" -- "${job[@]}" >"$dir/sweep.sh"
bash "$dir/sweep.sh" | tee "$dir/third"
for name in plain halved; do
  until_ended "$(sed -n "s/^merge of $name: job //p" "$dir/third")"
done
"$dir/avssnative" "${job[@]}" --seed=7 --out "$dir/other.json" >/dev/null
cmp "$dir/plain.json" "$dir/single.json"
cmp "$dir/halved.json" "$dir/other.json"
