package bench

import "avssnative/avss"

// A Result is what one task came to for one model or variant.
type Result struct {
	Task       string
	Version    string
	Papers     []avss.Citation
	Kind       Kind
	N          int    // items; for chunked texts, chunks
	FewShot    int    // examples in front of each question
	Chat       bool   // questions are turns of a conversation, by the model's template
	BOS        bool   // texts begin with BOS
	MaxLength  int    // input tokens at a time
	Convention string // of the perplexities
	Note       string
	Truncated  int      // items that lost the beginning of a context
	Chance     float64  // share of right answers by guessing
	Choices    []string // what the choices say, where all items have the same
	Metrics    []Metric
	Primary    string  // the metric that retention is about
	Tokens     int     // scored, all choices together
	KL         float64 // mean KL(first variant ‖ this one) a scored token, nats; 0 where no divergence was asked for
	SameTop    float64 // share of scored tokens whose most likely token is the first variant's
	Items      []Record
}

// A Metric is one figure with its standard error, which is NaN where a single item gives none.
type Metric struct {
	Name           string
	Value, Stderr  float64
	HigherIsBetter bool
}

// A Record is what one item came to.
type Record struct {
	Item           int       // place in the file, from 0; for chunked texts, the chunk's
	LogLikelihoods []float64 // of each choice; one for what has no choices
	Greedy         []bool    // greedy decoding would have given exactly this continuation
	Chosen         int       // first choice of the highest log-likelihood
	ChosenNorm     int       // the same after dividing by the choices' lengths in characters
	Gold           int
	Words, Bytes   int                // of the original document
	Tokens         int                // scored, all choices together
	Said           string             // of a generative task: the answer, and
	Marks          map[string]float64 // what it is worth by each metric
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
