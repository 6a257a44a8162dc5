package bench

import (
	"encoding/json"
	"math"
)

// A Result is what one task came to for one model or variant.
type Result struct {
	Task       string   `json:"task"`
	Version    string   `json:"version"`
	Kind       Kind     `json:"-"`
	N          int      `json:"n"`                    // items; for chunked texts, chunks
	FewShot    int      `json:"num_fewshot"`          // always 0
	BOS        bool     `json:"bos"`                  // texts begin with BOS
	MaxLength  int      `json:"max_length"`           // input tokens at a time
	Convention string   `json:"convention,omitempty"` // of the perplexities
	Note       string   `json:"note,omitempty"`
	Truncated  int      `json:"truncated,omitempty"` // items that lost the beginning of a context
	Chance     float64  `json:"chance,omitempty"`    // share of right answers by guessing
	Metrics    []Metric `json:"metrics"`
	Primary    string   `json:"primary"`  // the metric that retention is about
	Tokens     int      `json:"tokens"`   // scored, all choices together
	KL         float64  `json:"kl"`       // mean KL(first variant ‖ this one) a scored token, nats; 0 where no divergence was asked for
	SameTop    float64  `json:"same_top"` // share of scored tokens whose most likely token is the first variant's
	Items      []Record `json:"-"`
}

// A Metric is one figure with its standard error, which is NaN where a single item gives none. JSON has null for what is not finite.
type Metric struct {
	Name           string
	Value, Stderr  float64
	HigherIsBetter bool
}

// MarshalJSON writes {"name", "value", "stderr", "higher_is_better"}.
func (m Metric) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name           string   `json:"name"`
		Value          *float64 `json:"value"`
		Stderr         *float64 `json:"stderr"`
		HigherIsBetter bool     `json:"higher_is_better"`
	}{m.Name, finite(m.Value), finite(m.Stderr), m.HigherIsBetter})
}

// finite is nil for NaN and the infinities, which JSON cannot say.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// A Record is what one item came to.
type Record struct {
	Item           int       // place in the file, from 0; for chunked texts, the chunk's
	LogLikelihoods []float64 // of each choice; one for what has no choices
	Greedy         []bool    // greedy decoding would have given exactly this continuation
	Chosen         int       // first choice of the highest log-likelihood
	ChosenNorm     int       // the same after dividing by the choices' lengths in characters
	Gold           int
	Words, Bytes   int // of the original document
	Tokens         int // scored, all choices together
	KL             float64
	SameTop        int
}

// Metric returns a metric by name.
func (r *Result) Metric(name string) (Metric, bool) {
	for _, m := range r.Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// Main is the metric that retention is about.
func (r *Result) Main() Metric {
	m, _ := r.Metric(r.Primary)
	return m
}
