package report

import (
	"cmp"
	"maps"
	"slices"
)

// mostScripts is how many scripts the table has room for.
const mostScripts = 4

// fluencyTable is what stands out of the texts that the models made.
func (r *Report) fluencyTable() (Table, bool) {
	f := r.Fluency
	if f == nil || f.Dense.Texts == 0 {
		return Table{}, false
	}
	t := Table{Title: "How the models say it", Note: "Repeats: the share of runs of four tokens that stood in the same text before. Distinct-n: the " +
		"share of the runs of n tokens that are different ones. Of another script than the prompt: what is answered in another alphabet."}
	t.column("quantity", "")
	t.column("dense", "dense")
	add := func(key, name string, of func(Fluency) Cell) {
		cells := []Cell{Term{key, name}, of(f.Dense)}
		if f.Pruned != nil {
			cells = append(cells, of(*f.Pruned))
		}
		t.add(cells...)
	}
	if f.Pruned != nil {
		t.column("pruned", "pruned")
	}
	add("texts", "texts", func(f Fluency) Cell { return Count(f.Texts) })
	add("mean_tokens", "tokens a text", func(f Fluency) Cell { return Number{Value: f.Tokens, Places: 1} })
	add("repeats", "repeats", func(f Fluency) Cell { return Share(f.Repeats) })
	add("distinct_1", "distinct-1", func(f Fluency) Cell { return Share(f.Distinct1) })
	add("distinct_2", "distinct-2", func(f Fluency) Cell { return Share(f.Distinct2) })
	add("distinct_3", "distinct-3", func(f Fluency) Cell { return Share(f.Distinct3) })
	add("other_script", "of another script than the prompt", func(f Fluency) Cell { return Share(f.OtherScript) })
	for _, script := range f.scripts() {
		add("letters_"+slug(script, "_"), "letters: "+script, func(f Fluency) Cell { return Share(f.Scripts[script]) })
	}
	return t, true
}

// scripts are the most frequent ones of both models, the most frequent first.
func (f *Fluencies) scripts() []string {
	sum := map[string]float64{}
	maps.Copy(sum, f.Dense.Scripts)
	if f.Pruned != nil {
		for script, share := range f.Pruned.Scripts {
			sum[script] += share
		}
	}
	all := slices.SortedFunc(maps.Keys(sum), func(a, b string) int { return cmp.Or(cmp.Compare(sum[b], sum[a]), cmp.Compare(a, b)) })
	return all[:min(len(all), mostScripts)]
}
