package job

import (
	"context"

	"avssnative/avss"
)

// Questions are the items of a task with choices as a search compares sets on them, asked as the evaluation says.
func (j *Job) Questions(ctx context.Context, o Evaluation) (*avss.Questions, error) {
	suite, err := j.Suite(ctx, o)
	if err != nil {
		return nil, err
	}
	ends, err := suite.Ends()
	if err != nil {
		return nil, err
	}
	return &avss.Questions{Task: o.Sets[0].Task.Name, Sequences: suite.Sequences, Ends: ends, Cost: suite.MarginLoss}, nil
}
