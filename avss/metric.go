package avss

import (
	"encoding"
	"fmt"
	"slices"

	"avssnative/engine"
	"avssnative/engine/device"
)

// A Metric watches a pass and scores the layers. All metrics that are wanted go into Pass.Observe together.
type Metric interface {
	engine.Observer
	// Name is the metric's name in the registry.
	Name() string
	// Merge adds what another state of the same metric has seen, and leaves that one as it is. States that share a sequence, come from models
	// of different depth or were made with other thresholds are refused, and the receiver then stays as it was.
	Merge(Metric) error
	// Scores is one score a layer, lowest to go first, with its stability. An error names the layer and site whose activations are no
	// numbers, or says that the pass did not end.
	Scores() (Scores, error)
	// The state is saved whole, also in the middle of a pass. Equal states are saved as equal bytes.
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// Several is what a metric also is where the same sums give scores by more than one formula (Definition.Formulas).
type Several interface {
	// Further are the scores of every formula that was measured but the one that Scores gives.
	Further() ([]Scores, error)
}

// Options say how a metric measures; the zero value is right for a single run.
type Options struct {
	Offset    int64   // number of the pass's first sequence among those of all shards
	Mode      Mode    // avss: the formula; "": robust
	Site      Site    // avss: the tensor scored; "": delta, what the block adds
	Eps       float32 // avss: threshold of the paper's sparsity, one of Pass.Eps; 0: 1e-5
	Batch     int     // avss: sequences a batch in mode "reference"; 0: that mode is not measured
	Rounds    int     // greedy: layers that go; 0: a quarter of them
	Keep      []int   // greedy: layers that may not go
	Halves    bool    // halves of layers are measured (engine.Pass.Halves), which have one output: sites delta and block
	Search    Seeking // search: which sets, and how they are sought
	Seed      uint64  // of the bootstrap
	Resamples int     // of the bootstrap; 0: 1000, negative: none
	// Drawn is shown the scores of every resample of the bootstrap, which it must not keep, with the key of what they are scores by; may be nil.
	Drawn func(key string, scores []float64)
}

// Seeking is what a search for whole sets is told beside Rounds and Keep.
type Seeking struct {
	Counts    []int   // how many layers go, a set each; nil: Rounds
	Objective string  // what a set costs; "": its divergence from the dense model
	Beam      int     // sets that a round goes on with; 0: one
	Plain     bool    // sets are compared as they are, without gaps being bridged
	Tokens    int     // of the text, at most; 0: all
	Proposals [][]int // sets that others name
	// Questions are what sets are compared on by objective "task"; else nil.
	Questions *Questions `json:"-"`
	// Notice is told of every set that is better than what was known for its number of layers; may be nil.
	Notice func(Set) `json:"-"`
}

// Questions are a text of questions, each of some sequences in a row.
type Questions struct {
	Task      string // what a person calls them
	Sequences []engine.Sequence
	Ends      []int // where each question's sequences end
	// Cost is what an answer costs, in nats, never less than 0, by what a model scores on the question's sequences.
	Cost func(question int, scores []engine.SequenceScore) (float64, error)
}

// base is what all metrics have in common: which sequences were seen, and which activations were no numbers.
type base struct {
	name     string
	options  Options
	coverage coverage
	faults   faults
}

func (b *base) Name() string { return b.name }

func (b *base) errorf(format string, args ...any) error {
	return fmt.Errorf("avss: "+b.name+": "+format, args...)
}

// observe notes a measurement and returns its sequence's number among those of all shards.
func (b *base) observe(m *engine.Measurement) (int64, error) {
	sequence := int64(m.Sequence) + b.options.Offset
	if err := b.faults.before(m.Layer); err != nil {
		return 0, b.errorf("%w", err)
	}
	if err := b.coverage.see(m.Layer, m.Layers, sequence); err != nil {
		return 0, b.errorf("%w", err)
	}
	b.faults.see(m)
	return sequence, nil
}

// ready says why there are no scores.
func (b *base) ready() error {
	if err := b.faults.before(maxLayers); err != nil {
		return b.errorf("%w", err)
	}
	if err := b.coverage.complete(); err != nil {
		return b.errorf("%w", err)
	}
	return nil
}

// layers is how many layers the model has; 0 before the first measurement.
func (b *base) layers() int { return len(b.coverage.layers) }

func (b *base) write(w *writer) {
	b.coverage.write(w)
	b.faults.write(w)
}

func (b *base) read(r *reader) {
	b.coverage.read(r)
	b.faults.read(r, b.layers())
}

// fault counts the values of one site in one layer that are no numbers.
type fault struct {
	layer     int
	site      device.Site
	sequences int64 // that hold such values
	values    int64 // of those sequences
	nan, inf  int64
}

// faults are in the order of layers, in a layer in the order of sites.
type faults []fault

// siteOrder is the order in which a block computes its sites, so that the first one named is where the trouble begins.
var siteOrder = [device.Sites]device.Site{device.SiteAttn, device.SiteAct, device.SiteMLP, device.SiteDelta, device.SiteBlock}

func (f *faults) see(m *engine.Measurement) {
	for _, site := range siteOrder {
		if s := &m.Sites[site]; s.NaN > 0 || s.Inf > 0 {
			f.add(fault{m.Layer, site, 1, s.N, s.NaN, s.Inf})
		}
	}
}

func (f *faults) add(one fault) {
	i, found := slices.BinarySearchFunc(*f, one, func(a, b fault) int {
		if a.layer != b.layer {
			return a.layer - b.layer
		}
		return slices.Index(siteOrder[:], a.site) - slices.Index(siteOrder[:], b.site)
	})
	if !found {
		*f = slices.Insert(*f, i, one)
		return
	}
	have := &(*f)[i]
	have.sequences += one.sequences
	have.values += one.values
	have.nan += one.nan
	have.inf += one.inf
}

// before is an error if a layer before the given one has activations that are no numbers.
func (f faults) before(layer int) error {
	if len(f) == 0 || f[0].layer >= layer {
		return nil
	}
	one := f[0]
	return fmt.Errorf("layer %d: site %s: %d activations are NaN and %d infinite, among %d in %d sequences: look for damaged weights in this layer, or compute in a wider type",
		one.layer, one.site, one.nan, one.inf, one.values, one.sequences)
}

func (f faults) write(w *writer) {
	w.uvarint(uint64(len(f)))
	for _, one := range f {
		w.count(int64(one.layer))
		w.count(int64(one.site))
		w.count(one.sequences)
		w.count(one.values)
		w.count(one.nan)
		w.count(one.inf)
	}
}

func (f *faults) read(r *reader, layers int) {
	*f = nil
	for range r.length("faults", 6, layers*int(device.Sites)) {
		layer, site := r.count(), r.count()
		one := fault{int(layer), device.Site(site), r.count(), r.count(), r.count(), r.count()}
		if r.err == nil && (layer >= int64(layers) || site >= int64(device.Sites) || one.sequences < 1 || one.nan == 0 && one.inf == 0) {
			r.fail(fmt.Sprintf("a fault of layer %d, site %d", layer, site))
		}
		if r.err != nil {
			return
		}
		if before := len(*f); before > 0 && !after((*f)[before-1], one) {
			r.fail("faults out of order")
			return
		}
		*f = append(*f, one)
	}
}

func after(a, b fault) bool {
	return a.layer < b.layer || a.layer == b.layer && slices.Index(siteOrder[:], a.site) < slices.Index(siteOrder[:], b.site)
}

func (f *faults) merge(o faults) {
	for _, one := range o {
		f.add(one)
	}
}
