package job

import (
	"context"
	"slices"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/internal/report"
)

// Generating says what the models continue.
type Generating struct {
	Tokens  int // to say; 0: none
	Prompts int // documents of the calibration text whose beginnings are continued; 0: two
	Begin   int // tokens of each that are given; 0: 16
}

// Generate lets the dense model and the one without the dropped layers (nil: no such model) continue the beginnings of some texts, each
// taking its most likely token again and again: multiple choice does not show a model that has stopped making sentences.
func (j *Job) Generate(ctx context.Context, o Generating, drop engine.Drop) error {
	if o.Tokens <= 0 {
		return nil
	}
	defer j.phase("generating")()
	prompts := j.prompts(o)
	asked, err := j.decoded(prompts)
	if err != nil {
		return err
	}
	said, ids, err := j.say(ctx, prompts, nil, nil, o.Tokens)
	if err != nil {
		return err
	}
	dense := heard(asked, said, ids)
	summary := &report.Fluencies{Dense: dense.fluency}
	for i := range prompts {
		j.Report.Generation = append(j.Report.Generation, report.Generation{Prompt: asked[i], Dense: said[i], RepeatsDense: bench.RepeatRate(ids[i])})
	}
	j.Report.Fluency = summary
	if drop == nil {
		return nil
	}
	if said, ids, err = j.say(ctx, prompts, drop, j.repair, o.Tokens); err != nil {
		return err
	}
	pruned := heard(asked, said, ids)
	summary.Pruned = &pruned.fluency
	for i, g := range j.Report.Generation[len(j.Report.Generation)-len(prompts):] {
		g.Pruned, g.Repeats = &said[i], bench.RepeatRate(ids[i])
		j.Report.Generation[len(j.Report.Generation)-len(prompts)+i] = g
	}
	if err := j.sayBeside(ctx, prompts, asked, o.Tokens, dense, map[string]voice{drop.String(): pruned}); err != nil {
		return err
	}
	j.Report.Warn()
	return nil
}

// prompts are the beginnings that are continued.
func (j *Job) prompts(o Generating) [][]int32 {
	if o.Prompts == 0 {
		o.Prompts = 2
	}
	if o.Begin == 0 {
		o.Begin = 16
	}
	return j.beginnings(o.Prompts, o.Begin)
}

// speak lets every set of a sweep continue the same beginnings, and counts what stands out of their texts. A job in parts does not,
// as it does not time: its parts would wait for each other once more.
func (j *Job) speak(ctx context.Context, o Generating, t *bench.Table) error {
	if o.Tokens <= 0 || !j.alone() {
		return nil
	}
	defer j.phase("generating")()
	prompts := j.prompts(o)
	asked, err := j.decoded(prompts)
	if err != nil {
		return err
	}
	said := make([]voice, len(t.Sets))
	for i := range t.Sets {
		texts, ids, err := j.say(ctx, prompts, t.Sets[i].Drop, t.Sets[i].Repair, o.Tokens)
		if err != nil {
			return err
		}
		said[i] = heard(asked, texts, ids)
	}
	hear(j.Report.Sweep, asked, said[0], func(i int) voice { return said[t.Points[i].Set] })
	return nil
}

// say returns what a model, repaired, says after each prompt: so many tokens, fewer where the text ends or the context is full.
func (j *Job) say(ctx context.Context, prompts [][]int32, drop engine.Drop, repair *engine.Repair, tokens int) (
	texts []string, ids [][]int32, err error) {
	ends, err := j.Ends()
	if err != nil {
		return nil, nil, err
	}
	requests := make([]engine.Request, len(prompts))
	for i, prompt := range prompts {
		requests[i] = engine.Request{IDs: prompt, Tokens: tokens, Stop: func(made []int32) bool { return slices.Contains(ends, made[len(made)-1]) }}
	}
	g := engine.Generating{Drop: drop}
	if j.Progress != nil {
		g.Progress = func(_, made int) {
			layers := j.Model.Layers()
			j.Progress("generating", engine.Step{Layer: layers - 1, Layers: layers, Done: float64(made), Total: float64(tokens * len(prompts)),
				Rows: int64(made)})
		}
	}
	if ids, err = j.Model.Repaired(repair).Generate(ctx, requests, g); err != nil {
		return nil, nil, err
	}
	texts, err = j.decoded(ids)
	return texts, ids, err
}

// decoded are the texts of tokens, without special ones.
func (j *Job) decoded(ids [][]int32) ([]string, error) {
	t, err := j.Tokenizer()
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(ids))
	for i := range ids {
		if texts[i], err = t.Decode(ids[i], true); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// fluency turns counts into the report's form.
func fluency(f bench.Fluency) report.Fluency {
	return report.Fluency{Texts: f.Texts, Tokens: f.Tokens, Repeats: f.Repeats, Distinct1: f.Distinct[0], Distinct2: f.Distinct[1],
		Distinct3: f.Distinct[2], Scripts: f.Scripts, OtherScript: f.OtherScript}
}
