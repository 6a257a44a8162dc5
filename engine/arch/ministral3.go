package arch

import "encoding/json"

// Ministral 3 (Mistral AI 2025): Mistral's block with YaRN, and queries that grow with their position as in Llama 4.
func init() {
	Register(Family{ModelTypes: []string{"ministral3"}, Build: func(b *Builder) *Spec {
		if !b.Has("rope_parameters") && !b.Has("rope_scaling") {
			b.Config = b.with("rope_parameters", map[string]any{"rope_type": "yarn", "rope_theta": jsonNumber(1000000), "factor": jsonNumber(16),
				"original_max_position_embeddings": jsonNumber(16384), "beta_fast": jsonNumber(32), "beta_slow": jsonNumber(1),
				"mscale": jsonNumber(1), "mscale_all_dim": jsonNumber(1), "llama_4_scaling_beta": json.Number("0.1")})
		}
		s := b.decoder(decoder{eps: 1e-5, kvHeads: 8, headDim: 128}).window(b.windowOr(0))
		c := b.Section("rope_parameters")
		if scaling := b.Section("rope_scaling"); len(scaling.values) > 0 {
			c = scaling
		}
		if beta := c.FloatOr("llama_4_scaling_beta", 0); beta != 0 {
			for i := range s.Blocks {
				s.attention(i).Temperature = Temperature{Beta: beta, Length: b.original(c)}
			}
		}
		return s
	}})
}
