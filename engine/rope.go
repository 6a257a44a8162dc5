package engine

import "math"

// RopeScaling reads rotary positions in both spellings: transformers 5 writes rope_parameters, everything published before has rope_theta,
// rope_scaling and a partial factor under several names. dim is the number of columns of a head that could rotate, theta the family's base.
// kind picks the entry of a table keyed by layer type; empty where there is one rope for all layers.
func (b *Builder) RopeScaling(dim int, theta float64, kind string) *Rope {
	return b.partialRope(dim, theta, 1, kind)
}

// partialRope is RopeScaling for families that rotate only the given share of a head unless told otherwise.
func (b *Builder) partialRope(dim int, theta, share float64, kind string) *Rope {
	c := b.Section("rope_parameters")
	if kind != "" && c.Has(kind) {
		c = c.Section(kind)
	}
	theta = c.FloatOr("rope_theta", b.FloatOr("rope_theta|rotary_emb_base", theta))
	if !b.Has("rope_parameters") {
		c = b.Section("rope_scaling")
	}
	partial := b.Section("rope_parameters").FloatOr("partial_rotary_factor", b.FloatOr("partial_rotary_factor|rotary_pct|rope_pct", share))
	partial = c.FloatOr("partial_rotary_factor", partial)
	rotated := int(float64(dim)*partial) / 2 * 2
	r := &Rope{HeadDim: dim, Frequencies: make([]float64, rotated/2), Scale: 1}
	for i := range r.Frequencies {
		r.Frequencies[i] = math.Pow(theta, -2*float64(i)/float64(rotated))
	}
	name := c.StringOr("rope_type|type", "default")
	switch name {
	case "default", "mrope":
	case "linear":
		factor := c.FloatOr("factor", 1)
		for i := range r.Frequencies {
			r.Frequencies[i] /= factor
		}
	case "llama3":
		b.ropeLlama3(r, c)
	case "yarn":
		b.ropeYarn(r, c, theta, rotated)
	default:
		b.Choose("rope_type", name, "default", "linear", "llama3", "yarn")
	}
	return r
}

// ropeLlama3 keeps fast rotations, slows slow ones by factor, and blends between (Llama 3.1, section 3 of arXiv 2407.21783).
func (b *Builder) ropeLlama3(r *Rope, c *Config) {
	factor, low, high := c.FloatOr("factor", 8), c.FloatOr("low_freq_factor", 1), c.FloatOr("high_freq_factor", 4)
	before := float64(c.IntOr("original_max_position_embeddings", b.IntOr("max_position_embeddings", 8192)))
	for i, f := range r.Frequencies {
		wavelength := 2 * math.Pi / f
		switch {
		case wavelength > before/low:
			r.Frequencies[i] = f / factor
		case wavelength >= before/high:
			smooth := (before/wavelength - low) / (high - low)
			r.Frequencies[i] = (1-smooth)*f/factor + smooth*f
		}
	}
}

// ropeYarn blends interpolated and original frequencies along the dimensions, and widens the logits (arXiv 2309.00071, section 3).
func (b *Builder) ropeYarn(r *Rope, c *Config, theta float64, dim int) {
	longest := float64(b.IntOr("max_position_embeddings", 2048))
	before := float64(c.IntOr("original_max_position_embeddings", int(longest)))
	factor := c.FloatOr("factor", longest/before)
	widen := func(scale, by float64) float64 {
		if scale <= 1 {
			return 1
		}
		return 0.1*by*math.Log(scale) + 1
	}
	attention := widen(factor, 1)
	if m, all := c.FloatOr("mscale", 0), c.FloatOr("mscale_all_dim", 0); m != 0 && all != 0 {
		attention = widen(factor, m) / widen(factor, all)
	}
	r.Scale = float32(c.FloatOr("attention_factor", attention))
	turns := func(n float64) float64 { // the dimension that makes n turns over the original length
		return float64(dim) * math.Log(before/(n*2*math.Pi)) / (2 * math.Log(theta))
	}
	low, high := turns(c.FloatOr("beta_fast", 32)), turns(c.FloatOr("beta_slow", 1))
	if c.BoolOr("truncate", true) {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(dim-1))
	if low == high {
		high += 0.001
	}
	for i, f := range r.Frequencies {
		ramp := min(max((float64(i)-low)/(high-low), 0), 1)
		r.Frequencies[i] = f/factor*ramp + f*(1-ramp)
	}
}
