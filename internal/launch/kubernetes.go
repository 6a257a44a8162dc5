package launch

// Manifests for Kubernetes: an Indexed Job, one index a shard, and a Job that waits in the shared folder for what the shards leave and merges
// it. A shard that was called wrongly (exit code 2) is not tried again; any other failure costs its own index a try, not the others'.

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"
	"time"
)

// retries of one shard before it counts as failed.
const retries = 3

var manifests = template.Must(template.New("k8s").Funcs(template.FuncMap{"text": func(s string) (string, error) {
	// A JSON string is a YAML string.
	data, err := json.Marshal(s)
	return string(data), err
}}).Parse(`# {{.Origin}} Submit it with: kubectl apply -f THIS_FILE
# To run shards again that have failed: kubectl delete job {{.Name}}, and apply it again; what lies in the state's folder is not computed again.
apiVersion: batch/v1
kind: Job
metadata:
  name: {{.Name}}
spec:
  completionMode: Indexed
  completions: {{.Tasks}}
  parallelism: {{.Tasks}}
  backoffLimitPerIndex: {{.Retries}}
{{- if .Seconds}}
  activeDeadlineSeconds: {{.Seconds}}
{{- end}}
  podFailurePolicy:
    rules:
      - action: FailIndex
        onExitCodes:
          containerName: shard
          operator: In
          values: [2]
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: shard
          image: {{text .Image}}
          command: ["sh", "-c", {{text .Shard}}]
          resources:
            requests:{{template "resources" .}}
            limits:{{template "resources" .}}
          volumeMounts:{{template "mounts" .}}
      volumes:{{template "volumes" .}}
{{- range .Merges}}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{.Name}}
spec:
  backoffLimit: {{$.Retries}}
{{- if $.Seconds}}
  activeDeadlineSeconds: {{$.Seconds}}
{{- end}}
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: merge
          image: {{text $.Image}}
          command: ["sh", "-c", {{text .Merge}}]
          volumeMounts:{{template "mounts" $}}
      volumes:{{template "volumes" $}}
{{- end}}
{{define "resources"}}
              cpu: "{{.CPUs}}"
{{- if .Memory}}
              memory: {{.Limit}}Mi
{{- end}}
{{- if .GPUs}}
              nvidia.com/gpu: "{{.GPUs}}"
{{- end}}
{{- end}}
{{define "mounts"}}
{{- range $i, $v := .Volumes}}
            - name: volume-{{$i}}
              mountPath: {{text $v.Path}}
{{- end}}
{{- end}}
{{define "volumes"}}
{{- range $i, $v := .Volumes}}
        - name: volume-{{$i}}
          persistentVolumeClaim:
            claimName: {{$v.Claim}}
{{- end}}
{{- end}}`))

// Kubernetes prints the manifests.
func (j Job) Kubernetes(w io.Writer) error {
	j, err := j.complete()
	switch {
	case err != nil:
		return err
	case j.Image == "" || strings.ContainsAny(j.Image, " \t\r\n"):
		return fmt.Errorf("launch: image %q: want the name of one that holds the program", j.Image)
	}
	inside := false
	for _, v := range j.Volumes {
		inside = inside || j.State == v.Path || strings.HasPrefix(j.State, strings.TrimSuffix(v.Path, "/")+"/")
	}
	if !inside {
		return fmt.Errorf("launch: the state's folder %s lies in no volume, so that no pod sees what another one leaves there", j.State)
	}
	wait := " --wait=24h"
	if j.Time > 0 {
		wait = " --wait=" + j.Time.String()
	}
	single := run{Name: j.Name + "-merge", End: j.Shards, Shard: j.command("$JOB_COMPLETION_INDEX"), Merge: j.merge(strings.TrimSpace(wait))}
	runs := []run{single}
	end := fmt.Sprintf(" --threads=%d", j.CPUs)
	if j.Rounds > 1 || j.Open { // all shards run at a time, so each may wait for the others
		end += wait
	}
	shard := "exec " + single.Shard + end
	if len(j.Members) > 0 {
		if runs, err = j.runs("$part", strings.TrimSpace(wait)); err != nil {
			return err
		}
		shard = sweepShard(runs, end)
	}
	for i := range runs {
		if len(j.Members) > 0 {
			runs[i].Name = j.Name + "-merge-" + runs[i].Name
		}
		if len(runs[i].Name) > longestName {
			return fmt.Errorf("launch: name %s: %d letters, at most %d", runs[i].Name, len(runs[i].Name), longestName)
		}
		runs[i].Merge = "exec " + runs[i].Merge
	}
	return manifests.Execute(w, struct {
		Job
		Origin, Shard           string
		Tasks                   int
		Merges                  []run
		Limit, Seconds, Retries int64
	}{j, origin(), shard, runs[len(runs)-1].End, runs, j.limit(), int64(j.Time / time.Second), retries})
}

// longestName is what a Job may be called, so that its pods' labels can name it (RFC 1123).
const longestName = 63

// sweepShard is the script of a pod that is one shard of one of several models.
func sweepShard(runs []run, end string) string {
	script := ""
	for i, r := range runs {
		word := "elif"
		if i == 0 {
			word = "if"
		}
		script += fmt.Sprintf(`%s [ "$JOB_COMPLETION_INDEX" -lt %d ]; then part=$((JOB_COMPLETION_INDEX - %d)); exec %s%s; `, word, r.End, r.First, r.Shard, end)
	}
	return script + "fi"
}
