package bench

import (
	"context"
	"fmt"
	"time"

	"avssnative/engine"
)

// Speed measures tokens a second over a fixed text, each set of dropped layers in passes of its own, so that nothing is shared.
type Speed struct {
	Sequences []engine.Sequence
	Repeats   int // passes a measurement; the fastest counts. 0 is 3
	Memory    int64
	now       func() time.Time
}

// SpeedText cuts a text into sequences of length tokens, tokens in all, every one of which is scored, as judging does; a text that is too
// short is begun again.
func SpeedText(tokenizer Tokenizer, text string, tokens, length int) ([]engine.Sequence, error) {
	ids, err := tokenizer.Encode(text, true)
	if err != nil {
		return nil, fmt.Errorf("bench: speed: %w", err)
	}
	if len(ids) == 0 || length < 2 || tokens < length {
		return nil, fmt.Errorf("bench: speed: a text of %d tokens, to make %d in sequences of %d", len(ids), tokens, length)
	}
	var sequences []engine.Sequence
	for at, left := 0, tokens; left >= length; left -= length {
		run := make([]int32, length)
		for i := range run {
			run[i] = ids[at]
			at = (at + 1) % len(ids)
		}
		sequences = append(sequences, engine.Sequence{IDs: run, ScoreFrom: 1, ScoreTo: length, Silent: true})
	}
	return sequences, nil
}

// Measure returns tokens a second of the model without some layers: reading its weights, walking the text, scoring it.
func (s *Speed) Measure(ctx context.Context, runner Runner, drop engine.Drop) (float64, error) {
	now := s.now
	if now == nil {
		now = time.Now
	}
	tokens := 0
	for _, sequence := range s.Sequences {
		tokens += len(sequence.IDs)
	}
	if tokens == 0 {
		return 0, fmt.Errorf("bench: speed: no text to measure on")
	}
	repeats := s.Repeats
	if repeats <= 0 {
		repeats = 3
	}
	var best time.Duration
	for range repeats {
		start := now()
		if _, err := runner.Run(ctx, engine.Pass{Sequences: s.Sequences, Variants: []engine.Drop{drop}, Memory: s.Memory}); err != nil {
			return 0, fmt.Errorf("bench: speed without layers %s: %w", drop, err)
		}
		if took := now().Sub(start); best == 0 || took < best {
			best = took
		}
	}
	return float64(tokens) / max(best.Seconds(), 1e-9), nil
}
