package arch

import (
	"encoding/json"
	"math"

	"avssnative/engine/device"
)

// Apertus (arXiv 2509.14233): no gate but xIELU (arXiv 2411.13010), whose two trained and two fixed parameters are stored a layer, and norms
// on every head's queries and keys.
func init() {
	Register(Family{ModelTypes: []string{"apertus"}, Build: buildApertus})
}

func buildApertus(b *Builder) *Spec {
	if !b.Has("rope_parameters") && !b.Has("rope_scaling") {
		b.Config = b.with("rope_parameters", map[string]any{"rope_type": "llama3", "rope_theta": jsonNumber(12000000), "factor": jsonNumber(8),
			"original_max_position_embeddings": jsonNumber(8192), "low_freq_factor": json.Number("1"), "high_freq_factor": json.Number("4")})
	}
	biased, own := b.BoolOr("attention_bias", false), b.StringOr("hidden_act", "xielu") == "xielu"
	o := decoder{eps: 1e-5, theta: 12000000, plain: true, attentionB: biased, outputB: biased, norms: [2]string{"attention_layernorm", "feedforward_layernorm"}}
	if own {
		o.actKey, o.act = "xielu", "linear"
	}
	s := b.decoder(o).headNorms(b, "self_attn.q_norm", "self_attn.k_norm", b.Eps("rms_norm_eps", 1e-5), 0)
	for i := range s.Blocks {
		if own {
			b.Layer("layers", i).xielu(s.Blocks[i].MLP.(*GatedSpec))
		}
	}
	return s
}

// xielu reads the activation's parameters: αp = softplus(alpha_p), αn = β + softplus(alpha_n).
func (b *Builder) xielu(mlp *GatedSpec) {
	read := func(name string, shape ...int) float64 {
		r := Ref{Name: b.prefix + "mlp.act_fn." + name, Shape: shape, Out: 1}
		mlp.Read = append(mlp.Read, r)
		values, err := r.Values(b.tensors)
		if err != nil || len(values) == 0 {
			return 0 // the Spec's check says what is wrong with it
		}
		return float64(values[0])
	}
	softplus := func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	beta := read("beta")
	mlp.Activation = device.Activation{Kind: device.XIELU, Beta: float32(beta), Eps: float32(read("eps")),
		AlphaP: float32(softplus(read("alpha_p", 1))), AlphaN: float32(beta + softplus(read("alpha_n", 1)))}
}
