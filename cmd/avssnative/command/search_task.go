package command

// --objective task: sets are compared on questions of --search-task, which are then not among those that judge.

import (
	"errors"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/failure"
	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

// searchItems are questions enough that what they cost tells sets apart: five times as much text as a search by divergence reads.
const searchItems = 200

// asking reads what a search by objective task asks; nil where none does.
func asking(c *cli.Context, s avss.Seeking) (*bench.Set, error) {
	name := c.String("search-task")
	if s.Objective != string(prune.ObjectiveTask) {
		return nil, idle(c, "--objective is not task", "search-task", "search-items")
	}
	switch {
	case name == "":
		return nil, usage("--objective task: --search-task is missing, the task with choices whose questions compare sets")
	case c.Int("search-items") < 1:
		return nil, usage("--search-items %d: want 1 or more", c.Int("search-items"))
	}
	if err := idle(c, "--objective task compares sets on questions: --search-items says how many", "search-tokens"); err != nil {
		return nil, err
	}
	set, err := bench.Reserve(c.Context, name, taskSource(c), c.Int("search-items"), uint64(c.Int("seed")))
	switch {
	case c.Context.Err() != nil && err != nil:
		return nil, err
	case errors.Is(err, failure.NotFound):
		return nil, usage("--search-task %s: %w%s", name, err, fetching(c, []string{name}))
	case err != nil:
		return nil, usage("--search-task %s: %w", name, err)
	}
	return &set, nil
}

// ask gives a search the questions that it compares sets on, framed as those are that judge.
func ask(c *cli.Context, j *job.Job, s *job.Scoring, set *bench.Set) (err error) {
	if set == nil {
		return nil
	}
	b, err := bos(c)
	if err != nil {
		return err
	}
	s.Search.Questions, err = j.Questions(c.Context, job.Evaluation{Sets: []bench.Set{*set}, BOS: b, Shots: c.Int("shots"), Chat: c.Bool("chat")})
	return err
}
