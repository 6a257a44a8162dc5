package launch

// The script of a sweep for Slurm: as that of one job, but a task of the array is a model and a shard, and every model has a merge of its own that
// waits for its own shards alone.

import (
	"io"
	"time"
)

var slurmSweep = slurmTemplate("sweep", `#!/bin/bash
# {{.Origin}}
#   bash THIS_FILE         submits all {{.Tasks}} tasks{{if gt .Rounds 1}}, {{.Rounds}} times one after the other,{{end}} and a merge a model behind them
#   bash THIS_FILE 2,5-7   submits these tasks again, and the merges of their models
{{- if .Open}}
# A merge decides a round; where that is not the model's last one it submits the model's tasks and the merge again. One that decides nothing fails.
{{- end}}
# The tasks:
{{- range .Runs}}
#   {{.First}}-{{last .End}}  {{.Name}}
{{- end}}
{{- template "resources" .}}

tasks={{.Tasks}} rounds={{.Rounds}} state={{quote .State}}
names=({{range .Runs}}{{.Name}} {{end}})
first=({{range .Runs}}{{.First}} {{end}}{{.Tasks}}) # task of each model

case ${1:-all} in
shard)
  for ((model = 0; SLURM_ARRAY_TASK_ID >= first[model + 1]; model++)); do :; done
  part=$((SLURM_ARRAY_TASK_ID - first[model])) threads=${SLURM_CPUS_PER_TASK:-{{.CPUs}}}
  case ${names[model]} in
{{- range .Runs}}
  {{.Name}}) exec {{.Shard}} --threads="$threads" ;;
{{- end}}
  esac
  ;;
merge)
{{- if .Open}}
  code=0
{{- end}}
  case $2 in
{{- range .Runs}}
  {{.Name}}) {{if $.Open}}{{.Merge}} || code=$?{{else}}exec {{.Merge}}{{end}} ;;
{{- end}}
  esac
{{- if .Open}}
  [ "$code" -eq {{.GoesOn}} ] || exit "$code"
  for ((model = 0; model < ${#names[@]}; model++)); do
    [ "${names[model]}" != "$2" ] || exec bash "$0" "${first[model]}-$((first[model + 1] - 1))"
  done
{{- end}}
  ;;
*)
  which=${1:-0-$((tasks - 1))}
  mkdir -p "$state"
  again=() # the tasks by number
  for piece in ${which//,/ }; do
    for ((task = ${piece%-*}; task <= ${piece#*-}; task++)); do again+=("$task"); done
  done
  after=
  for ((round = 0; round < rounds; round++)); do
    id=$(sbatch --parsable --array="$which" --output="$state/shard-%A-%a.log" $after "$0" shard)
    echo "tasks $which: job $id"
    id=${id%%;*}
    after="--dependency=afterany:$id" # a model that lacks a shard says so, and does not hold up the others
  done
  for ((model = 0; model < ${#names[@]}; model++)); do
    own=
    for task in "${again[@]}"; do
      if ((task >= first[model] && task < first[model + 1])); then own+=":${id}_$task"; fi
    done
    [ -n "$own" ] || continue
    merge=$(sbatch --parsable --output="$state/merge-${names[model]}-%j.log" --cpus-per-task=1{{if .GPUs}} --gpus-per-task=0{{end}} \
      --dependency="afterok$own" --kill-on-invalid-dep=yes "$0" merge "${names[model]}")
    echo "merge of ${names[model]}: job $merge"
  done
  ;;
esac
`)

func (j Job) slurmSweep(w io.Writer) error {
	runs, err := j.runs("$part", "")
	if err != nil {
		return err
	}
	return slurmSweep.Execute(w, struct {
		Job
		Origin         string
		Limit, Minutes int64
		Tasks          int
		Runs           []run
		GoesOn         int
	}{j, origin(), j.limit(), int64((j.Time + time.Minute - 1) / time.Minute), runs[len(runs)-1].End, runs, GoesOn})
}
