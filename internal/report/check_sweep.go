package report

import (
	"fmt"
	"math"
)

// sweep checks what bench found.
func (c *checker) sweep(s *Sweep) {
	c.count(int64(s.Layers), maxLayers, "sweep.layers")
	c.unit(s.Unit, "sweep.unit")
	c.length("sweep.points", len(s.Points), maxPoints)
	c.length("sweep.prompts", len(s.Prompts), maxRankings)
	c.length("sweep.points: texts", len(s.Points)*len(s.Prompts), maxCells)
	c.length("sweep.agreement_metrics", len(s.Metrics), maxRankings)
	c.length("sweep.agreement_tau", len(s.Metrics)*len(s.Metrics), maxCells)
	if len(s.Metrics) != len(s.Tau) {
		c.fail("sweep", "%d metrics, agreement of %d", len(s.Metrics), len(s.Tau))
	}
	for i, row := range s.Tau {
		if len(row) != len(s.Metrics) {
			c.fail(fmt.Sprintf("sweep.agreement_tau[%d]", i), "%d values for %d metrics", len(row), len(s.Metrics))
		}
		for _, tau := range row {
			if math.Abs(tau) > 1+barely {
				c.fail(fmt.Sprintf("sweep.agreement_tau[%d]", i), "%v, want a number from -1 to 1", tau)
			}
		}
	}
	for what, n := range map[string]int{"passes": s.Passes, "passes_alone": s.PassesAlone, "blocks": s.Blocks, "blocks_alone": s.BlocksAlone} {
		c.count(int64(n), maxCount, "sweep", what)
	}
	c.number(s.Seconds, 0, maxCount, "sweep.seconds")
	c.number(s.SecondsAlone, 0, maxCount, "sweep.seconds_alone")
	if s.Dense != nil {
		if len(s.Points) == 0 {
			c.fail("sweep", "a dense model and no points")
			return
		}
		c.point(s.Dense, s, "sweep.dense")
	}
	counts := map[int]bool{}
	for i := range s.Points {
		c.point(&s.Points[i], s, fmt.Sprintf("sweep.points[%d]", i))
		counts[s.Points[i].Count] = true
	}
	if len(s.Points) > 0 {
		c.length("sweep.points: tasks", len(s.Points)*len(s.Points[0].Tasks), maxCells)
		c.length("sweep.points: counts of metrics", len(counts)*len(s.metrics()), maxCells)
	}
}

func (c *checker) point(p *SweepPoint, s *Sweep, field string) {
	c.layers(p.Dropped, unitsOf(s.Layers, s.Unit), field)
	c.count(int64(p.Count), int64(s.Layers), field, "count")
	c.number(p.Share, 0, 1, field, "share")
	c.retention(&p.Retention, field, "retention")
	c.divergence(&p.Divergence, field, "divergence")
	c.maybe(p.Flips, 0, 1+barely, field, "flips")
	c.count(p.Parameters, maxCount, field, "parameters")
	c.count(p.Bytes, maxCount, field, "bytes")
	c.number(p.TokensPerSecond, 0, maxCount, field, "tokens_per_s")
	c.number(p.Generated, 0, maxCount, field, "generated_per_s")
	c.count(p.CacheBytes, maxCount, field, "cache_bytes")
	if len(p.Says) != 0 && len(p.Says) != len(s.Prompts) {
		c.fail(field+".says", "%d texts after %d beginnings", len(p.Says), len(s.Prompts))
	}
	if p.Fluency != nil {
		c.fluency(p.Fluency, field+".fluency")
	}
	if len(p.Tasks) != len(s.Points[0].Tasks) {
		c.fail(field, "%d tasks, the first has %d", len(p.Tasks), len(s.Points[0].Tasks))
	}
	for i := range p.Tasks {
		t := &p.Tasks[i]
		c.figure(Figure{t.Value, t.Stderr}, field, "tasks", t.Name)
		c.maybe(t.Retention, 0, math.Inf(1), field, "tasks", t.Name, "retention")
		c.span(t.Span, field, "tasks", t.Name, "retention_interval")
		c.count(int64(t.N), maxCount, field, "tasks", t.Name, "n")
		c.number(t.Chance, 0, 1, field, "tasks", t.Name, "chance")
	}
}
