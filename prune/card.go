package prune

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"avssnative/engine"
	"avssnative/internal/report/escape"
)

// Card is what the model card of a pruned model says. What is empty is left out.
type Card struct {
	Base     string      // the model it was made from
	Metric   string      // which metric chose the layers, with its mode and site
	Rule     string      // how many were to go
	Dropped  []int       // layers left out, numbered as in the dense model
	Halves   engine.Drop // halves of layers left out
	Layers   int         // layers of the dense model
	Dense    [2]int64    // parameters and bytes of the dense model
	Pruned   [2]int64    // of the pruned one
	Results  [][4]string // task, dense model, pruned model, retention
	License  string      // the dense model's license, as its card names it
	Untied   bool        // the dense model's files hold a head that its configuration ties to the embeddings
	Repair   string      // how the layers that stay were repaired; empty: they were not
	Repaired int         // tensors that were changed by it
	Warnings []string    // what whoever uses the model should know
}

// cardTag tells in a card's head who wrote the folder. By it Write knows its own folders again.
const cardTag = "avssnative"

// licenseName is what a license is called in a card's head (SPDX, and the names of the hub's own list).
var licenseName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+-]{0,99}$`)

// warn adds a warning.
func (c *Card) warn(format string, values ...any) {
	c.Warnings = append(c.Warnings[:len(c.Warnings):len(c.Warnings)], fmt.Sprintf(format, values...))
}

// complete fills in what the model itself knows.
func (c *Card) complete(m *engine.Model, h *halving) {
	if c.Base == "" {
		c.Base = m.Ref
	}
	c.Dropped, c.Layers, c.Untied = h.drop.Layers(), m.Layers(), m.Untied()
	c.Halves = slices.DeleteFunc(slices.Clone(h.drop), func(u engine.Unit) bool { return u.Part == engine.Layer })
	c.Dense[0], c.Dense[1] = m.Size(nil)
	c.Pruned[0], c.Pruned[1] = m.Size(h.saves())
}

// render writes the card. Names come from files and from whoever called the program.
func (c *Card) render(w io.Writer) error {
	var b strings.Builder
	b.WriteString("---\ntags:\n- layer-pruning\n- " + cardTag + "\n")
	if licenseName.MatchString(c.License) {
		fmt.Fprintf(&b, "license: %s\n", c.License)
	}
	fmt.Fprintf(&b, "---\n# %d of %d layers of %s\n\n", c.Layers-len(c.Dropped), c.Layers, escape.Markdown(c.Base))
	switch {
	case len(c.Halves) == 0:
		fmt.Fprintf(&b, "Layers %s (numbered from 0) were left out; ", join(c.Dropped))
	case len(c.Dropped) == 0:
		fmt.Fprintf(&b, "Of layers (numbered from 0) the attention or the MLP was left out: %s; ", strings.ReplaceAll(c.Halves.String(), ",", ", "))
	default:
		fmt.Fprintf(&b, "Layers %s (numbered from 0) were left out, and of further ones the attention or the MLP: %s; ", join(c.Dropped),
			strings.ReplaceAll(c.Halves.String(), ",", ", "))
	}
	if c.Repaired > 0 {
		fmt.Fprintf(&b, "%d tensors of the others were solved anew in closed form, without training; all else is the dense model's, byte for byte.\n\n", c.Repaired)
	} else {
		b.WriteString("the others are the dense model's, byte for byte.\n\n")
	}
	if c.Metric != "" {
		fmt.Fprintf(&b, "- chosen by: %s\n", escape.Markdown(c.Metric))
	}
	if c.Repair != "" {
		fmt.Fprintf(&b, "- repaired by: %s\n", escape.Markdown(c.Repair))
	}
	if c.Rule != "" {
		fmt.Fprintf(&b, "- how many: %s\n", escape.Markdown(c.Rule))
	}
	fmt.Fprintf(&b, "- parameters: %d → %d (%.1f %%)\n- bytes of weights: %d → %d\n", c.Dense[0], c.Pruned[0],
		100*float64(c.Pruned[0])/float64(c.Dense[0]), c.Dense[1], c.Pruned[1])
	if len(c.Warnings) > 0 {
		b.WriteString("\n## To be known\n\n")
		for _, warning := range c.Warnings {
			fmt.Fprintf(&b, "- %s\n", escape.Markdown(warning))
		}
	}
	if c.Untied {
		b.WriteString("\nThe dense model's configuration ties the output head to the embeddings, but its files hold another head. " +
			"The stored head counts here, " +
			"as in transformers 5, and this model's configuration says so (`tie_word_embeddings: false`). Runtimes that follow the flag, as vLLM does, " +
			"skip the dense model's head and compute another dense model.\n")
	}
	if len(c.Results) > 0 {
		b.WriteString("\n## What it cost\n\n| task | dense | pruned | retention |\n|---|---|---|---|\n")
		for _, r := range c.Results {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", escape.Markdown(r[0]), escape.Markdown(r[1]), escape.Markdown(r[2]), escape.Markdown(r[3]))
		}
	}
	b.WriteString("\nWritten by avssnative. The scores follow AVSS (arXiv 2411.02117) and the papers of the metrics named above.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// join lists layers with commas.
func join(layers []int) string {
	texts := make([]string, len(layers))
	for i, layer := range layers {
		texts[i] = fmt.Sprint(layer)
	}
	return strings.Join(texts, ", ")
}
