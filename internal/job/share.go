package job

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/internal/shard"
	"avssnative/prune"
)

// Share lets the job be one part of several: its passes walk that part of the sequences and leave what they came to in a folder.
// It waits so long for the other parts where their results are needed.
func (j *Job) Share(part shard.Part, folder string, wait time.Duration, command []string) error {
	device, err := json.Marshal(j.Report.Device)
	if err != nil {
		return fmt.Errorf("job: %w", err)
	}
	if j.shared, err = shard.Compute(j.Model, part, folder, shard.Origin{Command: command, Device: device}); err != nil {
		return err
	}
	j.shared.Wait = wait
	j.noteOrigin()
	return nil
}

// OpenMerged opens a model to do again a job whose passes have been computed in parts. Nothing is computed, so no device is opened: the report
// tells of the one that the parts were computed on.
func OpenMerged(ctx context.Context, ref string, o engine.Options, command []string, parts *shard.Runner) (*Job, error) {
	m, err := engine.Open(ctx, ref, o)
	if err != nil {
		return nil, err
	}
	j := begin(m, ref, command)
	if err := json.Unmarshal(parts.Origin().Device, &j.Report.Device); err != nil {
		m.Close()
		return nil, fmt.Errorf("job: the device that the shards tell of: %w", err)
	}
	parts.Over(m.Layers())
	j.shared = parts
	j.noteOrigin()
	return j, nil
}

// noteOrigin notes what computes: results are the same bits on one kind of device with one instruction set.
func (j *Job) noteOrigin() {
	d := j.Report.Device
	kind, _, _ := strings.Cut(d.Name, ":")
	j.shared.Note("program", strings.TrimSpace(j.Report.Tool.Version+" "+j.Report.Tool.Commit))
	j.shared.Note("model", j.Report.Model.SHA256)
	j.shared.Note("device", strings.Join([]string{kind, d.ISA, d.Compute}, " "))
}

// note adds to what all parts of a job must have in common.
func (j *Job) note(name string, settings any) error {
	if j.shared == nil {
		return nil
	}
	return j.shared.NoteSettings(name, settings)
}

// Shared is what the job's passes are answered by where it is one part of several, or their merge; nil where it is done alone.
func (j *Job) Shared() *shard.Runner { return j.shared }

// passes runs the job's passes.
func (j *Job) passes() avss.Runner {
	if j.shared != nil {
		return j.shared
	}
	return j.Model
}

// parted says that the job is one part of several, or their merge.
func (j *Job) parted() bool { return j.shared != nil && j.shared.Part().Count > 1 }

// scorer runs the passes that score what the job scores.
func (j *Job) scorer() avss.Runner {
	if j.Unit == prune.Sublayer {
		return avss.Halves(j.passes())
	}
	return j.passes()
}

// Units is how many things are scored.
func (j *Job) Units() int {
	if j.Unit == prune.Sublayer {
		return 2 * j.Model.Layers()
	}
	return j.Model.Layers()
}

// Keep lists what of these may not go, by number: what is protected, and halves that the model lacks.
func (j *Job) Keep(protect prune.Protect) []int {
	if j.Unit != prune.Sublayer {
		return protect.Keep(j.Model.Layers())
	}
	var keep []int
	for i := range j.Units() {
		if u := engine.Half(i); !j.Model.Has(u) || slices.Contains(protect.Keep(j.Model.Layers()), u.Layer) {
			keep = append(keep, i)
		}
	}
	return keep
}

// alone says that the job is done by one process on one device, so that times can be taken.
func (j *Job) alone() bool {
	return j.shared == nil || !j.shared.Merges() && j.shared.Part().Count <= 1
}
