// Package bench judges models: multiple choice and rolling log-likelihood by the rules of lm-evaluation-harness, four named conventions
// of perplexity, what a smaller model kept of the whole one, and sweeps of many smaller models in as few walks through the model as
// the memory allows.
//
// Nothing here computes a model. Load reads tasks, Prepare turns them into sequences of tokens, whoever owns a pass (engine.Model.Run)
// runs them, alone or beside other sequences and variants, and Suite.Score turns what came out into results:
//
//	sets, err := bench.Load(ctx, []string{"small_world", "sst2"}, bench.Source{Dir: "data/eval"}, bench.Limit{Items: 200})
//	suite, err := bench.Prepare(sets, tokenizer, bench.Options{MaxLength: 512})
//	outcome, err := model.Run(ctx, engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{nil, engine.Layers(3, 7)}, Diverge: true})
//	whole, err := suite.Score(outcome.Scores[0])
//	small, err := suite.Score(outcome.Scores[1])
//	judgement, err := bench.Compare(whole, small, 0)
//
// A new task is one file: it names its version, its metrics and its files, and says how a line becomes an Item.
package bench
