package arch

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"

	"avssnative/engine/device"
)

// A GGUF file says in its own words what a config.json says. This file says it again in those of config.json, so that one file a family
// builds the Spec of both. Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; their meaning: llama.cpp, src/models.

// Limits of what a file may ask for, far above every published model, so that an absurd number is an error and not an allocation.
const (
	mostHeads   = 1 << 12
	mostHeadDim = 1 << 14
	mostExperts = 1 << 12
)

// ggufShape is what the names of a file's tensors and its configuration follow from.
type ggufShape struct {
	layers, blocks           int // computed, and stored: heads that predict further tokens are blocks behind the last layer
	hidden, vocab            int
	heads, kvHeads           int
	headDim, valueDim, inner int
	experts                  int
}

// shape reads the sizes and holds them against the embedding table and the number of tensors, which the file's length bounds.
func (m *ggufMetadata) shape() ggufShape {
	var n ggufShape
	table, found := m.file.Lookup("token_embd.weight")
	if !found || len(table.Shape) != 2 || table.Shape[0] < 1 || table.Shape[1] < 1 || table.Shape[0] > device.MaxExtent || table.Shape[1] > device.MaxExtent {
		m.fail("tensor token_embd.weight: missing, or no [vocabulary × hidden] matrix (shape %v)", table.Shape)
		return n
	}
	n.vocab, n.hidden = int(table.Shape[0]), int(table.Shape[1])
	if stated := m.size("embedding_length", 0, device.MaxExtent); stated != n.hidden {
		m.fail("%s.embedding_length: %d, but token_embd.weight has rows of %d", m.arch, stated, n.hidden)
	}
	n.blocks = m.size("block_count", 0, device.MaxExtent)
	if n.blocks > len(m.file.Tensors()) {
		m.fail("%s.block_count: %d, in a file of %d tensors", m.arch, n.blocks, len(m.file.Tensors()))
	}
	if n.layers = n.blocks - m.count("nextn_predict_layers"); n.layers < 1 {
		m.fail("%s.nextn_predict_layers: %d of %d blocks", m.arch, n.blocks-n.layers, n.blocks)
	}
	n.heads = m.size("attention.head_count", 0, mostHeads)
	n.kvHeads = m.keyValueHeads(n.heads)
	n.headDim = m.size("attention.key_length", max(n.hidden/n.heads, 1), mostHeadDim)
	n.valueDim = m.size("attention.value_length", n.headDim, mostHeadDim)
	if n.inner = 1; !m.uneven || m.count("feed_forward_length") > 0 { // no block may have an MLP
		n.inner = m.size("feed_forward_length", 1, device.MaxExtent)
	}
	// Some converters write a width that the family usually has; the matrix knows better.
	if down, found := m.file.Lookup("blk.0.ffn_down.weight"); found && len(down.Shape) == 2 && down.Shape[1] > 0 && down.Shape[1] <= device.MaxExtent {
		n.inner = int(down.Shape[1])
	}
	if n.experts = m.count("expert_count"); n.experts > mostExperts {
		m.fail("%s.expert_count: %d, want at most %d", m.arch, n.experts, mostExperts)
	}
	return n
}

// keyValueHeads reads their number, which is 0 in the blocks of a list that attend to nothing.
func (m *ggufMetadata) keyValueHeads(heads int) int {
	const key = "attention.head_count_kv"
	value, _ := m.raw(key)
	list := reflect.ValueOf(value)
	if m.uneven && m.count(key) == 0 { // no block may have any
		return heads
	}
	if list.Kind() != reflect.Slice || m.uneven {
		return m.size(key, heads, mostHeads)
	}
	found := 0
	if list.Len() == 0 {
		m.fail("%s.%s: an empty list", m.arch, key)
	}
	for i := range list.Len() {
		n := m.whole(key, list.Index(i).Interface())
		if n > mostHeads || n > 0 && found > 0 && n != found {
			m.fail("%s.%s: %d in block %d; blocks of different sizes are not supported", m.arch, key, n, i)
		}
		found = max(found, n)
	}
	return max(found, 1)
}

// config is what all families have.
func (m *ggufMetadata) config(n ggufShape) map[string]any {
	c := map[string]any{
		"vocab_size": n.vocab, "hidden_size": n.hidden, "num_hidden_layers": n.layers, "intermediate_size": n.inner,
		"num_attention_heads": n.heads, "num_key_value_heads": n.kvHeads, "head_dim": n.headDim,
		"max_position_embeddings": m.size("context_length", 0, mostContext),
		"tie_word_embeddings":     !m.stored("output.weight"),
		"attention_bias":          m.stored("blk.0.attn_q.bias") || m.stored("blk.0.attn_qkv.bias"),
		"mlp_bias":                m.stored("blk.0.ffn_up.bias"),
		"sliding_window":          nil,
	}
	rms, layer := m.number("attention.layer_norm_rms_epsilon"), m.number("attention.layer_norm_epsilon")
	if rms != "" {
		c["rms_norm_eps"] = rms
	}
	for _, spelling := range []string{"layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"} {
		if layer != "" {
			c[spelling] = layer
		}
	}
	if rms == "" && layer == "" {
		m.fail("%s.attention.layer_norm_rms_epsilon: missing, and layer_norm_epsilon too", m.arch)
	}
	m.rope(c, n)
	return c
}

