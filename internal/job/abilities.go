package job

import (
	"errors"
	"strings"

	"avssnative/engine"
	"avssnative/prune"
)

// abilities says what can be done with a model and what cannot.
func abilities(m *engine.Model, d *Description) []Ability {
	var all []Ability
	say := func(what string, err error, how string) bool {
		if err != nil {
			how = err.Error()
		}
		all = append(all, Ability{what, err == nil, how})
		return err == nil
	}
	if d.Form == FormConfig {
		return []Ability{{"compute", false, "there are no weights"}, {"plan", true, "memory and time are reckoned from the configuration alone"}}
	}
	computes := say("compute", m.Computable(), "score, judge and compare")
	switch {
	case !computes:
	case m.Spec.Head.Classify != nil:
		say("generate", errors.New("a classifier continues no text"), "")
	case d.Tokenizer == nil:
		say("generate", errors.New("there is no tokenizer"), "")
	default:
		say("generate", nil, "")
	}
	if m.Layers() < 2 {
		say("prune", errors.New("there is but one layer"), "")
		return all
	}
	middle := m.Layers() / 2
	for _, format := range []prune.Format{prune.FormatHF, prune.FormatGGUF, prune.FormatMergekit} {
		how := ""
		if format == prune.FormatMergekit {
			how = "a configuration by which mergekit makes it"
		}
		err := prune.Writable(m, engine.Layers(middle), format)
		if refused := (*prune.Refused)(nil); errors.As(err, &refused) {
			err = errors.New(strings.TrimPrefix(refused.Why, m.Ref+" "))
		}
		say("write "+string(format), err, how)
	}
	for _, part := range []engine.Part{engine.Attention, engine.MLP} {
		unit := engine.Unit{Layer: middle, Part: part}
		if !m.Has(unit) {
			continue
		}
		saved, err := prune.Saves(m, engine.Drop{unit}, "", nil)
		how := "zeros in its output projection: neither bytes nor time are saved"
		if len(saved) > 0 {
			how = "left out"
		}
		say("drop "+part.String()+" alone", err, how)
	}
	if computes {
		say("repair", m.Fittable(), "the layers that stay are solved anew by --repair")
	}
	return all
}
