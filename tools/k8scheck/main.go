// The program k8scheck reads what `avssnative launch k8s` prints, from stdin, as Kubernetes' own types of the API do: strictly, so that a field
// that the API does not have is an error, and holds it against the rules that an API server has for an Indexed Job. With --server it creates the jobs
// on a real one instead, and reads back what that has made of them. It is a module of its own, because those types bring along more than all the rest
// of the program.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

func main() {
	url := flag.String("server", "", "address of an API server to create the jobs on")
	certificate, token := flag.String("certificate", "", "file of its certificate"), flag.String("token", "", "file of what it lets in")
	flag.Parse()
	data, err := io.ReadAll(os.Stdin)
	switch {
	case err != nil:
	case *url == "":
		err = check(data)
	default:
		var s *server
		if s, err = dial(*url, *certificate, *token); err == nil {
			err = s.apply(data)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "k8scheck:", err)
		os.Exit(1)
	}
}

// documents are the manifests, one a job.
func documents(data []byte) [][]byte { return bytes.Split(data, []byte("\n---\n")) }

// strictly reads a job as an API server does: names of fields as they are written, none that it does not know, none twice.
func strictly(document []byte, j *batch.Job) error {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	strict, err := json.UnmarshalStrict(text, j)
	return errors.Join(append(strict, err)...)
}

// check wants the shards and their merge; of a sweep, a merge a model.
func check(data []byte) error {
	var jobs []batch.Job
	for i, document := range documents(data) {
		var j batch.Job
		if err := strictly(document, &j); err != nil {
			return fmt.Errorf("document %d: %w", i, err)
		}
		if j.Kind != "Job" || j.APIVersion != "batch/v1" {
			return fmt.Errorf("document %d: %s of %s, want Job of batch/v1", i, j.Kind, j.APIVersion)
		}
		if err := job(&j); err != nil {
			return fmt.Errorf("%s: %w", j.Name, err)
		}
		jobs = append(jobs, j)
	}
	if len(jobs) < 2 {
		return fmt.Errorf("%d jobs, want the shards and their merge", len(jobs))
	}
	wrong := []error{shards(&jobs[0], len(jobs) > 2)}
	for i := range jobs[1:] {
		wrong = append(wrong, merge(&jobs[1+i]))
	}
	return errors.Join(wrong...)
}

// job checks what holds for every job.
func job(j *batch.Job) error {
	if wrong := validation.IsDNS1123Subdomain(j.Name); len(wrong) > 0 {
		return fmt.Errorf("name: %s", strings.Join(wrong, "; "))
	}
	pod := j.Spec.Template.Spec
	if pod.RestartPolicy != core.RestartPolicyNever || len(pod.Containers) != 1 {
		return fmt.Errorf("restart policy %q and %d containers, want Never and one", pod.RestartPolicy, len(pod.Containers))
	}
	c := pod.Containers[0]
	if c.Image == "" || len(c.Command) != 3 {
		return fmt.Errorf("image %q, command %q", c.Image, c.Command)
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		if v.PersistentVolumeClaim == nil || v.PersistentVolumeClaim.ClaimName == "" || volumes[v.Name] {
			return fmt.Errorf("volume %s claims nothing or is there twice", v.Name)
		}
		volumes[v.Name] = true
	}
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			return fmt.Errorf("mount %s is of no volume", m.Name)
		}
	}
	for name, limit := range c.Resources.Limits {
		if request, ok := c.Resources.Requests[name]; !ok || request.Cmp(limit) > 0 {
			return fmt.Errorf("%s: request %s, limit %s", name, request.String(), limit.String())
		}
	}
	return nil
}

// shards checks what an API server wants of an Indexed Job with a limit of retries an index.
func shards(j *batch.Job, sweep bool) error {
	s := j.Spec
	switch {
	case s.CompletionMode == nil || *s.CompletionMode != batch.IndexedCompletion:
		return errors.New("shards: the job is not Indexed")
	case s.Completions == nil || s.Parallelism == nil || *s.Completions < 1 || *s.Parallelism > *s.Completions:
		return errors.New("shards: no completions, or more at a time than there are")
	case s.BackoffLimitPerIndex == nil || s.BackoffLimit != nil:
		return errors.New("shards: want a limit of retries an index, and none of all")
	case s.PodFailurePolicy == nil || len(s.PodFailurePolicy.Rules) != 1:
		return errors.New("shards: want one rule of failures")
	}
	rule, c := s.PodFailurePolicy.Rules[0], s.Template.Spec.Containers[0]
	if rule.Action != batch.PodFailurePolicyActionFailIndex || rule.OnExitCodes == nil || *rule.OnExitCodes.ContainerName != c.Name ||
		rule.OnExitCodes.Operator != batch.PodFailurePolicyOnExitCodesOpIn || len(rule.OnExitCodes.Values) != 1 || rule.OnExitCodes.Values[0] == 0 {
		return fmt.Errorf("shards: rule of failures %+v of container %s", rule, c.Name)
	}
	want := fmt.Sprintf(`--shard="$JOB_COMPLETION_INDEX/%d"`, *s.Completions)
	if sweep { // the last model's shards end where the job does
		want = fmt.Sprintf(`"$JOB_COMPLETION_INDEX" -lt %d ]; then part=`, *s.Completions)
	}
	if !strings.Contains(c.Command[2], want) {
		return fmt.Errorf("shards: command %q lacks %s", c.Command[2], want)
	}
	return nil
}

func merge(j *batch.Job) error {
	if c := j.Spec.Template.Spec.Containers[0]; !strings.Contains(c.Command[2], " merge ") || !strings.Contains(c.Command[2], "--wait=") {
		return fmt.Errorf("merge: command %q", c.Command[2])
	}
	return nil
}
