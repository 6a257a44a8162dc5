package report

import "fmt"

// mostAnswers is how many choices of a task the table has room for.
const mostAnswers = 8

// answerTable is the histogram of what was answered: a model that always says the same may be right as often as one that knows.
func (r *Report) answerTable() (Table, bool) {
	t := Table{Title: "Answers by choice", labels: 2, Note: "The share of the items that were answered with each choice, and for which it is " +
		"the right one."}
	t.column("task", "task")
	t.column("choice", "choice")
	t.column("right", "right")
	t.column("dense", "dense")
	compared := false
	for i := range r.Tasks {
		compared = compared || r.Tasks[i].Answers != nil && r.Tasks[i].Answers.Pruned != nil
	}
	if compared {
		t.column("pruned", "pruned")
	}
	t.column("constant", "")
	for i := range r.Tasks {
		a := r.Tasks[i].Answers
		if a == nil {
			continue
		}
		for choice := range a.Dense[:min(len(a.Dense), mostAnswers)] {
			name, constant := a.name(choice), Text("")
			if name == a.ConstantPruned {
				constant = "constant answer"
			}
			if name == a.ConstantDense {
				constant = "constant answer of the dense model"
			}
			cells := []Cell{Text(r.Tasks[i].Name), Text(name), Share(a.Right[choice]), Share(a.Dense[choice])}
			if compared && a.Pruned != nil {
				cells = append(cells, Share(a.Pruned[choice]))
			} else if compared {
				cells = append(cells, nil)
			}
			t.add(append(cells, constant)...)
		}
	}
	return t, len(t.Rows) > 0
}

// name is what a choice says, else its place.
func (a *Answers) name(choice int) string {
	if choice < len(a.Choices) {
		return fmt.Sprintf("%q", a.Choices[choice])
	}
	return fmt.Sprintf("choice %d", choice+1)
}

// Name is what a choice is called in the report.
func (a *Answers) Name(choice int) string { return a.name(choice) }
