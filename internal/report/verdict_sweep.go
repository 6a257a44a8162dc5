package report

import (
	"fmt"
	"slices"
	"strings"
)

// sweepVerdict tells of the largest cut that a sweep found the model to spare, or of the smallest where it spares none.
func (r *Report) sweepVerdict() []string {
	f := r.recommended()
	if f == nil {
		return nil
	}
	return []string{r.whatGoes(f), r.whatItCosts(f), r.howSure(f), r.whatIsBetter(f), next + r.nextCommand(f)}
}

// recommended is the cut to tell of: of each count the set with the least divergence, of the counts the largest that is spared, else the smallest.
// Baselines choose by place or at random and are recommended by nobody, unless they are all there is.
func (r *Report) recommended() *finding {
	s := r.Sweep
	var counts []int
	best := map[int]*SweepPoint{}
	for _, baselines := range []bool{false, true} {
		for i := range s.Points {
			p := &s.Points[i]
			baseline, _ := baselineOf(p.Metric)
			if (baseline != "") != baselines {
				continue
			}
			if had := best[p.Count]; had == nil || finite(p.Divergence.KL) < finite(had.Divergence.KL) {
				best[p.Count] = p
			}
		}
		if len(best) > 0 {
			break
		}
	}
	for count := range best {
		counts = append(counts, count)
	}
	slices.Sort(counts)
	if len(counts) == 0 {
		return nil
	}
	chosen := r.found(best[counts[0]])
	for _, count := range counts {
		if f := r.found(best[count]); f.grade() == spared {
			chosen = f
		}
	}
	return chosen
}

// found is a point of the sweep as the sentences tell of it.
func (r *Report) found(p *SweepPoint) *finding {
	s := r.Sweep
	var by []string
	for i := range s.Points {
		if q := &s.Points[i]; q.Count == p.Count && slices.Equal(q.Dropped, p.Dropped) && !slices.Contains(by, q.Metric) {
			by = append(by, q.Metric)
		}
	}
	f := &finding{dropped: p.Dropped, chosenBy: "chosen by " + named(by, inSentence), retention: &p.Retention, divergence: &p.Divergence, bytes: p.Bytes}
	if s.Dense == nil {
		f.tasks = len(p.Tasks)
		return f
	}
	f.of = s.Dense.Bytes
	f.tasks = len(s.averaged())
	if i := s.perplexity(); i >= 0 {
		f.perplexity = grown(p.Tasks[i].Name, float64(s.Dense.Tasks[i].Value), float64(p.Tasks[i].Value))
	}
	return f
}

// averaged are the places of the tasks that the sweep's means are over.
func (s *Sweep) averaged() []int {
	if s.Dense == nil {
		return nil
	}
	accuracies := slices.ContainsFunc(s.Dense.Tasks, func(t TaskPoint) bool { return t.Convention == "" })
	var places []int
	for i := range s.Dense.Tasks {
		t := &s.Dense.Tasks[i]
		if (t.Convention == "") == accuracies && !t.AtChance() && isFinite(float64(t.Retention)) {
			places = append(places, i)
		}
	}
	return places
}

// atChance are the tasks at which the dense model does no better than guessing.
func (s *Sweep) atChance() []string {
	var names []string
	if s.Dense != nil {
		for i := range s.Dense.Tasks {
			if t := &s.Dense.Tasks[i]; t.AtChance() {
				names = append(names, t.Name)
			}
		}
	}
	return names
}

// agreed says in how many ways the metrics choose so many layers.
func (s *Sweep) agreed(count int) string {
	sets := map[string]bool{}
	metrics := 0
	for i := range s.Points {
		p := &s.Points[i]
		if baseline, _ := baselineOf(p.Metric); p.Count == count && baseline == "" {
			metrics++
			sets[spaced(p.Dropped)] = true
		}
	}
	switch {
	case metrics == 0:
		return "no metric chose it, only a baseline did"
	case metrics == 1:
		return "one metric chose"
	case len(sets) == 1:
		return fmt.Sprintf("all %d metrics name the same set", metrics)
	}
	return fmt.Sprintf("%d metrics name %d different sets of that size", metrics, len(sets))
}

// betterChoice names another set of as many layers that was measured and came out better.
func (r *Report) betterChoice(f *finding) string {
	if r.Sweep == nil || r.Plan != nil || f.divergence == nil {
		return ""
	}
	var better []string
	kl := f.divergence.KL
	for i := range r.Sweep.Points {
		p := &r.Sweep.Points[i]
		if which, _ := r.which(p.Dropped); p.Count == len(f.dropped) && p.Divergence.KL < kl {
			better = []string{fmt.Sprintf("%s (chosen by %s, %s nats a token)", which, p.Metric, short(p.Divergence.KL))}
			kl = p.Divergence.KL
		}
	}
	return strings.Join(better, "; ")
}
