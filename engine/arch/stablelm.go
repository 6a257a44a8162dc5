package arch

import "fmt"

// StableLM 2 and StableLM-3B-4E1T (arXiv 2402.17834): Llama's block with layer norms and a quarter of every head rotated. Larger ones put
// attention and MLP side by side and norm each head's queries and keys by weights of its own.
func init() {
	Register(Family{ModelTypes: []string{"stablelm", "stablelm_epoch"}, Build: buildStableLM})
}

func buildStableLM(b *Builder) *Spec {
	parallel, eps := b.BoolOr("use_parallel_residual", false), b.Eps("layer_norm_eps|norm_eps", 1e-5)
	norms := [2]string{}
	if parallel {
		norms[1] = "-"
	}
	s := b.decoder(decoder{eps: 1e-5, epsKey: "layer_norm_eps|norm_eps", kvHeads: 32, share: 0.25, attentionB: b.BoolOr("use_qkv_bias", false), norm: layerNorm, norms: norms})
	for i := range s.Blocks {
		s.Blocks[i].Parallel, s.Blocks[i].SharedNorm = parallel, parallel
		if b.BoolOr("qk_layernorm", false) {
			a, l := s.attention(i), b.Layer("layers", i)
			a.QNorm, a.KNorm = l.normsOfHeads("self_attn.q_layernorm", a.Heads, a.HeadDim, eps), l.normsOfHeads("self_attn.k_layernorm", a.KVHeads, a.HeadDim, eps)
		}
	}
	return s
}

// normsOfHeads is a layer norm of every head with weights of its own, each in a tensor of its own.
func (b *Builder) normsOfHeads(name string, heads, headDim int, eps float64) NormSpec {
	s := b.LayerNorm(name+".norms.0", headDim, eps, false)
	s.Groups, s.Weight.Out = heads, heads*headDim
	for i := 1; i < heads; i++ {
		s.Weight.Joined = append(s.Weight.Joined, fmt.Sprintf("%s%s.norms.%d.weight", b.prefix, name, i))
	}
	return s
}
