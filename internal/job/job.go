// Package job is the program's main job in steps, each of which fills in its part of a Report: calibrate, score, choose, judge, sweep,
// write. Commands parse flags and call these; the arithmetic is in the packages that are called from here.
package job

import (
	"context"
	"slices"
	"time"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/failure"
	"avssnative/internal/chat"
	"avssnative/internal/report"
	"avssnative/internal/shard"
	"avssnative/prune"
	"avssnative/tokenizer"
)

// Job is one model being worked on.
type Job struct {
	Model     *engine.Model
	Report    *report.Report
	Unit      string                            // what is scored and chosen: empty: layers; prune.Sublayer: halves of layers
	Linear    bool                              // linear maps come in the place of attentions that go alone
	Progress  func(phase string, s engine.Step) // may be nil
	Phase     func(phase string)                // called when a phase begins; may be nil
	Expecting func([]Expected)                  // told by Expect what is to come; may be nil
	Found     func(avss.Set)                    // called when a search has found a better set; may be nil

	tokenizer    *tokenizer.Tokenizer
	calibration  []engine.Sequence
	growing      *calib.Growing             // where more of the text can be taken; else nil
	taken        *calib.Text                // what calibration is of
	texts        *calib.Text                // the same where it is of several texts that can be compared; else nil
	byText       [][]avss.Scores            // of each of these, by its even sequences, in no order
	incomparable error                      // why several texts are not compared
	weighing     map[int]bool               // the sequences of calibration that have chosen among sets
	repair       *engine.Repair             // of the layers that stay; nil: none
	solved       map[string]*prune.Repaired // by the units dropped and the method
	further      []planned                  // further plans that are judged together with the one that is written
	avss         *avss.AVSS
	scores       []avss.Scores // in the order they are shown
	shared       *shard.Runner // where the job is one part of several
	layerTime    float64       // seconds of a token through a layer; 0: not measured
}

// Open opens a model and its device and begins a report.
func Open(ctx context.Context, ref string, o engine.Options, command []string) (*Job, error) {
	m, err := engine.Open(ctx, ref, o)
	if err != nil {
		return nil, err
	}
	d, err := m.Device()
	if err != nil {
		m.Close()
		return nil, err
	}
	info := d.Info()
	if info.Name == "null" {
		m.Close()
		return nil, failure.Unsupported.Errorf("device null computes nothing: avssnative plan uses it")
	}
	j := begin(m, ref, command)
	j.Report.Device = report.Device{Name: info.Name, Description: info.Description, ISA: info.ISA, Threads: info.Threads, Compute: string(info.Compute)}
	return j, nil
}

// begin begins the report on a model.
func begin(m *engine.Model, ref string, command []string) *Job {
	parameters, bytes := m.Size(nil)
	j := &Job{Model: m}
	j.Report = &report.Report{
		Schema:  report.Schema,
		Tool:    Tool(),
		Created: time.Now().UTC().Truncate(time.Second),
		Command: command,
		Model: avss.ModelInfo{Ref: ref, Name: nameOf(m, ref), Architecture: m.Spec.Family, Layers: m.Layers(), Hidden: m.Spec.Hidden,
			Parameters: parameters,
			Bytes:      bytes, SHA256: m.Fingerprint()},
	}
	return j
}

// Close gives the model back.
func (j *Job) Close() error { return j.Model.Close() }

// Tokenizer is the model's own, opened at the first call.
func (j *Job) Tokenizer() (*tokenizer.Tokenizer, error) {
	if j.tokenizer == nil {
		t, err := tokenizer.Open(j.Model.Path())
		if err != nil {
			return nil, err
		}
		j.tokenizer = t
		j.Report.Warnings = append(j.Report.Warnings, t.Notes()...)
	}
	return j.tokenizer, nil
}

// phase begins a phase; the function it returns ends it and notes the time it took.
func (j *Job) phase(name string) (end func()) {
	if j.Phase != nil {
		j.Phase(name)
	}
	if j.shared != nil {
		j.shared.Phase(name)
	}
	start := time.Now()
	return func() {
		if j.Report.Speed == nil {
			j.Report.Speed = &report.Speed{}
		}
		j.Report.Speed.Seconds.Add(name, time.Since(start).Seconds())
		j.Report.Speed.PeakRSS = peakRSS()
	}
}

// pass is a pass with the job's memory and progress.
func (j *Job) pass(phase string) engine.Pass {
	p := engine.Pass{}
	if j.Progress != nil {
		p.Progress = func(s engine.Step) { j.Progress(phase, s) }
	}
	return p
}

// length is how many tokens the model takes at a time, at most `most` where that is set.
func (j *Job) length(most int) int {
	length := j.Model.Spec.Context
	if length == 0 {
		length = 2048
	}
	if most > 0 {
		length = min(length, most)
	}
	return length
}

// Suite turns the tasks into sequences, those inside the program where none are named.
func (j *Job) Suite(ctx context.Context, o Evaluation) (*bench.Suite, error) {
	if len(o.Sets) == 0 {
		var err error
		if o.Sets, err = bench.Load(ctx, DefaultTasks, bench.Source{}, bench.Limit{}); err != nil {
			return nil, err
		}
	}
	sets := slices.Clone(o.Sets) // what is framed is this job's own
	for i := range sets {
		sets[i].Items = slices.Clone(sets[i].Items)
	}
	framing := bench.Framing{Shots: o.Shots}
	if o.Chat {
		template, err := j.ChatTemplate()
		if err != nil {
			return nil, err
		}
		framing.Chat = func(turns []bench.Turn) (string, error) {
			messages := make([]chat.Message, len(turns))
			for i, turn := range turns {
				messages[i] = chat.Message(turn)
			}
			return template.Render(messages, true)
		}
	}
	if err := bench.Frame(sets, framing); err != nil {
		return nil, err
	}
	t, err := j.Tokenizer()
	if err != nil {
		return nil, err
	}
	return bench.Prepare(sets, t, bench.Options{MaxLength: j.length(o.Length), BOS: o.BOS})
}
