package command

import (
	"fmt"
	"slices"
	"strings"

	"avssnative/internal/job"
	"avssnative/internal/report"

	"github.com/urfave/cli/v2"
)

func showCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "show what is in a model's files, and what can be done with it", ArgsUsage: "FILE|DIR|NAME",
		Description: "Nothing is read but headers and configuration. A config.json alone is enough for what its model would be.",
		Flags:       []cli.Flag{jsonFlag()}, Action: show,
	}
}

func show(c *cli.Context) error {
	if c.NArg() != 1 {
		return usage("show: want one model, behind the flags, as show model.gguf, show FOLDER, show org/name or show demo")
	}
	d, err := job.Describe(c.Context, c.Args().First())
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, d)
	}
	return printDescription(c, d)
}

// formWords are what the forms of a model are called.
var formWords = map[string]string{
	job.FormFolder: "a folder of config.json and weights", job.FormGGUF: "a GGUF file", job.FormConfig: "a configuration without weights",
}

func printDescription(c *cli.Context, d *job.Description) error {
	w := c.App.Writer
	lines := []string{fmt.Sprintf("%s: %s, %s", d.Name, d.Architecture, formWords[d.Form])}
	if d.Layers > 0 {
		lines = append(lines, fmt.Sprintf("%d layers, hidden %d, vocabulary %d, %s", d.Layers, d.Hidden, d.Vocabulary, contextWords(d.Context)))
	}
	lines = append(lines, fmt.Sprintf("%s parameters, %s", report.Quantity(d.Parameters), report.Bytes(d.Bytes)))
	if d.Cache != nil {
		lines = append(lines, cacheWords(d))
	}
	for _, line := range append(lines, tokenizerWords(d)) {
		fmt.Fprintln(w, report.Paragraph(line))
	}
	for _, t := range descriptionTables(d) {
		if len(t.Rows) == 0 {
			continue
		}
		fmt.Fprintln(w)
		if err := t.Terminal(w); err != nil {
			return err
		}
	}
	return nil
}

func contextWords(tokens int) string {
	if tokens == 0 {
		return "a context that is not said"
	}
	return fmt.Sprintf("a context of %d tokens", tokens)
}

// cacheWords says what generating keeps of a text.
func cacheWords(d *job.Description) string {
	c := d.Cache
	words := "keys and values in half precision: "
	switch {
	case c.PerToken == 0 && c.Once == 0:
		return words + "none"
	case c.PerToken > 0:
		words += report.Bytes(c.PerToken).String() + " a token"
	}
	if c.Once > 0 {
		if c.PerToken > 0 {
			words += " and "
		}
		words += report.Bytes(c.Once).String() + " once"
	}
	if c.Whole > 0 {
		words += fmt.Sprintf(", %s of %d tokens", report.Bytes(c.Whole), d.Context)
	}
	if c.Windowed > 0 {
		words += fmt.Sprintf(" (%d layers keep no more than the window that they see)", c.Windowed)
	}
	return words
}

func tokenizerWords(d *job.Description) string {
	t := d.Tokenizer
	if t == nil {
		return "no tokenizer: " + d.Untokenized
	}
	words := fmt.Sprintf("tokenizer: %s, %d ids", t.Kind, t.Size)
	if t.BOS != "" {
		words += fmt.Sprintf(", begins with %q", t.BOS)
		if !t.AddsBOS {
			words += " where it is asked to"
		}
	}
	if t.EOS != "" {
		words += fmt.Sprintf(", ends with %q", t.EOS)
	}
	if t.Chat {
		words += ", with a chat template"
	}
	return strings.Join(append([]string{words}, t.Notes...), "; ")
}

func descriptionTables(d *job.Description) []*report.Table {
	kinds := report.NewTable("Layers", "layers", "what they are", "parameters each")
	for _, run := range gathered(d.Blocks, func(b job.Block) string { return fmt.Sprint(blockWords(b), b.Parameters) }) {
		b := d.Blocks[run[0]]
		kinds.Add(run, report.Text(blockWords(b)), report.Quantity(b.Parameters))
	}
	layers := report.NewTable("Sizes by layer", "layers", "types", "bytes each", "share of all")
	for _, run := range gathered(d.Blocks, func(b job.Block) string { return fmt.Sprint(typeWords(b), b.Bytes) }) {
		b := d.Blocks[run[0]]
		layers.Add(run, report.Text(typeWords(b)), report.Bytes(b.Bytes), portionOf(int64(len(run))*b.Bytes, d.Bytes))
	}
	parts := report.NewTable("Sizes by part", "part", "parameters", "bytes", "share")
	for _, p := range d.Parts {
		parts.Add(report.Text(partWords[p.Name]), report.Quantity(p.Parameters), report.Bytes(p.Bytes), portionOf(p.Bytes, d.Bytes))
	}
	types := report.NewTable("Sizes by type", "type", "tensors", "parameters", "bytes", "share")
	for _, p := range d.Types {
		types.Add(report.Text(p.Name), report.Count(p.Tensors), report.Quantity(p.Parameters), report.Bytes(p.Bytes), portionOf(p.Bytes, d.Bytes))
	}
	can := report.NewTable("What can be done with it", "", "", "how, or why not")
	for _, a := range d.Abilities {
		can.Add(report.Text(a.What), report.Text(map[bool]string{true: "yes", false: "no"}[a.Able]), report.Text(a.Note))
	}
	return []*report.Table{kinds, layers, parts, types, can}
}

// partWords are what the parts of a model are called.
var partWords = map[string]string{
	"embedding": "embedding", "attention": "attentions, with their norms", "mlp": "MLPs, with their norms", "rest_of_layers": "the layers otherwise",
	"head": "final norm and head", "other": "other tensors",
}

// gathered are the layers of which something is the same, the first ones first.
func gathered(blocks []job.Block, of func(job.Block) string) []report.LayerSet {
	var all []report.LayerSet
	at := map[string]int{}
	for l, b := range blocks {
		key := of(b)
		if _, known := at[key]; !known {
			at[key] = len(all)
			all = append(all, nil)
		}
		all[at[key]] = append(all[at[key]], l)
	}
	return all
}

// blockWords says what a layer is.
func blockWords(b job.Block) string {
	var words []string
	for _, half := range []string{b.Mixer, b.MLP} {
		if half != "" {
			words = append(words, half)
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, "; ")
}

func typeWords(b job.Block) string {
	var names []string
	for name := range b.Types {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func portionOf(part, of int64) report.Cell {
	if of == 0 {
		return nil
	}
	return report.Share(float64(part) / float64(of))
}
