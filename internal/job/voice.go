package job

import (
	"context"

	"avssnative/bench"
	"avssnative/internal/report"
)

// What every set of a sweep says, so that a reader can hear what a share more costs.

// voice is what one model says after some beginnings, and what stands out of that.
type voice struct {
	texts   []string
	fluency report.Fluency
}

func heard(asked, said []string, ids [][]int32) voice {
	return voice{said, fluency(bench.MeasureFluency(asked, said, ids))}
}

// hear writes down what the dense model and every point of a sweep said.
func hear(s *report.Sweep, asked []string, dense voice, of func(point int) voice) {
	s.Prompts = asked
	s.Dense.Says, s.Dense.Fluency = dense.texts, &dense.fluency
	for i := range s.Points {
		v := of(i)
		s.Points[i].Says, s.Points[i].Fluency = v.texts, &v.fluency
	}
}

// sayBeside lets what is judged beside the plan continue the beginnings, of which asked is the text, by so many tokens. said is what models said
// already, by what they lack.
func (j *Job) sayBeside(ctx context.Context, prompts [][]int32, asked []string, tokens int, dense voice, said map[string]voice) error {
	if len(j.further) == 0 || j.Report.Sweep == nil {
		return nil
	}
	for _, b := range j.further {
		if _, has := said[b.drop.String()]; has {
			continue
		}
		texts, ids, err := j.say(ctx, prompts, b.drop, b.repair, tokens)
		if err != nil {
			return err
		}
		said[b.drop.String()] = heard(asked, texts, ids)
	}
	hear(j.Report.Sweep, asked, dense, func(i int) voice { return said[j.further[i].drop.String()] })
	return nil
}
