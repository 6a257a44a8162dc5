package job

import (
	"context"
	"encoding/json"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/failure"
	"avssnative/internal/shard"
)

// judged walks a suite's sequences and lets every variant answer its prompts, but for the dense model with coarser weights, of which there are
// scores alone where there are prompts.
func (j *Job) judged(ctx context.Context, suite *bench.Suite, p engine.Pass) ([][]bench.Result, *engine.Outcome, error) {
	outcome := &engine.Outcome{Scores: make([][]engine.SequenceScore, len(p.Variants))}
	if len(p.Sequences) > 0 {
		var err error
		if outcome, err = j.passes().Run(ctx, p); err != nil {
			return nil, nil, err
		}
	}
	judged := make([][]bench.Result, len(p.Variants))
	for i, drop := range p.Variants {
		var repair *engine.Repair
		if i < len(p.Repairs) {
			repair = p.Repairs[i]
		}
		if drop == nil && repair != nil && suite.Asks() {
			continue
		}
		said, err := j.answers(ctx, suite, drop, repair)
		if err != nil {
			return nil, nil, err
		}
		if judged[i], err = suite.Judge(outcome.Scores[i], said); err != nil {
			return nil, nil, err
		}
	}
	return judged, outcome, nil
}

// answers are what a variant with a repair says to a suite's prompts.
func (j *Job) answers(ctx context.Context, suite *bench.Suite, drop engine.Drop, repair *engine.Repair) ([]string, error) {
	if !suite.Asks() {
		return nil, nil
	}
	o := bench.Saying{Drop: drop}
	var err error
	if o.Ends, err = j.Ends(); err != nil {
		return nil, err
	}
	if j.Progress != nil {
		o.Progress = func(ended, prompts, tokens int) {
			layers := j.Model.Layers()
			j.Progress("answering", engine.Step{Layer: layers - 1, Layers: layers, Done: float64(ended), Total: float64(prompts), Rows: int64(tokens)})
		}
	}
	m := j.Model.Repaired(repair)
	if j.shared == nil {
		return suite.Say(ctx, m, o)
	}
	return j.sharedAnswers(ctx, suite, drop, func(part shard.Part) ([]string, error) {
		if o.First, o.End = part.Share(suite.Prompts()); o.First == o.End {
			return nil, nil
		}
		return suite.Say(ctx, m, o)
	})
}

// sharedAnswers are those of all parts of a job, each of which answers a run of the prompts.
func (j *Job) sharedAnswers(ctx context.Context, suite *bench.Suite, drop engine.Drop, say func(shard.Part) ([]string, error)) ([]string, error) {
	asked := []any{drop, "", suite.Fingerprint()}
	if drop != nil {
		asked[1] = j.repair.Fingerprint()
	}
	pieces, err := j.shared.Keep(ctx, "answering", asked, func(part shard.Part) ([]byte, error) {
		said, err := say(part)
		if err != nil {
			return nil, err
		}
		return json.Marshal(said)
	})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, piece := range pieces {
		var said []string
		if err := json.Unmarshal(piece, &said); err != nil {
			return nil, failure.Corrupt.Errorf("the answers of a shard: %w", err)
		}
		all = append(all, said...)
	}
	return all, nil
}
