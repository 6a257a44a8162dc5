package avss

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Kind says how a metric is computed.
type Kind string

const (
	Activation Kind = "activation" // from one pass of the whole model, by an observer
	Removal    Kind = "removal"    // from passes of models that lack layers
	Baseline   Kind = "baseline"   // from the number of layers alone
)

// Info describes a metric. In all of them the lowest scores go first.
type Info struct {
	Name   string
	Kind   Kind
	About  string // one line
	Papers []Citation
	New    func(Options) Metric // of an Activation metric
}

var registry = map[string]Info{}

func register(i Info) {
	if _, double := registry[i.Name]; double {
		panic("avss: metric " + i.Name + " is registered twice")
	}
	registry[i.Name] = i
}

// Metrics lists all metrics: activation metrics, removal metrics, baselines, each by name.
func Metrics() []Info {
	out := make([]Info, 0, len(registry))
	for _, i := range registry {
		out = append(out, i)
	}
	kinds := []Kind{Activation, Removal, Baseline}
	sort.Slice(out, func(a, b int) bool {
		if x, y := slices.Index(kinds, out[a].Kind), slices.Index(kinds, out[b].Kind); x != y {
			return x < y
		}
		return out[a].Name < out[b].Name
	})
	return out
}

// Lookup finds a metric by name; the error lists those there are.
func Lookup(name string) (Info, error) {
	if i, ok := registry[name]; ok {
		return i, nil
	}
	var names []string
	for _, i := range Metrics() {
		names = append(names, i.Name)
	}
	return Info{}, fmt.Errorf("avss: metric %q is unknown: want one of %s", name, strings.Join(names, ", "))
}

// New makes an empty activation metric.
func New(name string, o Options) (Metric, error) {
	i, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	if i.New == nil {
		return nil, fmt.Errorf("avss: %s is a %s metric: it does not watch a pass", name, i.Kind)
	}
	return i.New(o), nil
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

// references are the arXiv numbers of a metric's papers.
func references(name string) []string {
	var out []string
	for _, p := range registry[name].Papers {
		out = append(out, p.ArXiv)
	}
	return out
}

// Bibliography is the papers of the named metrics, each once, by number.
func Bibliography(names ...string) []Citation {
	var out []Citation
	for _, name := range names {
		for _, p := range registry[name].Papers {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	sort.Slice(out, func(a, b int) bool { return out[a].ArXiv < out[b].ArXiv })
	return out
}
