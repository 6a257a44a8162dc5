package launch

// A script for Slurm that is its own submission: called by hand it submits itself as an array of shards and as a merge that waits for them,
// and says which job is which. The number of shards is written into it: what Slurm calls SLURM_ARRAY_TASK_COUNT is the size of one
// submission, so where two failed shards of eight are submitted again it is 2.

import (
	"fmt"
	"io"
	"text/template"
	"time"
)

// slurmResources are what a job, or one task of an array, asks Slurm for.
var slurmResources = template.Must(template.New("resources").Funcs(template.FuncMap{"quote": quote, "last": func(end int) int { return end - 1 }}).Parse(`
#SBATCH --job-name={{.Name}}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={{.CPUs}}
{{- if .GPUs}}
#SBATCH --gpus-per-task={{.GPUs}}
{{- end}}
{{- if .Memory}}
#SBATCH --mem={{.Limit}}M
{{- end}}
{{- if .Minutes}}
#SBATCH --time={{.Minutes}}
{{- end}}
{{- if .Partition}}
#SBATCH --partition={{.Partition}}
{{- end}}
set -euo pipefail`))

// slurmTemplate is a script that may ask for these resources.
func slurmTemplate(name, text string) *template.Template {
	return template.Must(template.Must(slurmResources.Clone()).New(name).Parse(text))
}

var slurmScript = slurmTemplate("slurm", `#!/bin/bash
# {{.Origin}}
#   bash THIS_FILE         submits all {{.Shards}} shards{{if gt .Rounds 1}}, {{.Rounds}} times one after the other,{{end}} and the merge behind them
{{- if .Open}}
# A merge decides a round; where that is not the last one it submits the shards and the merge again. One that decides nothing fails.
{{- end}}
#   bash THIS_FILE 2,5     submits shards 2 and 5 again, and the merge behind them
{{- template "resources" .}}

shards={{.Shards}} rounds={{.Rounds}} state={{quote .State}}

case ${1:-all} in
shard)
  exec {{.Shard}} --threads="${SLURM_CPUS_PER_TASK:-{{.CPUs}}}"
  ;;
merge)
{{- if .Open}}
  code=0
  {{.Merge}} || code=$?
  [ "$code" -eq {{.GoesOn}} ] || exit "$code"
  exec bash "$0"
{{- else}}
  exec {{.Merge}}
{{- end}}
  ;;
*)
  which=${1:-0-$((shards - 1))}
  mkdir -p "$state"
  after=
  for ((round = 0; round < rounds; round++)); do
    id=$(sbatch --parsable --array="$which" --output="$state/shard-%A-%a.log" $after "$0" shard)
    echo "shards $which: job $id"
    which=0-$((shards - 1)) # what follows needs all of them; what is done already takes no time
    after="--dependency=afterok:${id%%;*} --kill-on-invalid-dep=yes"
  done
  echo "merge: job $(sbatch --parsable --output="$state/merge-%j.log" --cpus-per-task=1{{if .GPUs}} --gpus-per-task=0{{end}} $after "$0" merge)"
  ;;
esac
`)

// Slurm prints the script.
func (j Job) Slurm(w io.Writer) error {
	j, err := j.complete()
	if err != nil {
		return err
	}
	if j.Partition != "" && !plain.MatchString(j.Partition) {
		return fmt.Errorf("launch: partition %q: want letters, digits, - and _", j.Partition)
	}
	if len(j.Members) > 0 {
		return j.slurmSweep(w)
	}
	return slurmScript.Execute(w, struct {
		Job
		Origin, Shard, Merge string
		Limit, Minutes       int64
		GoesOn               int
	}{j, origin(), j.command("$SLURM_ARRAY_TASK_ID"), j.merge(), j.limit(), int64((j.Time + time.Minute - 1) / time.Minute), GoesOn})
}
