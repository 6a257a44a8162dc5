package arch

import (
	"encoding/json"

	"avssnative/engine/device"
)

// gpt-oss (arXiv 2508.10925): every other layer slides, every head has a sink, experts with biases whose gate and up come by turns and
// are clamped, weighed by a softmax over those chosen.
func init() {
	Register(Family{ModelTypes: []string{"gpt_oss"}, Drop: dropRule(gptOssSlides), Build: buildGPTOSS})
}

func gptOssSlides(layer int) string {
	if layer%2 == 0 {
		return slidingAttention
	}
	return fullAttention
}

func buildGPTOSS(b *Builder) *Spec {
	if !b.Has("rope_parameters") && !b.Has("rope_scaling") {
		b.Config = b.with("rope_parameters", map[string]any{"rope_type": "yarn", "factor": jsonNumber(32), "beta_fast": jsonNumber(32),
			"beta_slow": json.Number("1"), "truncate": false, "original_max_position_embeddings": jsonNumber(4096)})
	}
	biased := b.BoolOr("attention_bias", true)
	s := b.decoder(decoder{eps: 1e-5, theta: 150000, kvHeads: 8, headDim: 64, attentionB: biased, outputB: biased})
	act := device.Activation{Kind: device.SwiGLUClamped, Alpha: float32(b.FloatOr("swiglu_alpha", 1.702)), Limit: float32(b.FloatOr("swiglu_limit", 7))}
	for i := range s.Blocks {
		l := b.Layer("layers", i)
		s.attention(i).SinkLogits = l.Vector("self_attn.sinks", s.attention(i).Heads)
		s.Blocks[i].MLP = l.mixture(experts{hidden: s.Hidden, inner: b.Int("intermediate_size"), count: b.expertCount(), activation: act,
			routerB: true, expertB: true, byColumns: true, gateUp: true,
			routing: Routing{Score: SoftmaxTop, Top: b.IntOr("num_experts_per_tok|experts_per_token", 4)}})
	}
	return s.slide(b.layerKinds(len(s.Blocks), gptOssSlides, fullAttention, slidingAttention), b.windowOr(128))
}
