package gguf

import "fmt"

// period says that every n-th block is of another kind than those between: block i where i mod n is rest. n is given, or stands in the
// key of the architecture.
type period struct {
	n, rest int64 // rest -1 means n-1, the last of each n
	unless  string
	only    string
}

// periods holds what llama.cpp (src/llama-model.cpp, hyperparameters of each architecture) computes from a block's number. unless names a
// key whose list says it block by block; only names a key without which all blocks are of one kind.
var periods = map[string][]period{
	"gemma2":          {{n: 2, rest: -1, unless: "attention.sliding_window_pattern"}},
	"gemma3":          {{n: 6, rest: -1, unless: "attention.sliding_window_pattern"}},
	"gemma3n":         {{n: 5, rest: -1, unless: "attention.sliding_window_pattern"}},
	"gemma-embedding": {{n: 6, rest: -1, unless: "attention.sliding_window_pattern"}},
	"cohere2":         {{n: 4, rest: -1, unless: "attention.sliding_window_pattern"}},
	"gpt-oss":         {{n: 2, rest: -1, unless: "attention.sliding_window_pattern"}},
	"llama4":          {{n: 4, rest: -1, unless: "attention.sliding_window_pattern"}},
	"olmo2":           {{n: 4, rest: -1, unless: "attention.sliding_window_pattern", only: "attention.sliding_window"}},
	"exaone4":         {{n: 4, rest: -1, unless: "attention.sliding_window_pattern", only: "attention.sliding_window"}},
	"smallthinker":    {{n: 4, rest: 0, unless: "attention.sliding_window_pattern", only: "attention.sliding_window"}},
	"smollm3":         {{n: 4, rest: -1}},
}

// periodKeys are keys that hold such an n, for any architecture.
var periodKeys = []string{"attention.sliding_window_pattern", "full_attention_interval", "interleave_moe_layer_step", "moe_every_n_layers"}

// checkKinds returns an error where a kept block's new number would make it a block of another kind.
func checkKinds(f *File, arch string, kept []int) error {
	all := periods[arch]
	for _, key := range periodKeys {
		if n, present, err := f.Integer(arch + "." + key); present && err == nil && n > 1 {
			all = append([]period{{n: n, rest: -1}}, all...)
		}
	}
	for _, p := range all {
		if value, present := f.keys[arch+"."+p.unless]; p.unless != "" && present {
			if _, scalar := integer(f.found.metadata[value].Value); !scalar {
				continue
			}
		}
		if _, present := f.keys[arch+"."+p.only]; p.only != "" && !present {
			continue
		}
		rest := (p.rest + p.n) % p.n
		for i, block := range kept {
			if (int64(block)%p.n == rest) != (int64(i)%p.n == rest) {
				return fmt.Errorf("block %d would become block %d, which %s takes for another kind: every %d. block differs, and the format has no key to say otherwise",
					block, i, arch, p.n)
			}
		}
	}
	if n, present, _ := f.Integer(arch + ".attention.shared_kv_layers"); present && n > 0 {
		for i, block := range kept {
			if i != block {
				return fmt.Errorf("the last %d blocks share keys and values of earlier ones by number; none can be dropped before them", n)
			}
		}
	}
	return nil
}
