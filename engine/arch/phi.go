package arch

import (
	"avssnative/engine/device"
)

// Phi (arXiv 2309.05463): layer norms, attention and MLP side by side on one norm of the block's input, biases everywhere.
// Phi-3 (arXiv 2404.14219) is Llama's block with queries, keys, values in one matrix and gate and up in another.
func init() {
	Register(Family{ModelTypes: []string{"phi"}, Build: buildPhi})
	Register(Family{ModelTypes: []string{"phi3"}, Build: buildPhi3})
}

func buildPhi(b *Builder) *Spec {
	eps := b.Eps("layer_norm_eps", 1e-5)
	s := b.decoder(decoder{eps: 1e-5, epsKey: "layer_norm_eps", share: 0.5, plain: true, act: "gelu_new", headB: true,
		attentionB: true, outputB: true, mlpB: true, norm: layerNorm, norms: [2]string{"", "-"}, final: "final_layernorm",
		names: [4]string{"self_attn.dense", "", "mlp.fc1", "mlp.fc2"}})
	for i := range s.Blocks {
		s.Blocks[i].Parallel, s.Blocks[i].SharedNorm = true, true
		if a := s.attention(i); b.BoolOr("qk_layernorm", false) {
			l := b.Layer("layers", i)
			a.QNorm, a.KNorm = l.LayerNorm("self_attn.q_layernorm", a.HeadDim, eps, true), l.LayerNorm("self_attn.k_layernorm", a.HeadDim, eps, true)
			a.QNorm.Groups, a.KNorm.Groups = a.Heads, a.KVHeads
		}
	}
	return s
}

func buildPhi3(b *Builder) *Spec {
	// Older configurations call the rotary type that they then had alone "yarn"; it is longrope. The length that it stretches is the
	// configuration's own key, 4096 where absent.
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		if c := b.Section(key); c.StringOr("rope_type|type", "") == "yarn" {
			b.Config = b.with(key, c.with("rope_type", "longrope").values)
		}
	}
	if !b.Has("original_max_position_embeddings") {
		b.Config = b.with("original_max_position_embeddings", jsonNumber(4096))
	}
	s := b.decoder(decoder{eps: 1e-5}).window(b.windowOr(0))
	for i := range s.Blocks {
		l, a := b.Layer("layers", i), s.attention(i)
		q, kv := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
		qkv := l.Linear("self_attn.qkv_proj", q+2*kv, s.Hidden, false)
		a.Q, a.K, a.V = qkv.Part(device.Segment{At: 0, Count: q}), qkv.Part(device.Segment{At: q, Count: kv}), qkv.Part(device.Segment{At: q + kv, Count: kv})
		l.fuseGate(s.Blocks[i].MLP.(*GatedSpec))
	}
	return s
}

// fuseGate reads gate and up from one matrix, the gate's rows first.
func (b *Builder) fuseGate(mlp *GatedSpec) {
	inner, hidden := mlp.Up.Weight.Out, mlp.Up.Weight.In
	both := b.Linear("mlp.gate_up_proj", 2*inner, hidden, false)
	mlp.Gate, mlp.Up = both.Part(device.Segment{At: 0, Count: inner}), both.Part(device.Segment{At: inner, Count: inner})
}
