package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

// Harness is the results under the keys of lm-evaluation-harness's output file, for programs that read those: "results" by task with
// "acc,none", "acc_stderr,none" …, "versions", "n-shot", "n-samples", "higher_is_better".
func Harness(results []Result) map[string]any {
	figures, versions, shots, samples, higher := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	for _, r := range results {
		entry := map[string]any{"alias": r.Task}
		better := map[string]bool{}
		for _, m := range r.Metrics {
			name, filter, filtered := strings.Cut(m.Name, ",")
			if !filtered {
				filter = "none"
			}
			entry[name+","+filter] = orNA(m.Value)
			entry[name+"_stderr,"+filter] = orNA(m.Stderr)
			better[name] = m.HigherIsBetter
		}
		figures[r.Task], versions[r.Task], shots[r.Task], higher[r.Task] = entry, r.Version, r.FewShot, better
		samples[r.Task] = map[string]int{"original": r.N, "effective": r.N}
	}
	return map[string]any{"results": figures, "versions": versions, "n-shot": shots, "n-samples": samples, "higher_is_better": higher}
}

// orNA is a figure, or the peer's word for one that does not exist.
func orNA(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "N/A"
	}
	return x
}

// WriteSamples writes one JSON line an item: what was asked by its place in the file, every choice's log-likelihood and greedy flag, and
// how it was judged. variant names the model in every line.
func WriteSamples(w io.Writer, variant string, results []Result) error {
	encoder := json.NewEncoder(w)
	for _, r := range results {
		for _, item := range r.Items {
			responses := make([][2]any, len(item.LogLikelihoods))
			for i := range responses {
				responses[i] = [2]any{item.LogLikelihoods[i], item.Greedy[i]}
			}
			line := map[string]any{"task": r.Task, "version": r.Version, "variant": variant, "doc_id": item.Item, "resps": responses,
				"tokens": item.Tokens}
			if r.Kind == Generate {
				line["said"] = item.Said
			}
			if r.Kind == Choice {
				line["target"], line["chosen"], line["chosen_norm"] = item.Gold, item.Chosen, item.ChosenNorm
			}
			for _, m := range r.Metrics {
				if isAccuracy(m.Name) {
					line[m.Name] = item.right(r.Kind, m.Name)
				}
			}
			if err := encoder.Encode(line); err != nil {
				return fmt.Errorf("bench: samples of %s, item %d: %w", r.Task, item.Item, err)
			}
		}
	}
	return nil
}
