package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"avssnative/internal/job"
	"avssnative/internal/mapped"
	"avssnative/internal/report"

	"github.com/urfave/cli/v2"
)

func compareCommand() *cli.Command {
	return &cli.Command{
		Name: "compare", Usage: "show what differs between two reports, or between two models", ArgsUsage: "A B",
		Description: "A report is a folder that --report made, or its report.json; a model is what --model takes. Of reports: the plan, how far the " +
			"scores agree, tasks, divergence, sizes; of models: architecture, sizes, tokenizer, and which layers of A are in B.",
		Flags: []cli.Flag{jsonFlag()}, Action: compare,
	}
}

func compare(c *cli.Context) error {
	if c.NArg() != 2 {
		return usage("compare: want two reports or two models, behind the flags, as compare DIR1 DIR2")
	}
	a, b := c.Args().Get(0), c.Args().Get(1)
	reports := [2]bool{isReport(a), isReport(b)}
	switch reports {
	case [2]bool{true, true}:
		return compareReports(c, a, b)
	case [2]bool{false, false}:
		return compareModels(c, a, b)
	case [2]bool{true, false}:
		return usage("compare: %s is a report and %s is none: want two of a kind", a, b)
	default:
		return usage("compare: %s is a report and %s is none: want two of a kind", b, a)
	}
}

// isReport says whether a path is a report's: its folder, or a file that is no model's configuration.
func isReport(path string) bool {
	if _, err := os.Stat(filepath.Join(path, report.FileName)); err == nil {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && strings.EqualFold(filepath.Ext(path), ".json") && filepath.Base(path) != "config.json"
}

func readReport(path string) (*report.Report, error) {
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return report.Read(path)
	}
	data, err := mapped.ReadSmall(path, report.MaxBytes)
	if err != nil {
		return nil, err
	}
	r, err := report.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func compareReports(c *cli.Context, pathA, pathB string) error {
	a, err := readReport(pathA)
	if err != nil {
		return err
	}
	b, err := readReport(pathB)
	if err != nil {
		return err
	}
	compared := report.Compare(a, b)
	if c.Bool("json") {
		return printJSON(c, compared)
	}
	return compared.Terminal(c.App.Writer)
}

// modelPair is two models side by side.
type modelPair struct {
	A        *job.Description `json:"a"`
	B        *job.Description `json:"b"`
	Relation *job.Relation    `json:"layers,omitempty"` // nil where one of them has none to compare
}

func compareModels(c *cli.Context, refA, refB string) error {
	var pair modelPair
	var err error
	if pair.A, err = job.Describe(c.Context, refA); err != nil {
		return err
	}
	if pair.B, err = job.Describe(c.Context, refB); err != nil {
		return err
	}
	if pair.A.Form != job.FormConfig && pair.B.Form != job.FormConfig && pair.A.Layers > 0 && pair.B.Layers > 0 {
		if pair.Relation, err = job.Relate(c.Context, refA, refB); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(c, pair)
	}
	return pair.table().Terminal(c.App.Writer)
}

// table shows the models side by side.
func (p modelPair) table() *report.Table {
	t := report.NewTable("Two models", "", "A", "B", "B/A")
	a, b := p.A, p.B
	words := func(name, inA, inB string) {
		same := report.Text("")
		if inA == inB {
			same = "the same"
		}
		t.Add(report.Text(name), report.Text(inA), report.Text(inB), same)
	}
	numbers := func(name string, inA, inB int64, cell func(int64) fmt.Stringer) {
		relative := report.Text("")
		switch {
		case inA == inB:
			relative = "the same"
		case inA != 0:
			relative = report.Text(fmt.Sprintf("%.3f", float64(inB)/float64(inA)))
		}
		t.Add(report.Text(name), report.Text(cell(inA).String()), report.Text(cell(inB).String()), relative)
	}
	count := func(n int64) fmt.Stringer { return report.Count(n) }
	quantity := func(n int64) fmt.Stringer { return report.Quantity(n) }
	bytes := func(n int64) fmt.Stringer { return report.Bytes(n) }
	words("name", a.Name, b.Name)
	words("form", a.Form, b.Form)
	words("architecture", a.Architecture, b.Architecture)
	numbers("layers", int64(a.Layers), int64(b.Layers), count)
	numbers("hidden", int64(a.Hidden), int64(b.Hidden), count)
	numbers("vocabulary", int64(a.Vocabulary), int64(b.Vocabulary), count)
	numbers("context", int64(a.Context), int64(b.Context), count)
	numbers("parameters", a.Parameters, b.Parameters, quantity)
	numbers("bytes", a.Bytes, b.Bytes, bytes)
	if a.Cache != nil && b.Cache != nil {
		numbers("keys and values a token", a.Cache.PerToken, b.Cache.PerToken, bytes)
	}
	words("tokenizer", kindOf(a), kindOf(b))
	if a.Tokenizer != nil && b.Tokenizer != nil {
		numbers("ids of the tokenizer", int64(a.Tokenizer.Size), int64(b.Tokenizer.Size), count)
	}
	words("types", typesWords(a), typesWords(b))
	if p.Relation != nil {
		t.Note = relationWords(p.Relation, b.Layers)
	}
	return t
}

func kindOf(d *job.Description) string {
	if d.Tokenizer == nil {
		return "none"
	}
	return d.Tokenizer.Kind
}

func typesWords(d *job.Description) string {
	var names []string
	for _, p := range d.Types {
		names = append(names, p.Name)
	}
	return strings.Join(names, " ")
}

// relationWords says which layers of A are in B.
func relationWords(r *job.Relation, layersB int) string {
	var inA, inB report.LayerSet
	for _, pair := range r.Shared {
		inA, inB = append(inA, pair[0]), append(inB, pair[1])
	}
	switch {
	case len(r.Shared) == 0:
		return "No layer of B has the tensors of a layer of A."
	case r.Whole && len(r.Without) == 0:
		return "All layers are the same."
	case r.Whole:
		return fmt.Sprintf("B has the layers of A without %s.", report.LayerSet(r.Without))
	}
	return fmt.Sprintf("Layers %s of B are layers %s of A; the other %d of B are not in A.", inB, inA, layersB-len(r.Shared))
}
