package arch

import (
	"math"

	"avssnative/engine/device"
)

// Rotary is what a family's attention does with positions: the rotation, and how it changes with a sequence's length where it does.
type Rotary struct {
	device.Rope
	Stretch *Stretch // nil: the same rotation for every length
}

// Stretch changes the frequencies of sequences longer than After tokens. The length is that of the whole prompt group: a context and its longest
// branch, so that what a branch sees does not depend on which others stand beside it in a batch.
type Stretch struct {
	After  int
	Long   []float64 // the frequencies then (LongRoPE, arXiv 2402.13753); nil: those of a base that grows with the length (dynamic NTK)
	Scale  float32   // of both components then; 0: as before
	Theta  float64
	Factor float64
}

// frequencies are those of a sequence of a length.
func (r *Rotary) frequencies(length int) []float64 {
	s := r.Stretch
	switch {
	case s == nil || length <= s.After:
		return r.Frequencies
	case s.Long != nil:
		return s.Long
	}
	dim := float64(2 * len(r.Frequencies))
	base := s.Theta * math.Pow(s.Factor*float64(length)/float64(s.After)-(s.Factor-1), dim/(dim-2))
	return powers(base, len(r.Frequencies))
}

// At is the rotation of a sequence of a length.
func (r *Rotary) At(length int) device.Rope {
	rope := r.Rope
	rope.Frequencies = r.frequencies(length)
	if s := r.Stretch; s != nil && length > s.After && s.Scale != 0 {
		rope.Scale = s.Scale
	}
	return rope
}

// powers are the rotary frequencies of a base: base^(−2i/dim), dim being 2n (arXiv 2104.09864, section 3.2).
func powers(base float64, n int) []float64 {
	frequencies := make([]float64, n)
	for i := range frequencies {
		frequencies[i] = math.Pow(base, -float64(i)/float64(n))
	}
	return frequencies
}

// Rope reads rotary positions in both spellings: transformers 5 writes rope_parameters, everything published before has rope_theta,
// rope_scaling and a partial factor under several names. dim is the number of columns of a head that could rotate; theta and share, the
// part of them that does, are the family's defaults. kind picks the entry of a table keyed by layer type; empty where all layers rotate alike.
func (b *Builder) Rope(dim int, theta, share float64, kind string) *Rotary {
	c := b.Section("rope_scaling")
	if len(c.values) == 0 {
		c = b.Section("rope_parameters")
		if kind != "" && c.Has(kind) {
			c = c.Section(kind)
		}
	}
	return b.rope(c, dim, theta, share)
}

// rope reads rotary positions from their own section, falling back on the configuration's top.
func (b *Builder) rope(c *Config, dim int, theta, share float64) *Rotary {
	theta = c.FloatOr("rope_theta", b.FloatOr("rope_theta|rotary_emb_base", theta))
	share = c.FloatOr("partial_rotary_factor", b.FloatOr("partial_rotary_factor|rotary_pct|rope_pct", share))
	rotated := int(float64(dim)*share) / 2
	if theta <= 0 || rotated < 0 || 2*rotated > dim {
		b.Fail("rope_theta %v, partial_rotary_factor %v: no rotation of %d columns", theta, share, dim)
		rotated = 0
	}
	r := &Rotary{Rope: device.Rope{HeadDim: dim, Frequencies: powers(theta, rotated), Scale: 1}}
	switch name := c.StringOr("rope_type|type", "default"); name {
	case "default", "mrope":
	case "linear":
		slow(r.Frequencies, c.positive("factor", 1))
	case "dynamic":
		if rotated < 2 {
			b.Fail("rope_type dynamic: needs at least 4 rotated columns, found %d", 2*rotated)
			break
		}
		if alpha := c.FloatOr("alpha", 0); alpha > 0 { // Hunyuan's: the base is stretched once, for any length
			r.Frequencies = powers(theta*math.Pow(alpha, float64(2*rotated)/float64(2*rotated-2)), rotated)
			break
		}
		r.Stretch = &Stretch{After: b.longest(), Theta: theta, Factor: c.positive("factor", 1)}
	case "llama3":
		b.ropeLlama3(r, c)
	case "yarn":
		b.ropeYarn(r, c, theta, 2*rotated)
	case "longrope", "su":
		b.ropeLong(r, c)
	default:
		b.Choose("rope_type", name, "default", "dynamic", "linear", "llama3", "longrope", "mrope", "su", "yarn")
	}
	return r
}

