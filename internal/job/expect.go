package job

import (
	"cmp"
	"context"
	"slices"
	"time"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/prune"
)

// Expected is a phase that is to come, and how long it will take.
type Expected struct {
	Phase   string
	Seconds float64
}

// Ahead is what a command is going to do, phase by phase; what is zero is not done.
type Ahead struct {
	Calibration *calib.Options
	Score       bool
	Searches    []string // removal metrics
	Greedy      int      // layers that the greedy search drops; 0: a quarter of them
	Repair      prune.RepairMethod
	Judge       *Evaluation
	Plans       int    // pruned models that are judged beside the dense one
	Judging     string // the phase's name; "": judging
	Generate    int    // tokens
	Write       bool
	Seconds     []Expected // phases whose time the command knows better
}

// What the phases take beside the layers' products, measured on small models on a processor: sampling one row a sequence, and observing.
const (
	sampling  = 4.0  // times a token of a large batch, where a few sequences are continued together
	alone     = 10.0 // the same where one or two are
	observing = 1.2
	fitting   = 5.0  // passes that a repair takes, its sums included
	trying    = 12.0 // passes of all repairs together
	perByte   = 4.0  // characters a token, of usual text
	written   = 200e6
)

// Expect says how long each phase will take, before it starts, and tells Expecting. A layer is timed for it, which takes less than a second for most
// models. A job that is one part of several is not foreseen: it may wait for others.
func (j *Job) Expect(ctx context.Context, a Ahead) error {
	if j.Expecting == nil || !j.alone() || j.Model.Computable() != nil {
		return nil
	}
	if err := j.timeLayer(ctx); err != nil { // an estimate is not worth a failure: what is wrong will be found by the work itself
		return ctx.Err()
	}
	layers, head := float64(j.Model.Layers()), j.headWork()
	var all []Expected
	add := func(phase string, layerTokens float64) {
		all = append(all, Expected{phase, layerTokens * j.layerTime})
	}
	text := 0.0
	if a.Calibration != nil {
		text = float64(a.Calibration.Tokens)
		own := slices.Equal(a.Calibration.Files, []string{calib.Self}) || len(a.Calibration.Files) == 0 && j.Model.Ref != calib.Demo
		work := 0.0
		if own {
			work = sampling * text * (layers + head)
		}
		add("calibration text", work)
	}
	if a.Score {
		add("scoring", observing*text*layers)
	}
	if a.Calibration != nil && a.Score && len(a.Calibration.Files) > 1 {
		// Each text names a set, and two are of all of them; they share layers with the dense model.
		sets := float64(len(a.Calibration.Files) + 2)
		add("texts side by side", min(weighedTokens, text/2)*(1+0.6*sets)*(layers+head))
	}
	all = append(all, j.expectSearches(a, text, layers, head)...)
	switch a.Repair {
	case "", prune.RepairNone:
		if j.Linear {
			add("repair", fitting*text*layers)
		}
	case prune.RepairAuto:
		add("repair", trying*text*layers)
	default:
		add("repair", fitting*text*layers)
	}
	if a.Judge != nil {
		all = append(all, j.expectAlternatives(a.Judge.Alternatives, a.Plans)...)
		all = append(all, j.expectJudging(a, layers, head)...)
	}
	if a.Generate > 0 {
		add("generating", alone*2*float64(1+a.Plans)*float64(a.Generate)*(layers+head))
	}
	if a.Write {
		_, bytes := j.Model.Size(nil)
		all = append(all, Expected{"writing the model", 2 * float64(bytes) / written})
	}
	j.Expecting(append(all, a.Seconds...))
	return nil
}

// expectSearches is what removal metrics take: all sets of one layer less share their first layers, half of the work on average.
func (j *Job) expectSearches(a Ahead, text, layers, head float64) []Expected {
	var all []Expected
	var done []*avss.Search
	for _, d := range avss.Metrics(avss.Removal) {
		if !slices.Contains(a.Searches, d.Name) || slices.Contains(done, d.Search) {
			continue
		}
		done = append(done, d.Search)
		if d.Search.Walk > 0 {
			all = append(all, Expected{d.Search.Name, min(text, float64(d.Search.Walk)) * layers * j.layerTime})
			continue
		}
		rounds, units := 1, j.Units()
		if d.Rounds {
			rounds = cmp.Or(a.Greedy, avss.Quarter(units))
		}
		seconds := 0.0
		for gone := range rounds {
			sets := float64(units - gone)
			seconds += text * sets * (sets/float64(units)*layers/2 + head) * j.layerTime
		}
		all = append(all, Expected{d.Search.Name, seconds})
	}
	return all
}

// expectJudging is what the tasks take, and the timing behind them.
func (j *Job) expectJudging(a Ahead, layers, head float64) []Expected {
	tokens := 0.0
	length := float64(j.length(a.Judge.Length))
	for _, set := range a.Judge.Sets {
		for i := range set.Items {
			item := &set.Items[i]
			text := float64(len(item.Text)) / perByte
			for k, pair := range item.Pairs {
				if text += float64(len(pair.Continuation)) / perByte; k == 0 || pair.Context != item.Pairs[k-1].Context {
					text += min(length, float64(len(pair.Context))/perByte)
				}
			}
			if set.Limit.Items > 0 && len(set.Items) == 1 && item.Text != "" { // one long text of which some chunks are read
				chunk := length
				if set.Task.Chunk > 0 {
					chunk = min(chunk, float64(set.Task.Chunk))
				}
				text = min(text, float64(set.Limit.Items)*chunk)
			}
			tokens += text
		}
	}
	models := 1 + float64(a.Plans)
	if a.Judge.Alternatives.Auto {
		models++
	}
	models += float64(len(a.Judge.Alternatives.Types))
	name := a.Judging
	if name == "" {
		name = "judging"
	}
	// Pruned models share the first layers with the dense one, and lack some.
	shared := 0.6
	all := []Expected{{name, tokens * ((1+shared*(models-1))*layers + 0.6*models*head) * j.layerTime}}
	switch {
	case !a.Judge.Speed:
	case a.Judging != "": // a sweep times its sets on the way
		all[0].Seconds += speedTime.Seconds()
	default:
		all = append(all, Expected{"timing", speedTime.Seconds()})
	}
	return all
}

// headWork is what scoring a token at the output takes, in tokens through a layer.
func (j *Job) headWork() float64 {
	all, _ := j.Model.Size(nil)
	rest, _ := j.Model.Size(engine.Layers(j.Model.Layers() / 2))
	return float64(j.Model.Spec.Vocab) * float64(j.Model.Spec.Hidden) / max(1, float64(all-rest))
}

// timedTokens go through a layer to see how long that takes.
const timedTokens = 128

// timeLayer measures the seconds of one token through one layer, in the middle of the model: twice, as the first time reads it.
func (j *Job) timeLayer(ctx context.Context) error {
	if j.layerTime > 0 {
		return nil
	}
	middle := j.Model.Layers() / 2
	var others []int
	for l := range j.Model.Layers() {
		if l != middle {
			others = append(others, l)
		}
	}
	p := engine.Pass{Sequences: []engine.Sequence{{IDs: make([]int32, min(timedTokens, j.length(0))), Silent: true}},
		Variants: []engine.Drop{engine.Layers(others...)}}
	for range 2 {
		start := time.Now()
		if _, err := j.Model.Run(ctx, p); err != nil {
			return err
		}
		took := time.Since(start)
		j.layerTime = took.Seconds() / float64(len(p.Sequences[0].IDs))
		if took > time.Second {
			break
		}
	}
	return nil
}
