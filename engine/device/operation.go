package device

import "fmt"

// What the operations of a Device take: plain structs whose zero value means "nothing special".

// Layout says how sequences lie packed in a tensor's rows: sequence i has the rows Start[i] to Start[i+1]. A sequence with a prefix
// continues another one of the layout (one level deep): its rows see the prefix's, which may lie anywhere in the tensor.
type Layout struct {
	Start  []int32 // ascending from 0; one more than there are sequences
	Prefix []int32 // index of the sequence that comes before, or −1; nil: none anywhere
	// Keys says, a sequence, where its keys and values lie in tensors of their own, which hold what came before its rows here; nil: keys and
	// values have the rows of the queries. Only Attention takes it, and Prefix is then nil.
	Keys []KeyRows
}

// KeyRows are the rows of a key-value cache that a sequence sees: those of a prefix, which other sequences may see too, then its own; the last
// of both are its rows of the layout. The first row stands for position First: those before it are gone, and no row of the layout sees them.
type KeyRows struct{ Prefix, PrefixRows, Own, OwnRows, First int32 }

// Positions is how many positions there are, with those that are gone.
func (k KeyRows) Positions() int { return int(k.First + k.PrefixRows + k.OwnRows) }

// Before is how many positions come before the first row of sequence i.
func (l *Layout) Before(i int) int {
	if l.Keys != nil {
		return l.Keys[i].Positions() - int(l.Start[i+1]-l.Start[i])
	}
	first, end := l.PrefixOf(i)
	return end - first
}

// CheckKeys says what is wrong with Keys for a cache of so many rows under an attention's masks.
func (l *Layout) CheckKeys(rows int, a Attention) error {
	if l.Prefix != nil || len(l.Keys) != l.Sequences() {
		return fmt.Errorf("layout: %d places of keys for %d sequences, beside %d prefixes", len(l.Keys), l.Sequences(), len(l.Prefix))
	}
	for i, k := range l.Keys {
		own := l.Start[i+1] - l.Start[i]
		inside := func(first, n int32) bool {
			return first >= 0 && n >= 0 && int(first) <= rows && int(n) <= rows-int(first)
		}
		if !inside(k.Prefix, k.PrefixRows) || !inside(k.Own, k.OwnRows) || int64(k.PrefixRows)+int64(k.OwnRows) < int64(own) {
			return fmt.Errorf("layout: sequence %d of %d rows has keys in rows %d+%d and %d+%d of %d", i, own, k.Prefix, k.PrefixRows, k.Own, k.OwnRows, rows)
		}
		if first := a.FirstSeen(l.Before(i)); k.First < 0 || own > 0 && int(k.First) > first {
			return fmt.Errorf("layout: sequence %d has keys from position %d on and sees them from %d on", i, k.First, first)
		}
	}
	return nil
}

// Sequences is the number of sequences.
func (l *Layout) Sequences() int { return len(l.Start) - 1 }

// Rows is the number of rows of all sequences.
func (l *Layout) Rows() int { return int(l.Start[len(l.Start)-1]) }

// PrefixOf returns the rows of the sequence that stands before sequence i; first == end where there is none.
func (l *Layout) PrefixOf(i int) (first, end int) {
	if l.Prefix == nil || l.Prefix[i] < 0 {
		return 0, 0
	}
	p := l.Prefix[i]
	return int(l.Start[p]), int(l.Start[p+1])
}

// Positions gives each row's place in its sequence, the prefix counted.
func (l *Layout) Positions() []int32 {
	positions := make([]int32, l.Rows())
	for i := 0; i < l.Sequences(); i++ {
		before := int32(l.Before(i))
		for row := l.Start[i]; row < l.Start[i+1]; row++ {
			positions[row] = before + row - l.Start[i]
		}
	}
	return positions
}

// NormKind tells the normalisations apart.
type NormKind uint8

const (
	NormNone  NormKind = iota // no normalisation at that place
	NormRMS                   // x / sqrt(mean(x²) + ε)            (arXiv 1910.07467)
	NormLayer                 // (x − mean) / sqrt(var + ε)        (arXiv 1607.06450)
	NormL2                    // x / sqrt(Σx² + ε)
)

