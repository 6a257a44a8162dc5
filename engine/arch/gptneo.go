package arch

import "fmt"

// GPT-Neo (Black et al. 2021): GPT-2 with linear layers stored [out × in], scores that are not scaled, and layers that see a window by
// turns. Attention_types gives the turns as [[["global", "local"], 12]]: repeated lists.
func init() {
	Register(Family{ModelTypes: []string{"gpt_neo"}, Build: buildGPTNeo, Drop: dropGPTNeo})
}

func buildGPTNeo(b *Builder) *Spec {
	b.Prefix("wte.weight", "transformer.", "")
	hidden, heads, layers := b.Int("hidden_size"), b.Int("num_heads|num_attention_heads"), b.Int("num_layers|num_hidden_layers")
	inner := b.IntOr("intermediate_size", 4*hidden)
	eps := b.Eps("layer_norm_epsilon", 1e-5)
	act := b.Activation("activation_function", "gelu_new")
	kinds, err := gptNeoKinds(b.Config)
	if err != nil {
		b.Fail("%v", err)
	}
	if len(kinds) != layers {
		b.Fail("attention_types: speaks of %d layers, want %d", len(kinds), layers)
		kinds = make([]any, layers)
	}
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), Context: b.Context("max_position_embeddings", 2048), BlockPrefix: b.prefix + "h.%d."}
	s.Embed.Table = b.Matrix("wte.weight", s.Vocab, hidden)
	s.Embed.Positions = b.Matrix("wpe.weight", s.Context, hidden)
	for i := range layers {
		l := b.Layer("h", i)
		attention := Causal(heads, heads, hidden/heads)
		attention.Scale = 1
		switch kinds[i] {
		case "local":
			attention.Window = b.IntOr("window_size", 256)
		case "global", nil:
		default:
			b.Choose("attention_types", fmt.Sprint(kinds[i]), "global", "local")
		}
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1: l.LayerNorm("ln_1", hidden, eps, true),
			Norm2: l.LayerNorm("ln_2", hidden, eps, true),
			Mixer: &AttentionSpec{
				Q:         l.Linear("attn.attention.q_proj", hidden, hidden, false),
				K:         l.Linear("attn.attention.k_proj", hidden, hidden, false),
				V:         l.Linear("attn.attention.v_proj", hidden, hidden, false),
				O:         l.Linear("attn.attention.out_proj", hidden, hidden, true),
				Attention: attention,
			},
			MLP: &GatedSpec{Up: l.Linear("mlp.c_fc", inner, hidden, true), Down: l.Linear("mlp.c_proj", hidden, inner, true), Activation: act},
		})
	}
	s.Final = b.LayerNorm("ln_f", hidden, eps, true)
	s.Head.Output = b.Output("lm_head", s.Vocab, hidden, b.BoolOr("tie_word_embeddings", true), s.Embed.Table)
	return s
}

// gptNeoKinds writes the turns out, a text a layer.
func gptNeoKinds(c *Config) ([]any, error) {
	types := c.list("attention_types")
	if types == nil {
		types = []any{[]any{[]any{"global", "local"}, jsonNumber(12)}}
	}
	var kinds []any
	for _, t := range types {
		pair, ok := t.([]any)
		if !ok || len(pair) != 2 {
			return nil, fmt.Errorf("attention_types: %v, want [[kinds …], times]", t)
		}
		turn, ok := pair[0].([]any)
		times := c.integer("attention_types", pair[1])
		if !ok || times < 0 || times*len(turn) > maxLayers {
			return nil, fmt.Errorf("attention_types: %v, want [[kinds …], times]", t)
		}
		for range times {
			kinds = append(kinds, turn...)
		}
	}
	return kinds, c.Err()
}

// maxLayers bounds what a configuration may ask for.
const maxLayers = 1 << 16

// dropGPTNeo keeps the turns of the layers that stay, each written once.
func dropGPTNeo(config map[string]any, layers int, kept []int) error {
	kinds, err := gptNeoKinds(AsConfig(config))
	if err != nil {
		return err
	}
	config["attention_types"] = []any{[]any{KeepOnly(kinds, kept), 1}}
	return nil
}
