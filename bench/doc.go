// Package bench judges models: multiple choice and rolling log-likelihood by the rules of lm-evaluation-harness, four named conventions
// of perplexity, what a pruned model kept of the dense one, and sweeps of many pruned models in as few walks through the model as
// the memory allows.
//
// Nothing here computes a model. Load reads tasks, Prepare turns them into sequences of tokens, whoever owns a pass (engine.Model.Run)
// runs them, alone or beside other sequences and variants, and Suite.Score turns what came out into results:
//
//	sets, err := bench.Load(ctx, []string{"small_world", "sst2"}, bench.Source{Dir: "data/eval"}, bench.Limit{Items: 200})
//	suite, err := bench.Prepare(sets, tokenizer, bench.Options{MaxLength: 512})
//	outcome, err := model.Run(ctx, engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{nil, engine.Layers(3, 7)}, Diverge: true})
//	dense, err := suite.Score(outcome.Scores[0])
//	pruned, err := suite.Score(outcome.Scores[1])
//	comparison, err := bench.Compare(dense, pruned, 0)
//
// A new task is one file that calls Register, here or outside (docs/adding/task.md), or a file of items and no code at all (Load).
package bench