// Norm normalises groups of Cols/Groups neighbouring columns, each on its own, then multiplies by Weight + Offset and adds Bias.
type Norm struct {
	Kind   NormKind
	Eps    float32
	Groups int     // groups a row: 0 and 1 mean the whole row, else one a head
	Weight Tensor  // [1 × Cols], or [1 × Cols/Groups] shared by all groups, or nil (one)
	Bias   Tensor  // as Weight, or nil (zero)
	Offset float32 // added to every weight (1 in Gemma)
}

// ActivationKind tells the non-linearities apart; x is the gate's value.
type ActivationKind uint8

const (
	Identity      ActivationKind = iota
	SiLU                         // x·σ(x)
	GELU                         // x·Φ(x), by erf
	GELUTanh                     // x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
	GELUQuick                    // x·σ(1.702·x)
	ReLU                         // max(x, 0)
	ReLUSquared                  // max(x, 0)²
	Sigmoid                      // σ(x)
	Tanh                         // tanh(x)
	XIELU                        // arXiv 2411.13010: x > 0 ? αp·x² + β·x : (exp(min(x, ε)) − 1 − x)·αn + β·x
	SwiGLUClamped                // gpt-oss: g = min(x, limit), u = clamp(up, ±limit): g·σ(α·g)·(u + 1); needs up
)

// Activation is a non-linearity with its parameters.
type Activation struct {
	Kind        ActivationKind
	Alpha       float32 // SwiGLUClamped: α
	Limit       float32 // SwiGLUClamped: limit
	AlphaP      float32 // XIELU: αp
	AlphaN      float32 // XIELU: αn
	Beta        float32 // XIELU: β
	Eps         float32 // XIELU: ε
	Interleaved bool    // gate holds [g0 u0 g1 u1 …] of twice dst's width, and up is nil
}

// Rope describes rotary positions (arXiv 2104.09864). Of every head's HeadDim columns, those from Offset to Offset+2·len(Frequencies)
// are rotated: pair i by the angle position·Frequencies[i], both components times Scale.
type Rope struct {
	HeadDim     int
	Offset      int
	Interleaved bool      // pairs are neighbours (2i, 2i+1); otherwise (i, i+len(Frequencies))
	Frequencies []float64 // radians a position
	Scale       float32   // 0 means 1 (YaRN's attention factor)
}

// Attention describes softmax attention with all its masks. The key at position j is seen from position i (both counted from the start
// of the sequence, prefix included) if j ≤ i where Causal, i−j < Window where Window > 0, and ⌊j/Chunk⌋ = ⌊i/Chunk⌋ where Chunk > 0.
// score = q·k·Scale, then SoftCap·tanh(score/SoftCap), then + slope·(j−i).
type Attention struct {
	Heads, KVHeads    int
	HeadDim, ValueDim int
	Scale             float32
	Causal            bool
	Window            int
	Chunk             int
	SoftCap           float32   // 0: none
	Slopes            []float32 // ALiBi (arXiv 2108.12409), one a head; nil: none
	Sinks             []float32 // a logit a head that takes part in the softmax and carries no value; nil: none
}

// FirstSeen is the first position whose key is seen from a position.
func (a *Attention) FirstSeen(position int) int {
	first := 0
	if a.Window > 0 {
		first = max(first, position-a.Window+1)
	}
	if a.Chunk > 0 {
		first = max(first, position/a.Chunk*a.Chunk)
	}
	return first
}

// Move is a run of columns to copy.
type Move struct{ From, To, Count int }

// DeltaRule describes the gated delta rule (arXiv 2412.06464), a head h of KeyDim × ValueDim state S, zero at a sequence's start:
//
//	S ← exp(g)·S;  S ← S + k ⊗ β·(v − Sᵀk);  out = Sᵀq
//
// Value head h uses key head h / (Heads/KeyHeads). Q and K arrive normalised and scaled.
type DeltaRule struct {
	Q, K             Tensor // [rows × KeyHeads·KeyDim]
	V                Tensor // [rows × Heads·ValueDim]
	Gate             Tensor // [rows × Heads]: g, the logarithm of the decay
	Beta             Tensor // [rows × Heads]
	Heads, KeyHeads  int
	KeyDim, ValueDim int
	// State is where sequence i begins and is left where it ends, [sequences × Heads·KeyDim·ValueDim], row i; nil: zeros, and not kept. No
	// sequence has a prefix then.
	State Tensor
}