// longest is the configuration's longest sequence, original what the model was first trained for.
func (b *Builder) longest() int { return b.Context("max_position_embeddings|n_positions", 2048) }

func (b *Builder) original(c *Config) float64 {
	return float64(b.Context("original_max_position_embeddings", c.Context("original_max_position_embeddings", b.longest())))
}

// positive reads a number above zero.
func (c *Config) positive(key string, otherwise float64) float64 {
	x := c.FloatOr(key, otherwise)
	if x <= 0 {
		c.Fail("%s%s: %v, want a number above 0", c.where, key, x)
		return 1
	}
	return x
}

func slow(frequencies []float64, factor float64) {
	for i := range frequencies {
		frequencies[i] /= factor
	}
}

// ropeLong divides every frequency by a factor of its own, another set of factors for long sequences (arXiv 2402.13753).
func (b *Builder) ropeLong(r *Rotary, c *Config) {
	before := b.original(c)
	factor := c.FloatOr("factor", float64(b.longest())/before)
	attention := 1.0
	if factor > 1 {
		attention = math.Sqrt(1 + math.Log(factor)/math.Log(before))
	}
	r.Scale = float32(c.FloatOr("attention_factor", attention))
	divided := func(key string) []float64 {
		factors := c.Floats(key)
		if len(factors) != len(r.Frequencies) {
			b.Fail("%s%s: %d factors for %d frequencies", c.where, key, len(factors), len(r.Frequencies))
			return r.Frequencies
		}
		frequencies := make([]float64, len(factors))
		for i, by := range factors {
			if by <= 0 {
				b.Fail("%s%s: %v, want numbers above 0", c.where, key, by)
			}
			frequencies[i] = r.Frequencies[i] / by
		}
		return frequencies
	}
	short, long := divided("short_factor"), divided("long_factor")
	r.Frequencies = short
	r.Stretch = &Stretch{After: int(before), Long: long}
	if c.Has("short_mscale") || c.Has("long_mscale") { // Phi-3.5-MoE's
		r.Scale, r.Stretch.Scale = float32(c.positive("short_mscale", attention)), float32(c.positive("long_mscale", attention))
	}
}

// ropeLlama3 keeps fast rotations, slows slow ones by factor, and blends between (Llama 3.1, section 3 of arXiv 2407.21783).
func (b *Builder) ropeLlama3(r *Rotary, c *Config) {
	factor, low, high := c.positive("factor", 8), c.FloatOr("low_freq_factor", 1), c.FloatOr("high_freq_factor", 4)
	before := b.original(c)
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
func (b *Builder) ropeYarn(r *Rotary, c *Config, theta float64, dim int) {
	before := b.original(c)
	factor := c.positive("factor", float64(b.longest())/before)
	attention := widen(factor, 1)
	if m, all := c.FloatOr("mscale", 0), c.FloatOr("mscale_all_dim", 0); m != 0 && all != 0 {
		attention = widen(factor, m) / widen(factor, all)
	}
	r.Scale = float32(c.FloatOr("attention_factor", attention))
	turns := func(n float64) float64 { // the dimension that makes n turns over the original length
		return float64(dim) * math.Log(before/(n*2*math.Pi)) / (2 * math.Log(theta))
	}
	low, high := turns(c.positive("beta_fast", 32)), turns(c.positive("beta_slow", 1))
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

// widen is YaRN's factor on attention for positions stretched by scale.
func widen(scale, by float64) float64 {
	if scale <= 1 {
		return 1
	}
	return 0.1*by*math.Log(scale) + 1
}
