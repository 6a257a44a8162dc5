package avss

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"avssnative/engine"
	"avssnative/failure"
	"avssnative/internal/nearest"
)

// Kind says how a metric is computed.
type Kind string

const (
	Activation Kind = "activation" // from one pass of the dense model, by an observer
	Removal    Kind = "removal"    // from passes of models that lack layers
	Baseline   Kind = "baseline"   // from the number of layers alone
)

// Definition is all there is to know of a metric. Exactly one of New, Search and Order says how it scores.
type Definition struct {
	Name  string // as flags and files say it: lower-case letters, digits and _
	About string // one line, for help
	Unit  string // of the scores, as "nats a token"; empty: they are plain numbers
	// HighestFirst says that the layers with the highest scores go first, not those with the lowest.
	HighestFirst bool
	Papers       []Citation // for the bibliography
	// Formulas are the keys of what else the metric scores from the same sums (see Several), beside its name.
	Formulas []string

	// New makes an empty observer of a pass; Ratio gives one. d is the definition itself.
	New func(d Definition, o Options) Metric
	// Search measures models that lack layers. Metrics with the same Search are measured together.
	Search *Search
	// Rounds says that the search asks for one pass after the other, each by what the one before has found.
	Rounds bool
	// Order scores so many layers without looking at them. Seeded says that another seed gives another order.
	Order  func(layers int, seed uint64) []float64
	Seeded bool

	builtin bool
}

// Builtin says whether the metric is one of this package's, which every reader of a report knows.
func (d Definition) Builtin() bool { return d.builtin }

// Search is a measurement that takes passes of its own.
type Search struct {
	Name string // of the phase, for progress and timings
	// Run gives the scores of one metric or more. Sequences, Memory and Progress of the pass are the caller's; every token that counts is
	// scored (ScoreFrom, ScoreTo).
	Run func(ctx context.Context, r Runner, p engine.Pass, o Options) ([]Scores, error)
	// Streams says that it reads the model's streams beside passes: the runner is the model, one process does all of it, and units are whole layers.
	Streams bool
	// Walk is how many tokens of the text it walks at most, once, where it measures no removal; 0: it measures removals on all of the text.
	Walk int
}

// Runner runs passes; *engine.Model is one.
type Runner interface {
	Run(context.Context, engine.Pass) (*engine.Outcome, error)
	Layers() int
}

// Kind says which of the three ways the metric is computed.
func (d Definition) Kind() Kind {
	switch {
	case d.New != nil:
		return Activation
	case d.Search != nil:
		return Removal
	}
	return Baseline
}

var registry = map[string]Definition{}

// metricName is what a metric may be called, so that its name can stand in a list of flags, in a file's name and as a key.
var metricName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// reserved are words that mean something else where metrics are named.
var reserved = []string{"all", "index", "none", "sites"}

// Register adds a metric, from a file's init. A definition that cannot be one is a programmer's mistake and panics: a name that is taken or
// no name, no line about it, none or several of New, Search and Order.
func Register(d Definition) {
	if why := d.wrong(); why != "" {
		panic("avss: metric " + d.Name + ": " + why)
	}
	registry[d.Name] = d
}

func (d Definition) wrong() string {
	ways := 0
	for _, given := range []bool{d.New != nil, d.Search != nil, d.Order != nil} {
		if given {
			ways++
		}
	}
	switch _, taken := registry[d.Name]; {
	case taken:
		return "is registered twice"
	case !metricName.MatchString(d.Name) || slices.Contains(reserved, d.Name):
		return "is no name: want lower-case letters, digits and _"
	case d.About == "" || strings.ContainsAny(d.About+d.Unit, "\r\n"):
		return "want one line about it, and a unit without line ends"
	case ways != 1:
		return fmt.Sprintf("%d of New, Search and Order are given, want one", ways)
	}
	return ""
}

// Metrics lists all metrics: activation metrics, removal metrics, baselines, each by name; with kinds, those of these kinds alone.
func Metrics(kinds ...Kind) []Definition {
	if len(kinds) == 0 {
		kinds = []Kind{Activation, Removal, Baseline}
	}
	var out []Definition
	for _, d := range registry {
		if slices.Contains(kinds, d.Kind()) {
			out = append(out, d)
		}
	}
	sort.Slice(out, func(a, b int) bool {
		if x, y := slices.Index(kinds, out[a].Kind()), slices.Index(kinds, out[b].Kind()); x != y {
			return x < y
		}
		return out[a].Name < out[b].Name
	})
	return out
}

// Names lists the names of metrics, in the order of Metrics.
func Names(kinds ...Kind) []string {
	var names []string
	for _, d := range Metrics(kinds...) {
		names = append(names, d.Name)
	}
	return names
}

// Lookup finds a metric by name; the error (failure.NotFound) lists those there are.
func Lookup(name string) (Definition, error) {
	if d, ok := registry[name]; ok {
		return d, nil
	}
	hint := ""
	if near := nearest.Name(name, Names()); near != "" {
		hint = fmt.Sprintf("did you mean %s? ", near)
	}
	return Definition{}, failure.NotFound.Errorf("avss: metric %q is unknown; %sknown are %s", name, hint, strings.Join(Names(), ", "))
}

// New makes an empty activation metric. A metric of another kind is failure.Unsupported.
func New(name string, o Options) (Metric, error) {
	d, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	if d.New == nil {
		return nil, failure.Unsupported.Errorf("avss: %s is a %s metric: it does not watch a pass", name, d.Kind())
	}
	return d.New(d, o), nil
}

// Load makes a metric from a saved state.
func Load(data []byte, o Options) (Metric, error) {
	name, err := stateName(data)
	if err != nil {
		return nil, err
	}
	m, err := New(name, o)
	if err != nil {
		return nil, err
	}
	if err := m.UnmarshalBinary(data); err != nil {
		return nil, err
	}
	return m, nil
}

// references are the arXiv numbers of a metric's papers that have one.
func references(name string) []string {
	var out []string
	for _, p := range registry[name].Papers {
		if p.ArXiv != "" {
			out = append(out, p.ArXiv)
		}
	}
	return out
}

// Bibliography is the papers of the named metrics, each once, by number and title.
func Bibliography(names ...string) []Citation {
	var out []Citation
	for _, name := range names {
		for _, p := range registry[name].Papers {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	sort.Slice(out, func(a, b int) bool {
		if out[a].ArXiv != out[b].ArXiv {
			return out[a].ArXiv < out[b].ArXiv
		}
		return out[a].Title < out[b].Title
	})
	return out
}