// Site is a place in a block where activations are measured.
type Site uint8

const (
	SiteBlock Site = iota // y, what leaves the block: the raw residual stream
	SiteDelta             // y − x, what the block adds
	SiteAttn              // what the mixer adds to the residual
	SiteMLP               // what the MLP adds to the residual
	SiteAct               // what enters the MLP's output projection
	Sites                 // how many there are
)

// String is the site's name as a person types it.
func (s Site) String() string {
	return [...]string{"block", "delta", "attn", "mlp", "act", "sites"}[s]
}

// DefaultEps are the thresholds below which activations are counted as sparse.
var DefaultEps = []float32{1e-5, 1e-4, 1e-3, 1e-2, 1e-1}

// DefaultRelative is the threshold of relative values.
const DefaultRelative = 1e-2

// MaxEps is how many thresholds Measure counts at most.
const MaxEps = 8

// Moments sums the values of one site over one sequence in one layer in a fixed order: float64 across tokens, at least float32 inside one
// token's row. Min and Max leave NaN out and are 0 without values. "Relative" values are divided by the RMS of
// the block's output at their token (SiteAct: by their own row's RMS); where that RMS is zero they are zero.
type Moments struct {
	N                         int64 // values counted
	Sum, Sum2, Sum3, Sum4     float64
	SumAbs                    float64
	Min, Max                  float64
	RelativeSum, RelativeSum2 float64
	RelativeBelow             int64         // relative values below Measure.Relative in magnitude; −1: not counted (engine.Wants)
	Below                     [MaxEps]int64 // values below Measure.Eps[i] in magnitude
	NaN, Inf                  int64         // values that are no numbers: counted here and in N, and left in the sums, which they spoil
	PooledVariance            float64       // unbiased variance over columns of the mean over tokens, where Measure.Pooled
}

// Pairs sums over a sequence's tokens what compares a block's input x with its output y.
type Pairs struct {
	Cosine   float64 // Σ cos(x, y); 0 for a zero row
	Distance float64 // Σ ‖y−x‖
	Relative float64 // Σ ‖y−x‖/‖y‖; 0 where y is zero
}

// SequenceMeasure is what one layer's Measure finds for one sequence.
type SequenceMeasure struct {
	Tokens int
	Sites  [Sites]Moments
	Pairs  Pairs
}

// Measure asks for the statistics of one block over the rows of Layout. Sites whose tensor is nil stay zero; SiteDelta is Y−X in float32
// (float64 on "reference"), never stored. Attn and MLP need Y, whose RMS they are relative to.
type Measure struct {
	X, Y, Attn, MLP, Act Tensor
	Layout               *Layout
	Eps                  []float32 // at most MaxEps thresholds
	Relative             float32   // threshold of relative values
	Pooled               bool      // fill PooledVariance
	// RelativeBelow of SiteAttn and SiteMLP is not wanted and may be anything, so that their rows need not be read again (Summing)
	SkipRelativeBelow bool
	Out               []SequenceMeasure
}

// Head asks for log-probabilities: logits = Scale·(x·Wᵀ + Bias), then SoftCap·tanh(·/SoftCap). X holds the final-normed rows of one or more
// variants, all of one shape; row r wants the log-probabilities of Targets[Offsets[r]:Offsets[r+1]] and, for every variant but the first,
// the divergence from the first.
type Head struct {
	X        []Tensor
	Weight   Matrix
	Bias     Tensor
	Scale    float32 // 0 means 1
	SoftCap  float32 // 0: none
	Offsets  []int32 // rows+1
	Targets  []int32
	Diverge  bool        // fill HeadRow.KL
	Rows     [][]HeadRow // a variant, a row
	LogProbs [][]float64 // a variant, a target
}

// HeadRow is what is known of one row's distribution.
type HeadRow struct {
	LogSum float64 // log Σ exp(logits)
	Top    int32   // the most likely token; the first of equals; any where logits are NaN
	KL     float64 // KL(variant 0 ‖ this variant), nats
}
