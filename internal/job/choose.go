package job

import (
	"fmt"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/internal/report"
	"avssnative/prune"
)

// Choice says which layers shall go.
type Choice struct {
	Metric  string // what ranks them: a metric's name, or the key of scores; "": avss
	Rule    prune.Rule
	Protect prune.Protect
	Mode    avss.Mode // where Metric is avss; "": robust
	Site    avss.Site // where Metric is avss; "": delta
	Seed    uint64    // of the random baseline
	Worst   bool      // of several texts, what costs least where it costs most (after CompareTexts); else what all of them say together
}

// Choose picks the layers that go by the scores measured before, and notes what the other rankings would have dropped.
func (j *Job) Choose(c Choice) (engine.Drop, error) {
	layers := j.Model.Layers()
	if c.Rule.Listed() {
		plan, err := prune.ListedUnits(layers, c.Rule, c.Protect)
		if err != nil {
			return nil, err
		}
		j.Report.Plan = plan
		j.size(plan.Drop())
		return plan.Drop(), nil
	}
	scores, err := j.ranking(c.Metric, c)
	if err != nil {
		return nil, err
	}
	plan, err := j.plan(scores, c.Rule, c.Protect)
	if err != nil {
		return nil, err
	}
	if j.Report.Texts != nil {
		j.Report.Texts.Chosen = report.ByJoint
	}
	if c.Worst {
		if plan, err = j.bestInWorstCase(c); err != nil {
			return nil, err
		}
	}
	if a := j.Report.Aimed; a != nil {
		plan.Rule += fmt.Sprintf(" for %s", a.Target)
	}
	j.Report.Plan = plan
	j.size(plan.Drop())
	j.others(plan, c)
	return plan.Drop(), nil
}

// plan is what a rule drops by scores of what the job scores.
func (j *Job) plan(scores avss.Scores, rule prune.Rule, protect prune.Protect) (*prune.Plan, error) {
	if j.Unit == prune.Sublayer {
		return prune.ChooseHalves(scores, rule, protect, prune.HalfBytes(j.Model))
	}
	return prune.Choose(scores, rule, protect)
}

// ranking finds the scores that a metric's name means.
func (j *Job) ranking(metric string, c Choice) (avss.Scores, error) {
	if metric == "" || metric == "avss" {
		metric = avss.NewAVSS(avss.Options{Mode: c.Mode, Site: c.Site}).Key()
	}
	if d, err := avss.Lookup(metric); err == nil && d.Kind() == avss.Baseline {
		scores, err := avss.BaselineScores(metric, j.Units(), c.Seed)
		if err != nil {
			return scores, err
		}
		if _, err := j.find(metric); err != nil {
			j.add(scores)
		}
		return scores, nil
	}
	return j.find(metric)
}

// add puts scores beside those measured.
func (j *Job) add(scores avss.Scores) {
	j.scores = append(j.scores, scores)
	if j.Report.Scores == nil {
		j.Report.Scores = map[string]avss.Scores{}
	}
	j.Report.Scores[scores.Key()] = scores
	j.explain(scores.Metric)
}

// others notes what the other rankings would have dropped: as many layers, or halves of as many bytes, with the same ones protected.
func (j *Job) others(chosen *prune.Plan, c Choice) {
	rule := prune.Count(len(chosen.Dropped))
	if chosen.Unit == prune.Sublayer {
		rule = c.Rule
	}
	for _, scores := range j.scores {
		if scores.Key() == chosen.Metric {
			continue
		}
		plan, err := j.plan(scores, rule, c.Protect)
		if err != nil {
			continue // a ranking that has no such choice (a greedy search that went less far) is left out
		}
		j.Report.Others = append(j.Report.Others, *plan)
	}
}

// UseScores takes the scores of a file instead of measuring; what they are scores of is what is chosen.
func (j *Job) UseScores(f *avss.File) error {
	j.Unit, j.Report.Unit = f.Unit, f.Unit
	if len(f.Layers) == j.Units() {
		j.Report.Layers = f.Layers
	}
	calibration := f.Calibration
	j.Report.Calibration = &calibration
	if calibration.Tokens < strongly {
		j.Report.Warnings = append(j.Report.Warnings, fmt.Sprintf("calibration: the scores were measured on only %d tokens: "+
			"they are not to be relied on", calibration.Tokens))
	}
	var cited []string
	for _, key := range f.Keys() {
		scores, err := f.Find(key)
		if err != nil {
			return err
		}
		j.add(scores)
		cited = append(cited, scores.Metric)
	}
	j.Report.References = avss.Bibliography(cited...)
	return nil
}

// Named is the choice of layers, or halves of layers, that a person names.
func (j *Job) Named(rule prune.Rule) (engine.Drop, error) { return j.Choose(Choice{Rule: rule}) }
