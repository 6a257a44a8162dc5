// Package launch writes down how an engine that is there already runs a job in shards and merges them: a batch script for Slurm, manifests for
// Kubernetes. Nothing here schedules, queues or watches; a person reads what is printed, and submits it.
package launch

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"avssnative/internal/job"
)

// Job is a job in shards.
type Job struct {
	Name    string   // of the jobs; "": avssnative
	Program string   // "": avssnative
	Command []string // score, eval or bench with its flags
	Merge   []string // flags of merge
	State   string   // the folder that all shards write to and merge reads
	Shards  int
	Rounds  int  // how many times the shards run, each time with what all have found before; 0: once
	Open    bool // how often they run shows as they do: a merge that decides a round is followed by the shards again

	Members []Member // the models of a sweep; none: the command names its own

	CPUs   int   // processors a shard gets; 0: one
	GPUs   int   // graphics cards a shard gets
	Memory int64 // bytes a shard promises to stay within; 0: the engine's own choice
	Time   time.Duration

	Partition string // Slurm's; "": its own choice

	Image   string   // Kubernetes: what holds the program
	Volumes []Volume // Kubernetes: what is mounted
}

// GoesOn is the exit code of a merge that has decided a round, behind which the shards run again.
const GoesOn = 3

// Volume is a persistent volume claim and where it is mounted.
type Volume struct{ Claim, Path string }

// ParseVolume reads CLAIM:/path.
func ParseVolume(text string) (Volume, error) {
	claim, path, ok := strings.Cut(text, ":")
	if !ok || !objectName.MatchString(claim) || !strings.HasPrefix(path, "/") {
		return Volume{}, fmt.Errorf("volume %q: want CLAIM:/path", text)
	}
	return Volume{claim, path}, nil
}

// objectName is what both engines take as a name (RFC 1123).
var objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$`)

// complete fills in what was left out, and refuses what cannot be.
func (j Job) complete() (Job, error) {
	if j.Name == "" {
		j.Name = "avssnative"
	}
	if j.Program == "" {
		j.Program = "avssnative"
	}
	j.CPUs, j.Rounds = max(1, j.CPUs), max(1, j.Rounds)
	switch {
	case !objectName.MatchString(j.Name):
		return j, fmt.Errorf("launch: name %q: want lower-case letters, digits and -, at most 53", j.Name)
	case len(j.Command) == 0:
		return j, fmt.Errorf("launch: no command")
	case j.Shards < 1:
		return j, fmt.Errorf("launch: %d shards, want at least 1", j.Shards)
	case j.State == "":
		return j, fmt.Errorf("launch: no folder for the shards' state")
	case j.GPUs < 0 || j.Memory < 0 || j.Time < 0:
		return j, fmt.Errorf("launch: %d graphics cards, %d bytes, %v: want none or more", j.GPUs, j.Memory, j.Time)
	}
	return j, nil
}

// command is a shard's: what stands for the shard's number is the engine's own.
func (j Job) command(index string) string {
	words := quoted(append([]string{j.Program}, j.Command...))
	if j.Memory > 0 {
		words = append(words, fmt.Sprintf("--memory=%dMiB", j.Memory>>20))
	}
	return strings.Join(append(words, fmt.Sprintf(`--shard="%s/%d"`, index, j.Shards), "--state="+quote(j.State)), " ")
}

// merge is the command that puts the shards together.
func (j Job) merge(flags ...string) string {
	return strings.Join(quoted(append(append(append([]string{j.Program, "merge"}, j.Merge...), flags...), j.State)), " ")
}

// limit is the memory that the engine shall allow, in MiB: the promise and a tenth more.
func (j Job) limit() int64 { return (j.Memory + j.Memory/10 + 1<<20 - 1) >> 20 }

var plain = regexp.MustCompile(`^[A-Za-z0-9_./=:,@%+-]+$`)

// quote is a word as a POSIX shell reads it.
func quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func quoted(words []string) []string {
	var out []string
	for _, w := range words {
		out = append(out, quote(w))
	}
	return out
}

// origin is the line by which a reader finds out where a file comes from.
func origin() string { return "Printed by avssnative " + job.Version + " (launch)." }