// rope says how positions turn queries and keys.
func (m *ggufMetadata) rope(c map[string]any, n ggufShape) {
	c["rope_theta"] = json.Number("10000")
	if base := m.number("rope.freq_base"); base != "" {
		c["rope_theta"] = base
	}
	c["partial_rotary_factor"] = 1
	if turned := m.count("rope.dimension_count"); turned > n.headDim {
		m.fail("%s.rope.dimension_count: %d of heads of %d", m.arch, turned, n.headDim)
	} else if turned > 0 && turned < n.headDim {
		// Half an element more, so that a share of dim that floats cannot hold exactly still means the same whole number.
		c["partial_rotary_factor"] = (float64(turned) + 0.5) / float64(n.headDim)
	}
	scaling := map[string]any{}
	factor := m.float("rope.scaling.factor", m.float("rope.scale_linear", 0))
	kind := m.text("rope.scaling.type")
	if kind == "" && factor > 0 {
		kind = "linear"
	}
	if before := m.count("rope.scaling.original_context_length"); before > 0 {
		scaling["original_max_position_embeddings"] = before
	}
	switch kind {
	case "", "none":
		return
	case "linear":
		if factor == 0 || factor == 1 {
			return
		}
		scaling["factor"] = factor
	case "yarn":
		if factor <= 0 {
			m.fail("%s.rope.scaling.factor: %v, want a number above 0 for yarn", m.arch, factor)
			return
		}
		scaling["factor"] = factor
		scaling["beta_fast"] = m.float("rope.scaling.yarn_beta_fast", 32)
		scaling["beta_slow"] = m.float("rope.scaling.yarn_beta_slow", 1)
		widen := func(by float64) float64 { return 0.1*by*math.Log(max(factor, 1)) + 1 }
		attention := widen(1) * m.float("rope.scaling.attn_factor", 1)
		if all := m.float("rope.scaling.yarn_log_multiplier", 0); all != 0 { // mscale_all_dim, beside an mscale of 1
			attention /= widen(all)
		}
		scaling["attention_factor"] = attention
		if beta := m.float("attention.temperature_scale", 0); beta != 0 {
			scaling["llama_4_scaling_beta"] = beta
		}
	case "longrope":
		long, short := m.values("rope_factors_long.weight", mostHeadDim), m.values("rope_factors_short.weight", mostHeadDim)
		if long == nil || short == nil {
			m.fail("tensor rope_factors_long.weight or rope_factors_short.weight: missing, wanted by rope.scaling.type longrope")
			return
		}
		scaling["long_factor"], scaling["short_factor"] = long, short
		if m.has("rope.scaling.attn_factor") {
			scaling["attention_factor"] = m.float("rope.scaling.attn_factor", 1)
		}
		c["original_max_position_embeddings"] = scaling["original_max_position_embeddings"]
	default:
		m.fail("%s.rope.scaling.type: %.40q is not known here; known: none, linear, yarn, longrope", m.arch, kind)
		return
	}
	scaling["rope_type"] = kind
	c["rope_scaling"] = scaling
}

// windows gives layer_types by the file's pattern: a list with true where a block slides, a period, or the family's own period. Of each
// period the last block is full.
func (m *ggufMetadata) windows(c map[string]any, n ggufShape, period int) {
	window := m.count("attention.sliding_window")
	if window > 0 {
		c["sliding_window"] = window
	}
	full := func(layer int) bool { return period > 0 && (layer+1)%period == 0 }
	key := "attention.sliding_window_pattern"
	value, _ := m.raw(key)
	switch pattern := value.(type) {
	case nil:
	case []bool:
		if len(pattern) != n.blocks {
			m.fail("%s.%s: %d values for %d blocks", m.arch, key, len(pattern), n.layers)
			return
		}
		full = func(layer int) bool { return !pattern[layer] }
	default:
		if reflect.ValueOf(value).Kind() == reflect.Slice {
			m.fail("%s.%s: a %T, want true or false a block", m.arch, key, value)
			return
		}
		period = m.count(key)
	}
	kinds := make([]string, 0, n.layers)
	for layer := range n.layers {
		kind := "sliding_attention"
		if window == 0 || full(layer) {
			kind = "full_attention"
		}
		kinds = append(kinds, kind)
	}
	c["layer_types"] = kinds
}

// parsed turns the values into a Config, as if read from a config.json.
func parsed(c map[string]any) (*Config, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("metadata as a configuration: %w", err)
	}
	return ParseConfig(text)
}
