package prune

import (
	"fmt"
	"io"
	"strings"

	"avssnative/engine"
)

// Card is what the model card of a smaller model says. What is empty is left out.
type Card struct {
	Base    string      // the model it was made from
	Metric  string      // which metric chose the layers, with its mode and site
	Rule    string      // how many were to go
	Dropped []int       // layers left out, numbered as in the base model
	Layers  int         // layers of the base model
	Before  [2]int64    // parameters and bytes of the base model
	After   [2]int64    // of the smaller one
	Results [][4]string // task, whole model, smaller model, retention
	License string      // the base model's license, as its card names it
	Untied  bool        // the base model's files hold a head that its configuration ties to the embeddings
}

// complete fills in what the model itself knows.
func (c *Card) complete(m *engine.Model, drop engine.Drop) {
	if c.Base == "" {
		c.Base = m.Ref
	}
	c.Dropped, c.Layers, c.Untied = drop.Layers(), m.Layers(), m.Untied()
	c.Before[0], c.Before[1] = m.Size(nil)
	c.After[0], c.After[1] = m.Size(drop)
}

func (c *Card) render(w io.Writer) error {
	var b strings.Builder
	b.WriteString("---\ntags:\n- layer-pruning\n- avssnative\n")
	if c.License != "" {
		fmt.Fprintf(&b, "license: %s\n", c.License)
	}
	fmt.Fprintf(&b, "---\n# %d of %d layers of %s\n\n", c.Layers-len(c.Dropped), c.Layers, c.Base)
	fmt.Fprintf(&b, "Layers %s (numbered from 0) were left out; the others are the base model's, byte for byte.\n\n", join(c.Dropped))
	if c.Metric != "" {
		fmt.Fprintf(&b, "- chosen by: %s\n", c.Metric)
	}
	if c.Rule != "" {
		fmt.Fprintf(&b, "- how many: %s\n", c.Rule)
	}
	fmt.Fprintf(&b, "- parameters: %d → %d (%.1f %%)\n- bytes of weights: %d → %d\n", c.Before[0], c.After[0],
		100*float64(c.After[0])/float64(c.Before[0]), c.Before[1], c.After[1])
	if c.Untied {
		b.WriteString("\nThe base model's configuration ties the output head to the embeddings, but its files hold another head. " +
			"The stored head counts here, " +
			"as in transformers 5, and this model's configuration says so (`tie_word_embeddings: false`). Runtimes that follow the flag, as vLLM does, " +
			"skip the base model's head and compute another base model.\n")
	}
	if len(c.Results) > 0 {
		b.WriteString("\n## What it cost\n\n| task | whole | smaller | retention |\n|---|---|---|---|\n")
		for _, r := range c.Results {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r[0], r[1], r[2], r[3])
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
