package arch

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"avssnative/engine/device"
	"avssnative/engine/weights"
	"avssnative/failure"
)

// A Family turns the configurations of some model types into Specs. Its file registers it in init; nothing else knows it.
type Family struct {
	ModelTypes []string // config.json's model_type
	Build      func(b *Builder) *Spec
	// Drop rewrites what a configuration says per layer when only the layers kept remain; nil where the layer count and layer_types are all.
	Drop func(config map[string]any, layers int, kept []int) error
}

var architectures = map[string]*Family{}

// Register makes a family known.
func Register(a Family) {
	for _, name := range a.ModelTypes {
		if architectures[name] != nil {
			panic("arch: two architectures for model_type " + name)
		}
		architectures[name] = &a
	}
}

// ModelTypes lists every known model_type in alphabetical order.
func ModelTypes() []string {
	names := make([]string, 0, len(architectures))
	for name := range architectures {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Of finds the family of a configuration.
func Of(c *Config) (*Family, error) {
	name := c.StringOr("model_type", "")
	if a := architectures[name]; a != nil {
		return a, nil
	}
	return nil, failure.Unsupported.Errorf("model_type %q: unknown architecture; known: %s; and around those: %s", name, strings.Join(ModelTypes(), ", "),
		knownWrappers())
}

// A Builder is what a family's file works with: the configuration and the names of the stored tensors. Its methods make references with
// their shapes; what does not fit shows when the Spec is checked against the files.
type Builder struct {
	*Config
	tensors weights.Tensors
	prefix  string
	untied  bool // Output found a head of its own where the configuration ties it
}

// Prefix chooses which of the given prefixes the files use, by a tensor that must be there: published files and re-saved ones differ.
func (b *Builder) Prefix(tensor string, choices ...string) {
	for _, choice := range choices {
		if _, found := b.tensors.Lookup(choice + tensor); found {
			b.prefix = choice
			return
		}
	}
	b.prefix = choices[0]
}

// Stored says whether a tensor (with the prefix) is in the files.
func (b *Builder) Stored(name string) bool {
	_, found := b.tensors.Lookup(b.prefix + name)
	return found
}

// Matrix refers to a stored [out × in] matrix.
func (b *Builder) Matrix(name string, out, in int) Ref {
	return Ref{Name: b.prefix + name, Shape: []int{out, in}, Out: out, In: in}
}

// Vector refers to a stored vector.
func (b *Builder) Vector(name string, n int) Ref {
	return Ref{Name: b.prefix + name, Shape: []int{n}, Out: n}
}

// Linear refers to name.weight and, where biased, name.bias.
func (b *Builder) Linear(name string, out, in int, biased bool) Linear {
	l := Linear{Weight: b.Matrix(name+".weight", out, in)}
	if biased {
		l.Bias = b.Vector(name+".bias", out)
	}
	return l
}

// Conv1D is GPT-2's linear layer: its matrix is stored [in × out].
func (b *Builder) Conv1D(name string, out, in int) Linear {
	l := b.Linear(name, out, in, true)
	l.Weight.Shape = []int{in, out}
	l.Weight.Transposed = true
	return l
}

// RMS is an RMS norm with a weight.
func (b *Builder) RMS(name string, n int, eps float64) NormSpec {
	return NormSpec{Kind: device.NormRMS, Eps: float32(eps), Weight: b.Vector(name+".weight", n)}
}

// LayerNorm is a layer norm with weight and, where biased, bias.
func (b *Builder) LayerNorm(name string, n int, eps float64, biased bool) NormSpec {
	s := NormSpec{Kind: device.NormLayer, Eps: float32(eps), Weight: b.Vector(name+".weight", n)}
	if biased {
		s.Bias = b.Vector(name+".bias", n)
	}
	return s
}

// Output is the vocabulary's matrix: stored under its own name (which stands outside the prefix), or, where it is tied and no file holds it,
// the embedding table. What is stored counts, whatever the configuration says, as in transformers 5: published checkpoints hold a head that
// differs from the table under a flag that ties them.
func (b *Builder) Output(name string, vocab, hidden int, tied bool, table Ref) Linear {
	if tied {
		if _, b.untied = b.tensors.Lookup(name + ".weight"); !b.untied {
			return Linear{Weight: table}
		}
	}
	return Linear{Weight: Ref{Name: name + ".weight", Shape: []int{vocab, hidden}, Out: vocab, In: hidden}}
}

// Layer is a builder whose names begin with list.i, the prefix in front.
func (b *Builder) Layer(list string, i int) *Builder {
	return &Builder{Config: b.Config, tensors: b.tensors, prefix: fmt.Sprintf("%s%s.%d.", b.prefix, list, i)}
}

// BlockPrefix is what the names of such layers begin with, %d for the number: a Spec's field of that name.
func (b *Builder) BlockPrefix(list string) string { return b.prefix + list + ".%d." }

// Causal is plain causal attention, scores divided by √headDim.
func Causal(heads, kvHeads, headDim int) device.Attention {
	return device.Attention{Heads: heads, KVHeads: kvHeads, HeadDim: headDim, ValueDim: headDim, Scale: float32(1 / math.Sqrt(float64(headDim))),
		Causal: true}
}

// Part is a run of a linear layer's outputs: fused projections are stored once and used in parts.
func (l Linear) Part(segments ...device.Segment) Linear {
	part := func(r Ref) Ref {
		if r.Name == "" {
			return r
		}
		r.Segments, r.Out = segments, 0
		for _, s := range segments {
			r.Out += s.Count
		}
		return r
	}
	return Linear{Weight: part(l.Weight), Bias: part(l.Bias)}
}

// Heads gives the segments of a fused projection whose outputs come in groups of `group`, taking [at, at+count) of each of n groups.
func Heads(n, group, at, count int) []device.Segment {
	segments := make([]device.Segment, n)
	for i := range segments {
		segments[i] = device.Segment{At: i*group + at, Count: count}
	}
	return segments
}

// Choose reports a text that is none of the known ones.
func (b *Builder) Choose(key, value string, known ...string) {
	if !slices.Contains(known, value) {
		b.Fail("%w", failure.Unsupported.Errorf("%s: %q is not known here; known: %s", key, value, strings.Join(known, ", ")))
	}
}

// Activation finds a non-linearity by the name transformers gives it.
func (b *Builder) Activation(keys, otherwise string) device.Activation {
	name := b.StringOr(keys, otherwise)
	kind, known := activationNames[name]
	if !known {
		names := make([]string, 0, len(activationNames))
		for n := range activationNames {
			names = append(names, n)
		}
		sort.Strings(names)
		b.Choose(keys, name, names...)
	}
	return device.Activation{Kind: kind}
}

var activationNames = map[string]device.ActivationKind{
	"silu": device.SiLU, "swish": device.SiLU, "gelu": device.GELU, "gelu_python": device.GELU, "gelu_new": device.GELUTanh,
	"gelu_fast": device.GELUTanh, "gelu_pytorch_tanh": device.GELUTanh, "gelu_accurate": device.GELUTanh, "quick_gelu": device.GELUQuick,
	"relu": device.ReLU, "relu2": device.ReLUSquared, "sigmoid": device.Sigmoid, "tanh": device.Tanh, "linear": device.Identity,
}

// harmless are tensors that files carry though nothing is computed from them: masks and tables that the code makes itself.
var harmless = []string{".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias",
	".attention.attention.bias", ".attention.attention.masked_bias", ".attention.rotary_emb.inv_freq", ".position_ids", ".embeddings.position_ids"}

// check holds a Spec against the stored tensors: none missing, none of another shape, none of names left over.
func (s *Spec) check(source weights.Tensors, names []string) error {
	used := map[string]bool{}
	var missing, wrong error
	s.Refs(func(r *Ref) {
		for _, name := range append([]string{r.Name}, r.Joined...) {
			used[name] = true
			if stored, found := source.Lookup(name); !found {
				if missing == nil {
					missing = fmt.Errorf("%s: %w", s.Family, weights.Missing(source, name))
				}
			} else if !slices.Equal(stored.Shape, r.Shape) && wrong == nil {
				wrong = fmt.Errorf("%s: %s: shape %v, want %v", s.Family, name, stored.Shape, r.Shape)
			}
		}
	})
	if missing != nil || wrong != nil {
		if missing != nil {
			return missing
		}
		return wrong
	}
	for _, name := range names {
		if scaled, ok := source.(weights.Scaled); ok && scaled.Beside(name) {
			continue
		}
		if used[name] || strings.HasPrefix(name, furtherPrefix) || slices.ContainsFunc(harmless,
			func(suffix string) bool { return strings.HasSuffix("."+name, suffix) }) {
			continue
		}
		if layer, _, inside := s.BlockOf(name); inside && layer >= len(s.Blocks) && layer < len(s.Blocks)+s.Unused {
			continue
		}
		return fmt.Errorf("%s: tensor %s: in the model's files, but the configuration has no place for it", s.Family, name)
	}
	return nil
}
