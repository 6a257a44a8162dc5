package command

import (
	"fmt"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

// searchTokens are enough that sets which differ in what they cost differ in what they are seen to cost, and few enough that a round takes seconds.
const searchTokens = 3072

// searchFlags are those of the metric search.
func searchFlags() []cli.Flag {
	return []cli.Flag{
		text("objective", "kl", "search: what a set costs: kl, its divergence from the dense model; nll, the loss; or task, its answers to --search-task"),
		text("search-task", "", "search: with --objective task, the task with choices whose questions compare sets; those are not among what judges"),
		number("search-items", searchItems, "search: with --objective task, questions that sets are compared on, no more than half of the task's"),
		number("beam", 1, "search: sets that each of its rounds goes on with"),
		number("search-tokens", searchTokens, "search: calibration tokens that sets are compared on at most; 0: all of the half that nothing is judged by"),
		toggle("search-plain", "search: compare sets as they are, without a matrix in the place of each gap"),
	}
}

// allRemovals are the removal metrics that "all" stands for: those that shards share, on layers and halves of them. A search is worth its time to
// those who ask for it.
func allRemovals() []string {
	return slices.DeleteFunc(avss.Names(avss.Removal), func(name string) bool {
		d, err := avss.Lookup(name)
		return err == nil && d.Search.Streams
	})
}

// butAlone says in words what "all" leaves out, behind "all": " but a and b as all".
func butAlone() string {
	all := allRemovals()
	alone := slices.DeleteFunc(avss.Names(avss.Removal), func(name string) bool { return slices.Contains(all, name) })
	if len(alone) == 0 {
		return ""
	}
	words := alone[len(alone)-1]
	if others := alone[:len(alone)-1]; len(others) > 0 {
		words = strings.Join(others, ", ") + " and " + words
	}
	return " but " + words + " as all"
}

// seeking reads the flags of the metric search, and refuses them where it is not measured.
func seeking(c *cli.Context, metrics []string) (avss.Seeking, error) {
	if !slices.Contains(metrics, prune.SearchName) {
		return avss.Seeking{}, idle(c, "search is not measured", "objective", "beam", "search-tokens", "search-plain", "search-task", "search-items")
	}
	objective, err := prune.ParseObjective(c.String("objective"))
	if err != nil {
		return avss.Seeking{}, usage("--objective: %w", err)
	}
	if c.Int("beam") < 1 {
		return avss.Seeking{}, usage("--beam %d: want 1 or more", c.Int("beam"))
	}
	if n := c.Int("search-tokens"); n < 0 {
		return avss.Seeking{}, usage("--search-tokens %d: want 0 (all) or more", n)
	}
	return avss.Seeking{Objective: string(objective), Beam: c.Int("beam"), Tokens: c.Int("search-tokens"), Plain: c.Bool("search-plain")}, nil
}

// found says what a search has found so far, so that somebody who has waited long enough can take it, and how to go on another time.
func (p *progress) found(set avss.Set, resumed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.close()
	how := ""
	if !resumed && !p.told {
		p.told, how = true, "; interrupted, it goes on from here only with --resume DIR"
	}
	list := engine.Layers(set.Layers...).String()
	if len(set.Layers) == 1 {
		list += "," // one alone would be a number of layers
	}
	fmt.Fprintf(p.out, "%s: best so far: --drop %s costs %s (%s)%s\n", p.name, list, set.Price(), set.By, how)
}

// sought are how many layers go by a rule, for a search; none where no number does.
func sought(rule prune.Rule, j *job.Job, protect prune.Protect) ([]int, error) {
	n, err := rule.Number(j.Model.Layers(), protect)
	if err != nil || n == 0 {
		return nil, err
	}
	return []int{n}, nil
}
