package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/internal/shard"
	"avssnative/prune"
	"avssnative/tokenizer"
)

// job is one of the kinds that take turns. It opens what it needs and gives it back.
type job struct {
	name string
	run  func(ctx context.Context, folder string, round int) error
}

var jobs = []job{
	{"score", score},
	{"keep", keep},
	{"judge", judgeTwo},
	{"generate", generate},
	{"write", writePruned},
	{"fail", fail},
}

// opened is the demo with words and text, cut differently every round.
func opened(ctx context.Context, round int) (*engine.Model, *tokenizer.Tokenizer, *calib.Text, error) {
	model, err := engine.Open(ctx, "demo", engine.Options{Options: device.Options{Threads: 1}})
	if err != nil {
		return nil, nil, nil, err
	}
	words, err := tokenizer.Open(model.Folder)
	if err == nil {
		var text *calib.Text
		if text, err = calib.Read(ctx, model, words, calib.Options{Tokens: 256 + 64*(round%4), Length: 32 + 16*(round%3)}); err == nil {
			return model, words, text, nil
		}
	}
	return nil, nil, nil, errors.Join(err, model.Close())
}

func score(ctx context.Context, _ string, round int) error {
	model, _, text, err := opened(ctx, round)
	if err != nil {
		return err
	}
	defer model.Close()
	metric := avss.NewAVSS(avss.Options{})
	if _, err := model.Run(ctx, engine.Pass{Sequences: text.Sequences, Observe: []engine.Observer{metric}}); err != nil {
		return err
	}
	_, err = metric.Scores()
	return err
}

// keep scores in a folder as a resumed job does, twice: the second time all is there.
func keep(ctx context.Context, folder string, round int) error {
	model, _, text, err := opened(ctx, round)
	if err != nil {
		return err
	}
	defer model.Close()
	state := filepath.Join(folder, "state")
	for range 2 {
		kept, err := shard.Compute(model, shard.Part{}, state, shard.Origin{})
		if err != nil {
			return err
		}
		kept.Phase("scoring")
		if _, err := kept.Run(ctx, engine.Pass{Sequences: text.Sequences, Observe: []engine.Observer{avss.NewAVSS(avss.Options{})}}); err != nil {
			return err
		}
	}
	return os.RemoveAll(state)
}

func judgeTwo(ctx context.Context, _ string, round int) error {
	model, words, _, err := opened(ctx, round)
	if err != nil {
		return err
	}
	defer model.Close()
	questions, err := bench.Load(ctx, []string{"small_world_qa"}, bench.Source{}, bench.Limit{Items: 8})
	if err != nil {
		return err
	}
	suite, err := bench.Prepare(questions, words, bench.Options{MaxLength: model.Spec.Context})
	if err != nil {
		return err
	}
	drop := engine.Layers(1 + round%(model.Layers()-1))
	_, err = model.Run(ctx, engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{nil, drop}})
	return err
}

func generate(ctx context.Context, _ string, round int) error {
	model, _, text, err := opened(ctx, round)
	if err != nil {
		return err
	}
	defer model.Close()
	_, err = model.Generate(ctx, []engine.Request{{IDs: text.Sequences[0].IDs[:8], Tokens: 8}}, engine.Generating{})
	return err
}

func writePruned(ctx context.Context, folder string, round int) error {
	model, _, _, err := opened(ctx, round)
	if err != nil {
		return err
	}
	defer model.Close()
	out := filepath.Join(folder, "pruned")
	if err := prune.Write(ctx, model, engine.Layers(1+round%(model.Layers()-1)), out, prune.Options{}); err != nil {
		return err
	}
	smaller, err := engine.Open(ctx, out, engine.Options{Options: device.Options{Threads: 1}})
	if err != nil {
		return err
	}
	return errors.Join(smaller.Close(), os.RemoveAll(out))
}

// fail ends somewhere in a pass, and before it writes a model, as an interrupted job does.
func fail(ctx context.Context, folder string, round int) error {
	model, _, text, err := opened(ctx, round)
	if err != nil {
		return err
	}
	defer model.Close()
	ended, cancel := context.WithCancel(ctx)
	defer time.AfterFunc(time.Duration(round%20)*time.Millisecond, cancel).Stop()
	if _, err := model.Run(ended, engine.Pass{Sequences: text.Sequences}); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	cancel()
	if err := prune.Write(ended, model, engine.Layers(1), filepath.Join(folder, "interrupted"), prune.Options{}); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("a model whose writing was cancelled: %w", err)
	}
	return nil
}
