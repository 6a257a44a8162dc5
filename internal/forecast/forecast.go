// Package forecast says before a job starts what it will take: it walks the job's passes over the device "null" and turns what was counted into
// bytes, memory and time.
package forecast

import (
	"context"
	"fmt"
	"slices"

	"avssnative/engine"
	"avssnative/engine/null"
	"avssnative/failure"
)

// Job is what shall be done.
type Job struct {
	Tokens int     // of calibration text
	Length int     // tokens a sequence
	Remove bool    // also every single removal, in passes of its own
	Shards int     // parts the sequences are split into, one machine each; 0: one
	Memory int64   // bytes the device may hold; 0: what it has
	Hidden int64   // bytes that hidden states may take of it; 0: half
	Read   float64 // bytes a second at which weights come to the device
	On     Machine
}

// Walk is what one phase takes, on each machine.
type Walk struct {
	Name       string           `json:"name"`
	Sequences  int              `json:"sequences"`
	Rows       int64            `json:"rows"`   // token rows computed, all layers together
	Passes     int              `json:"passes"` // times that the weights are read
	Read       int64            `json:"read_bytes"`
	FLOPs      float64          `json:"flops"`
	Traffic    float64          `json:"traffic_bytes"` // between the device's memory and its units
	Peak       int64            `json:"peak_bytes"`    // most that the device holds
	Launches   map[string]int64 `json:"launches"`
	Compute    float64          `json:"compute_seconds"`
	ReadTime   float64          `json:"read_seconds"`
	Seconds    float64          `json:"seconds"`     // reading goes on while computing
	Limit      string           `json:"limit"`       // "reading", "arithmetic" or "memory traffic"
	Fits       bool             `json:"fits"`        // in the memory allowed for
	LargestOne int64            `json:"layer_bytes"` // the largest layer's weights, of which two are held
}

// Forecast is what a job takes.
type Forecast struct {
	Model      string  `json:"model"`
	Layers     int     `json:"layers"`
	Hidden     int     `json:"hidden"`
	Parameters int64   `json:"parameters"`
	Bytes      int64   `json:"bytes"`
	Shards     int     `json:"shards"`
	Memory     int64   `json:"memory_bytes"`
	On         Machine `json:"device"`
	Walks      []Walk  `json:"walks"`
}

// Seconds is the time of all walks, one after the other.
func (f *Forecast) Seconds() float64 {
	var sum float64
	for _, w := range f.Walks {
		sum += w.Seconds
	}
	return sum
}

// watcher wants what the metrics want.
type watcher struct{}

func (watcher) Wants() engine.Wants               { return engine.Wants{Last: true, RelativeBelow: true} }
func (watcher) Observe(*engine.Measurement) error { return nil }

// Make forecasts. open gives the model on the device "null", anew for every walk, which closes it.
func Make(ctx context.Context, open func() (*engine.Model, error), j Job) (*Forecast, error) {
	if j.Tokens < 1 || j.Length < 1 || j.On.FLOPs <= 0 || j.On.Bandwidth <= 0 || j.Read <= 0 {
		return nil, fmt.Errorf("forecast: %d tokens in sequences of %d, %g operations and %g bytes a second, weights at %g: all must be positive",
			j.Tokens, j.Length, j.On.FLOPs, j.On.Bandwidth, j.Read)
	}
	j.Shards = max(1, j.Shards)
	if j.Memory == 0 {
		j.Memory = j.On.Memory
	}
	if j.Hidden == 0 {
		j.Hidden = j.Memory / 2
	}
	f := &Forecast{Shards: j.Shards, Memory: j.Memory, On: j.On}
	phases := []string{"scoring"}
	if j.Remove {
		phases = append(phases, "removal of each layer")
	}
	for _, phase := range phases {
		if err := f.walk(ctx, open, j, phase); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *Forecast) walk(ctx context.Context, open func() (*engine.Model, error), j Job, phase string) error {
	m, err := open()
	if err != nil {
		return err
	}
	defer m.Close()
	d, err := m.Device()
	if err != nil {
		return err
	}
	counter, ok := d.(*null.Device)
	if !ok {
		return failure.Unsupported.Errorf("forecast: device %s computes: a forecast is made on null", d.Info().Name)
	}
	f.Model, f.Layers, f.Hidden = m.Spec.Family, m.Layers(), m.Spec.Hidden
	f.Parameters, f.Bytes = m.Size(nil)
	p := engine.Pass{Memory: j.Hidden}
	length := j.Length
	if m.Spec.Context > 0 {
		length = min(length, m.Spec.Context)
	}
	// The first shards have what does not divide.
	for left := (j.Tokens + j.Shards - 1) / j.Shards; left > 0; left -= length {
		p.Sequences = append(p.Sequences, engine.Sequence{IDs: make([]int32, min(left, length))})
	}
	if phase == "scoring" {
		p.Observe = []engine.Observer{watcher{}}
	} else {
		p.Diverge = true
		p.Variants = []engine.Drop{nil}
		for l := range m.Layers() {
			p.Variants = append(p.Variants, engine.Layers(l))
		}
		for i := range p.Sequences {
			if n := len(p.Sequences[i].IDs); n > 1 {
				p.Sequences[i].ScoreFrom, p.Sequences[i].ScoreTo = 1, n
			}
		}
	}
	outcome, err := m.Run(ctx, p)
	if err != nil {
		return err
	}
	counts := counter.Counts()
	w := Walk{Name: phase, Sequences: len(p.Sequences), Rows: outcome.Rows, Passes: outcome.Passes, Read: outcome.WeightBytes, FLOPs: counts.FLOPs, Traffic: counts.Bytes,
		Peak: counts.Peak, Launches: counts.Launches, Compute: counts.Seconds(j.On.FLOPs, j.On.Bandwidth), ReadTime: float64(outcome.WeightBytes) / j.Read,
		Fits: counts.Peak <= j.Memory}
	layers := make([]int64, m.Layers())
	for _, name := range m.Tensors.Names() {
		if l, _, inside := m.Spec.BlockOf(name); inside && l < len(layers) {
			stored, _ := m.Tensors.Lookup(name)
			layers[l] += int64(len(stored.Data))
		}
	}
	w.LargestOne = slices.Max(layers)
	w.Seconds = max(w.Compute, w.ReadTime)
	switch {
	case w.ReadTime > w.Compute:
		w.Limit = "reading"
	case counts.FLOPs/j.On.FLOPs > w.Compute/2:
		w.Limit = "arithmetic"
	default:
		w.Limit = "memory traffic"
	}
	f.Walks = append(f.Walks, w)
	return nil
}
