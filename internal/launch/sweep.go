package launch

// A sweep is one command over many models: an array over (model, shard), and a merge a model. Which models is said by a file:
//
//	models:
//	  - name: small            # of its folder in the state's, of its merge, and for {name} in --out and --report
//	    model: /models/small
//	  - name: large
//	    model: /models/large.gguf
//	    shards: 16             # else as many as --shards says
//	    flags: [--drop, 25%]   # behind the command's

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Member is one model of a sweep.
type Member struct {
	Name   string   `yaml:"name"`
	Model  string   `yaml:"model"`
	Shards int      `yaml:"shards"` // 0: as many as the job
	Flags  []string `yaml:"flags"`  // behind the command's
}

// mostTasks bounds an array: Kubernetes takes no more completions of an Indexed Job whose indices may fail by themselves.
const mostTasks = 100_000

// ParseSweep reads the models of a sweep.
func ParseSweep(data []byte) ([]Member, error) {
	var file struct {
		Models []Member `yaml:"models"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("launch: sweep: %s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	if len(file.Models) == 0 {
		return nil, fmt.Errorf("launch: sweep: no models: want a list of name and model under models")
	}
	for i, m := range file.Models {
		switch {
		case !objectName.MatchString(m.Name):
			return nil, fmt.Errorf("launch: sweep: model %d: name %q: want lower-case letters, digits and -, at most 53", i, m.Name)
		case slices.ContainsFunc(file.Models[:i], func(other Member) bool { return other.Name == m.Name }):
			return nil, fmt.Errorf("launch: sweep: two models are called %s", m.Name)
		case m.Model == "":
			return nil, fmt.Errorf("launch: sweep: %s: no model", m.Name)
		case m.Shards < 0:
			return nil, fmt.Errorf("launch: sweep: %s: %d shards, want at least 1", m.Name, m.Shards)
		}
	}
	return file.Models, nil
}

// Called is a member's command: the common one, its model, its own flags.
func (m Member) Called(command []string) []string {
	return append(append(slices.Clone(command), "--model="+m.Model), m.Flags...)
}

// run is one member as the engines need it.
type run struct {
	Name, State  string
	First, End   int    // its tasks of the array
	Shard, Merge string // commands
}

// nameMark stands for a model's name in what a merge writes.
const nameMark = "{name}"

// runs are the members with their tasks; index is what stands for the number of the part.
func (j Job) runs(index, wait string) ([]run, error) {
	all := []run{}
	first := 0
	for _, m := range j.Members {
		own := j
		own.Command, own.State = m.Called(j.Command), path.Join(j.State, m.Name)
		if m.Shards > 0 {
			own.Shards = m.Shards
		}
		own.Merge = nil
		for _, flag := range j.Merge {
			if !strings.Contains(flag, nameMark) && (strings.HasPrefix(flag, "--out=") || strings.HasPrefix(flag, "--report=")) {
				return nil, fmt.Errorf("launch: %s: the models of a sweep cannot all be written there: want %s in it", flag, nameMark)
			}
			own.Merge = append(own.Merge, strings.ReplaceAll(flag, nameMark, m.Name))
		}
		flags := []string{}
		if wait != "" {
			flags = append(flags, wait)
		}
		all = append(all, run{Name: m.Name, State: own.State, First: first, End: first + own.Shards, Shard: own.command(index), Merge: own.merge(flags...)})
		first += own.Shards
	}
	if first > mostTasks {
		return nil, fmt.Errorf("launch: sweep: %d shards of all models, at most %d", first, mostTasks)
	}
	return all, nil
}
