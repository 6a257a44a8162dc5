package arch

import (
	"avssnative/engine/device"
)

// A Spec says everything that tells one model from another: shapes, norms and where they stand, positions, activations, and the name of
// every stored tensor. A family's file turns a configuration into a Spec; the walk computes any Spec. All fields are data.
type Spec struct {
	Family  string // the configuration's model_type
	Within  string // the object of config.json that describes the language model; empty: all of it
	Hidden  int
	Vocab   int
	Context int // longest sequence the model was made for; 0 unknown

	Embed  EmbedSpec
	Blocks []BlockSpec
	Final  NormSpec
	Head   HeadSpec

	// Prefix of a block's tensors with %d for its number, as "model.layers.%d.". Writing a pruned model renumbers by it.
	BlockPrefix string
	// Unused layers are stored behind the last and not computed: heads that predict further tokens (arXiv 2412.19437, section 2.2). A pruned
	// model keeps them, behind its last layer.
	Unused int
	// Copied names the method that quantised the weights where they can only be copied; nothing is computed then. Empty: they are computed.
	Copied string
}

// EmbedSpec is what happens before the first block.
type EmbedSpec struct {
	Table          Ref // [vocab × width]
	Scale          float32
	Positions      Ref // learned positions [context × hidden], added; empty: none
	PositionOffset int // row of position 0
	TokenTypes     Ref // row 0 is added to every token (BERT); empty: none
	Norm           NormSpec
	Project        Linear // width → hidden; empty: none. Before positions are added
}

// HeadSpec is what happens after the last block: a language model's vocabulary or a classifier's labels.
type HeadSpec struct {
	Project  Linear // hidden → width; empty: none
	Output   Linear // [vocab × width] (labels × hidden for a classifier)
	Untied   bool   // the configuration ties Output to the embedding table, the files hold another matrix
	Scale    float32
	SoftCap  float32
	Classify *ClassifySpec // nil: a language model
}

// ClassifySpec turns the first token's final row into what HeadSpec.Output sees.
type ClassifySpec struct {
	Dense      Linear
	Activation device.Activation
}

// A Ref names a stored tensor, or the part of it that is one matrix or vector.
type Ref struct {
	Name       string // empty: absent
	Shape      []int  // the whole stored tensor's shape, checked
	Offset     int    // values to skip (one expert of many)
	Out, In    int    // the matrix as a product sees it; a vector has In = 0
	Transposed bool
	Segments   []device.Segment
	Table      bool     // kept as a tensor [Out × In] of its values, not as a product's operand
	Joined     []string // a vector: further stored tensors, each of Shape, whose values follow
}

// Linear is x·Wᵀ + b.
type Linear struct{ Weight, Bias Ref }

// NormSpec is a normalisation with its stored weights.
type NormSpec struct {
	Kind         device.NormKind
	Eps          float32
	Groups       int
	Weight, Bias Ref
	Offset       float32
}

// BlockSpec is one layer: a mixer (attention and its kin) and an MLP, with their norms and residuals.
//
//	serial:    mid = x + s·post1(mixer(norm1(x)));  y = mid + s·post2(mlp(norm2(mid)))
//	parallel:  y = x + s·post1(mixer(norm1(x))) + s·post2(mlp(norm2(x)))
//	post-norm: mid = norm1(x + mixer(x));  y = norm2(mid + mlp(mid))
type BlockSpec struct {
	Mixer Mixer // nil: the block lacks this half, and its norms with it
	MLP   MLP   // nil: likewise

	Norm1, Norm2 NormSpec // before mixer and MLP (after the sum, in post-norm blocks)
	Post1, Post2 NormSpec // on what mixer and MLP give, before it is added

	Parallel       bool    // both read the block's input
	SharedNorm     bool    // parallel: the MLP reads norm1(x) too
	PostNorm       bool    // norms follow the sums (arXiv 1706.03762)
	ResidualNormed bool    // the residual is norm1(x), norm2(mid) (BLOOM's option)
	Residual       float32 // s; 0 means 1
}

// A Mixer lets tokens see each other: attention, latent attention, a delta rule or a short convolution (the *Spec types of this package
// that say so). Its arithmetic is the walk's.
type Mixer interface{ Refs(visit func(*Ref)) }

// An MLP treats every token alone: a gated or plain one, or a mixture of experts.
type MLP interface{ Refs(visit func(*Ref)) }

func (l *Linear) Refs(visit func(*Ref)) { visit(&l.Weight); visit(&l.Bias) }

func (n *NormSpec) Refs(visit func(*Ref)) { visit(&n.Weight); visit(&n.Bias) }

// Refs visits all of a block's references.
func (b *BlockSpec) Refs(visit func(*Ref)) {
	for _, n := range []*NormSpec{&b.Norm1, &b.Norm2, &b.Post1, &b.Post2} {
		n.Refs(visit)
	}
	if b.Mixer != nil {
		b.Mixer.Refs(visit)
	}
	if b.MLP != nil {
		b.MLP.Refs(visit)
	}
}

// AttentionRefs visits what nothing but the mixer's half of a block needs.
func (b *BlockSpec) AttentionRefs(visit func(*Ref)) {
	if !b.SharedNorm {
		b.Norm1.Refs(visit)
	}
	b.Post1.Refs(visit)
	if b.Mixer != nil {
		b.Mixer.Refs(visit)
	}
}

// MLPRefs visits what nothing but the MLP's half of a block needs.
func (b *BlockSpec) MLPRefs(visit func(*Ref)) {
	b.Norm2.Refs(visit)
	b.Post2.Refs(visit)
	if b.MLP != nil {
		b.MLP.Refs(visit)
	}
}

func (e *EmbedSpec) Refs(visit func(*Ref)) {
	visit(&e.Table)
	visit(&e.Positions)
	visit(&e.TokenTypes)
	e.Norm.Refs(visit)
	e.Project.Refs(visit)
}

// HeadRefs visits the final norm's and the head's tensors.
func (s *Spec) HeadRefs(visit func(*Ref)) {
	s.Final.Refs(visit)
	s.Head.Project.Refs(visit)
	s.Head.Output.Refs(visit)
	if s.Head.Classify != nil {
		s.Head.Classify.Dense.Refs(visit)
	}
}

// Refs visits every reference to a stored tensor that is not empty.
func (s *Spec) Refs(visit func(*Ref)) {
	present := func(r *Ref) {
		if r.Name != "" {
			visit(r)
		}
	}
	s.Embed.Refs(present)
	for i := range s.Blocks {
		s.Blocks[i].Refs(present)
	}
	s.HeadRefs(present)
}
