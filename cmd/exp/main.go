package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"avssnative/calib"
	"avssnative/engine"
	_ "avssnative/engine/cpu"
	_ "avssnative/engine/weights/demo"
	"avssnative/prune"
	"avssnative/tokenizer"
)

func main() {
	model := flag.String("model", "", "")
	fit := flag.String("fit", "", "")
	test := flag.String("test", "", "")
	drops := flag.String("drop", "", "")
	tokens := flag.Int("tokens", 12288, "")
	n := flag.Int("test-tokens", 6144, "")
	inner := flag.Bool("inner", false, "")
	skip := flag.Int("skip", 1, "")
	sweeps := flag.Int("sweeps", 1, "")
	bos := flag.String("bos", "no", "")
	flag.Parse()
	ctx := context.Background()
	m, err := engine.Open(ctx, *model, engine.Options{})
	die(err)
	words, err := tokenizer.Open(m.Path())
	die(err)
	f, err := calib.Read(ctx, m, words, calib.Options{Files: strings.Split(*fit, ","), Tokens: *tokens, BOS: tokenizer.BOS(*bos)})
	die(err)
	t, err := calib.Read(ctx, m, words, calib.Options{Files: []string{*test}, Tokens: *n, BOS: tokenizer.BOS(*bos)})
	die(err)
	for i := range t.Sequences {
		t.Sequences[i].ScoreFrom, t.Sequences[i].ScoreTo = 1, len(t.Sequences[i].IDs)
	}
	drop, err := engine.ParseDrop(*drops)
	die(err)
	begin := time.Now()
	r, left, err := prune.Experiment(ctx, m, f.Sequences, drop, *inner, *skip, *sweeps)
	die(err)
	took := time.Since(begin)
	fmt.Fprintln(os.Stderr, left)
	begin = time.Now()
	o, err := m.Run(ctx, engine.Pass{Sequences: t.Sequences, Variants: []engine.Drop{nil, drop, drop}, Repairs: []*engine.Repair{nil, nil, r}, Diverge: true})
	die(err)
	for v, name := range []string{"dense", "plain", "repaired"} {
		var s engine.Score
		for _, q := range o.Scores[v] {
			s = s.Add(q.Score)
		}
		fmt.Printf("%s: ppl %.2f KL %.4f same %.3f\n", name, math.Exp(-s.LogLikelihood/float64(s.Tokens)), s.KL/float64(s.Tokens), float64(s.SameTop)/float64(s.Tokens))
	}
	fmt.Println("fit", f.Tokens, "tokens", took, "judged", time.Since(begin))
}

func die(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
