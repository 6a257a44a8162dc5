package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"avssnative/engine"
	"avssnative/failure"
)

// Speed measures tokens a second over a fixed text, each set of dropped layers in passes of its own, so that nothing is shared.
type Speed struct {
	Sequences []engine.Sequence
	Repeats   int // passes a measurement; the fastest counts. 0 is 3
	Memory    int64
	// Budget bounds the time of a measurement: a first pass over one sequence says how many the others can take. 0: all, every time.
	Budget time.Duration
	// Whole bounds the time of all measurements of a Sweep together; those that do not come to an end within it stay unknown. 0: no bound.
	Whole time.Duration
	now   func() time.Time
}

// Generator is a model that continues texts; *engine.Model is one.
type Generator interface {
	Generate(ctx context.Context, requests []engine.Request, g engine.Generating) ([][]int32, error)
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
	if len(s.Sequences) == 0 {
		return 0, fmt.Errorf("bench: speed: no text to measure on")
	}
	sequences, repeats, best := s.Sequences, s.Repeats, 0.0
	if repeats <= 0 {
		repeats = 3
	}
	if s.Budget > 0 {
		took, err := s.pass(ctx, runner, sequences[:1], drop)
		if err != nil {
			return 0, err
		}
		best = rate(sequences[:1], took)
		fit := int((s.Budget - took).Seconds() / float64(repeats) / max(took.Seconds(), 1e-9))
		sequences = sequences[:max(0, min(fit, len(sequences)))]
	}
	for range repeats {
		if len(sequences) == 0 {
			break
		}
		took, err := s.pass(ctx, runner, sequences, drop)
		if err != nil {
			return 0, err
		}
		best = max(best, rate(sequences, took))
	}
	return best, nil
}

func (s *Speed) pass(ctx context.Context, runner Runner, sequences []engine.Sequence, drop engine.Drop) (time.Duration, error) {
	now := s.clock()
	start := now()
	if _, err := runner.Run(ctx, engine.Pass{Sequences: sequences, Variants: []engine.Drop{drop}, Memory: s.Memory}); err != nil {
		return 0, fmt.Errorf("bench: speed without layers %s: %w", drop, err)
	}
	return now().Sub(start), nil
}

func (s *Speed) clock() func() time.Time {
	if s.now != nil {
		return s.now
	}
	return time.Now
}

// rate is the tokens a second of a pass over some sequences.
func rate(sequences []engine.Sequence, took time.Duration) float64 {
	tokens := 0
	for _, sequence := range sequences {
		tokens += len(sequence.IDs)
	}
	return float64(tokens) / max(took.Seconds(), 1e-9)
}

const (
	speedPrompt = 16 // tokens that a text begins with when generating is timed
	speedTokens = 64 // and tokens made after them, fewer where the time is over
)

// Generate returns new tokens a second of the model without some layers that continues one text, counted from its first new token on.
func (s *Speed) Generate(ctx context.Context, generator Generator, drop engine.Drop) (float64, error) {
	if len(s.Sequences) == 0 {
		return 0, fmt.Errorf("bench: speed: no text to measure on")
	}
	now := s.clock()
	prompt := s.Sequences[0].IDs
	var first, last time.Time
	made := 0
	stop := func(ids []int32) bool {
		if last = now(); len(ids) == 1 {
			first = last
		}
		made = len(ids)
		return made >= 2 && s.Budget > 0 && last.Sub(first) >= s.Budget
	}
	request := engine.Request{IDs: prompt[:max(1, min(speedPrompt, len(prompt)/2))], Tokens: speedTokens, Stop: stop}
	if _, err := generator.Generate(ctx, []engine.Request{request}, engine.Generating{Drop: drop, Memory: s.Memory}); err != nil {
		return 0, fmt.Errorf("bench: speed without layers %s: %w", drop, err)
	}
	if made < 2 {
		return 0, nil
	}
	return float64(made-1) / max(last.Sub(first).Seconds(), 1e-9), nil
}

// Within does work for so long at most: it is interrupted when the time is over, which is no error, nor is it one that there is not the memory. whole
// says that it came to an end.
func Within(ctx context.Context, limit time.Duration, work func(context.Context) error) (whole bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = work(bounded)
	if err != nil && ctx.Err() == nil && (bounded.Err() != nil || errors.Is(err, failure.Memory)) {
		return false, nil
	}
	return err == nil, err
}
