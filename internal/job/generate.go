package job

import (
	"context"
	"slices"

	"avssnative/engine"
	"avssnative/internal/report"
)

// Generating says what the models continue.
type Generating struct {
	Tokens  int // to say; 0: none
	Prompts int // documents of the calibration text whose beginnings are continued; 0: two
	Begin   int // tokens of each that are given; 0: 16
}

// Generate lets the whole model and the one without the dropped layers (nil: no such model) continue the beginnings of some texts, each
// taking its most likely token again and again: multiple choice does not show a model that has stopped making sentences. Every token is a
// pass over all that was said before; there are too few of them for a cache to be worth its code.
func (j *Job) Generate(ctx context.Context, o Generating, drop engine.Drop) error {
	if o.Tokens <= 0 {
		return nil
	}
	defer j.phase("generating")()
	t, err := j.Tokenizer()
	if err != nil {
		return err
	}
	if o.Prompts == 0 {
		o.Prompts = 2
	}
	if o.Begin == 0 {
		o.Begin = 16
	}
	var prompts [][]int32
	for _, s := range j.calibration {
		if len(prompts) < o.Prompts {
			prompts = append(prompts, s.IDs[:min(len(s.IDs), o.Begin)])
		}
	}
	dense, err := j.greedily(ctx, prompts, nil, o.Tokens)
	if err != nil {
		return err
	}
	var pruned [][]int32
	if drop != nil {
		if pruned, err = j.greedily(ctx, prompts, drop, o.Tokens); err != nil {
			return err
		}
	}
	for i, prompt := range prompts {
		g := report.Generation{RepeatsDense: repeats(dense[i])}
		if g.Prompt, err = t.Decode(prompt, true); err != nil {
			return err
		}
		if g.Dense, err = t.Decode(dense[i], true); err != nil {
			return err
		}
		if drop != nil {
			text, err := t.Decode(pruned[i], true)
			if err != nil {
				return err
			}
			g.Pruned, g.Repeats = &text, repeats(pruned[i])
		}
		j.Report.Generation = append(j.Report.Generation, g)
	}
	return nil
}

// greedily returns what a model says after each prompt: so many tokens, fewer where the model's context ends.
func (j *Job) greedily(ctx context.Context, prompts [][]int32, drop engine.Drop, tokens int) ([][]int32, error) {
	sequences := make([]engine.Sequence, len(prompts))
	for i, prompt := range prompts {
		sequences[i].IDs = slices.Clone(prompt)
	}
	for step := range tokens {
		if len(prompts) == 0 || slices.ContainsFunc(sequences, func(s engine.Sequence) bool { return len(s.IDs) >= j.length(0) }) {
			break
		}
		p := j.pass("generating")
		if j.Progress != nil {
			p.Progress = func(s engine.Step) {
				s.Done, s.Total = float64(step)+s.Done/max(s.Total, 1), float64(tokens)
				j.Progress("generating", s)
			}
		}
		p.Sequences, p.Variants = sequences, []engine.Drop{drop}
		if drop != nil {
			p.Repairs = []*engine.Repair{j.repair}
		}
		said := make([]int32, len(prompts))
		p.Trace = func(t engine.TraceTensor) error {
			if t.Name == "logits" {
				said[t.Sequence] = likeliest(t.Values[(t.Rows-1)*t.Cols:])
			}
			return nil
		}
		if _, err := j.Model.Run(ctx, p); err != nil {
			return nil, err
		}
		for i := range sequences {
			sequences[i].IDs = append(sequences[i].IDs, said[i])
		}
	}
	out := make([][]int32, len(prompts))
	for i := range out {
		out[i] = sequences[i].IDs[len(prompts[i]):]
	}
	return out, nil
}

// likeliest is the first of the highest logits.
func likeliest(logits []float32) int32 {
	best := 0
	for id, v := range logits {
		if v > logits[best] {
			best = id
		}
	}
	return int32(best)
}

// repeats is the share of runs of four tokens that stood in the text before; 0 of a text too short to have two.
func repeats(ids []int32) float64 {
	seen := map[[4]int32]bool{}
	again, runs := 0, 0
	for i := 0; i+4 <= len(ids); i++ {
		run := [4]int32(ids[i : i+4])
		if seen[run] {
			again++
		}
		seen[run] = true
		runs++
	}
	if runs == 0 {
		return 0
	}
	return float64(again) / float64(runs)
}
