package gguf

import (
	"fmt"
	"slices"
)

// What llama.cpp (src/models/*.cpp, functions load_arch_hparams and the graphs; read in the release that llama-cpp-python 0.3.36 holds)
// takes from a block's number or from the number of blocks, and not from the file. DropBlocks writes the list that says it block by block
// where llama.cpp reads one, and refuses where there is no such list, because the file would be another model.

// period says that every n-th block is of another kind than those between: block i where i mod n is rest.
type period struct {
	n, rest int64  // rest -1 means n-1, the last of each n
	every   string // key that holds n, where the file has it
	list    string // key of a list with true for each block between; "": llama.cpp reads none
	when    string // key that must be above 0, else all blocks are of one kind
}

const (
	windowKey    = "attention.sliding_window"
	windowList   = "attention.sliding_window_pattern"
	recurrent    = "attention.recurrent_layers"
	attendsEvery = "full_attention_interval"
)

// window is full attention in the last (or first) of each n blocks and a sliding window in the others.
func window(n, rest int64, when string) period {
	return period{n: n, rest: rest, every: windowList, list: windowList, when: when}
}

// attends is full attention in the last of each n blocks, a recurrent layer in the others.
func attends(n int64) period {
	return period{n: n, rest: -1, every: attendsEvery, list: recurrent}
}

// periods by architecture.
var periods = map[string][]period{
	"gemma2":          {window(2, -1, "")},
	"gemma3":          {window(6, -1, windowKey)},
	"gemma-embedding": {window(6, -1, "")},
	"cohere2":         {window(4, -1, "")},
	"cohere2moe":      {window(4, 0, "")},
	"gpt-oss":         {window(2, -1, "")},
	"exaone4":         nil, // windows only with 64 blocks, see counts
	"exaone-moe":      {window(4, -1, "")},
	"laguna":          {window(4, 0, windowKey)},
	"mellum":          {window(4, -1, windowKey)},
	"modern-bert":     {window(3, 0, windowKey)},
	"muse-glimmer":    {window(4, -1, "")},
	"olmo2":           {window(4, -1, windowKey)},
	"plamo3":          {window(8, -1, windowKey)},
	"qwen3next":       {attends(4)},
	"qwen35":          {attends(4)},
	"qwen35moe":       {attends(4)},
	"qwen4exp":        {attends(4)},
	"minimax-01":      {attends(8)},
	// Blocks without rotary positions go by number alone, whatever the list of windows says.
	"smollm3":      {{n: 4, rest: -1}},
	"afmoe":        {window(4, -1, windowKey), {n: 4, rest: -1}},
	"llama4":       {window(4, -1, ""), {n: 4, rest: -1}, {rest: -1, every: "interleave_moe_layer_step"}},
	"smallthinker": {window(4, 0, windowKey), {n: 4, rest: 0, when: windowKey}},
	// Blocks with experts.
	"ernie4_5-moe":   {{rest: -1, every: "interleave_moe_layer_step"}},
	"nomic-bert-moe": {{rest: 1, every: "moe_every_n_layers"}},
}

// otherPeriods are keys that hold such an n for architectures that periods does not know.
var otherPeriods = []period{
	{rest: -1, every: windowList}, {rest: -1, every: attendsEvery}, {rest: -1, every: "interleave_moe_layer_step"}, {rest: 1,
		every: "moe_every_n_layers"},
}

// kinds returns the lists that must be written so that the kept blocks remain what they were, or an error where none could say it.
func kinds(f *File, arch string, count int, kept []int) ([]KV, error) {
	if len(kept) == count {
		return nil, nil
	}
	if err := checkCount(f, arch, count, len(kept)); err != nil {
		return nil, err
	}
	if n, _, _ := f.Integer(arch + ".attention.shared_kv_layers"); n > 0 {
		return nil, fmt.Errorf("the last %d blocks share keys and values of earlier ones by number, so no block can be dropped", n)
	}
	if _, there := f.Lookup("per_layer_token_embd.weight"); there {
		return nil, fmt.Errorf("per_layer_token_embd.weight holds values of all blocks side by side, so no block can be dropped")
	}
	rules, known := periods[arch]
	if !known {
		rules = otherPeriods
	}
	var lists []KV
	for _, p := range rules {
		list, err := p.keep(f, arch, kept)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list...)
	}
	return lists, nil
}

// keep returns the list of one period where the kept blocks need it.
func (p period) keep(f *File, arch string, kept []int) ([]KV, error) {
	n := p.n
	if p.every != "" {
		switch value, present, err := f.Integer(arch + "." + p.every); {
		case err != nil: // a list: it is cut like any other
			return nil, nil
		case present:
			n = value
		}
	}
	if p.list != "" && p.list != p.every {
		if _, present, _ := Get[any](f, arch+"."+p.list); present {
			return nil, nil
		}
	}
	if p.when != "" {
		if value, _, _ := f.Integer(arch + "." + p.when); value <= 0 {
			return nil, nil
		}
	}
	if n < 2 { // all blocks of one kind
		return nil, nil
	}
	rest := (p.rest + n) % n
	between := make([]bool, len(kept))
	moved := -1
	for i, block := range kept {
		between[i] = int64(block)%n != rest
		if moved < 0 && between[i] != (int64(i)%n != rest) {
			moved = i
		}
	}
	switch {
	case moved < 0:
		return nil, nil
	case p.list != "":
		return []KV{{Key: arch + "." + p.list, Value: between}}, nil
	}
	return nil, fmt.Errorf("block %d would become block %d, which %s takes for another kind: every %d. block differs, and the format has no key to say otherwise",
		kept[moved], moved, arch, n)
}

// counts are numbers of blocks that llama.cpp takes for a certain published model, with arithmetic of its own.
var counts = map[string]struct {
	special []int
	what    string
}{
	"exaone4":   {[]int{64}, "whether windows slide"},
	"gemma2":    {[]int{46}, "how attention is scaled"},
	"gemma3":    {[]int{62}, "how attention is scaled"},
	"baichuan":  {[]int{32}, "rotary positions or linear biases"},
	"deepseek2": {[]int{26, 27, 48}, "whether queries are compressed"},
}

// checkCount refuses to leave or enter a number of blocks that means something by itself.
func checkCount(f *File, arch string, before, after int) error {
	rule, known := counts[arch]
	if !known || slices.Contains(rule.special, before) == slices.Contains(rule.special, after) {
		return nil
	}
	switch arch {
	case "gemma2", "gemma3": // 1/√(hidden/heads) instead of 1/√key_length: no matter where both are the same
		hidden, _, _ := f.Integer(arch + ".embedding_length")
		heads, _, _ := f.Integer(arch + ".attention.head_count")
		key, present, _ := f.Integer(arch + ".attention.key_length")
		if heads > 0 && (!present || hidden/heads == key) {
			return nil
		}
	case "deepseek2": // of 48 blocks only the model with this vocabulary
		vocab, _, _ := f.Integer(arch + ".vocab_size")
		if vocab != 128256 && (before == 48 && !slices.Contains(rule.special[:2], after) || after == 48 && !slices.Contains(rule.special[:2], before)) {
			return nil
		}
	}
	return fmt.Errorf("%s with %d blocks instead of %d: llama.cpp decides %s by the number of blocks (%v are special), and the format has no key to say otherwise",
		arch, after, before, rule.what, rule.special)
}
