package command

import (
	"path/filepath"
	"testing"
)

func TestPlanNeedsNoWeights(t *testing.T) {
	shape := filepath.Join("..", "..", "..", "internal", "forecast", "testdata", "llama-70b.json")
	o := object(t, done(t, "plan", "--model", shape, "--device=rtx4090-24g", "--calib-tokens=1000", "--json"))
	walk := o["walks"].([]any)[0].(map[string]any)
	if o["layers"] != 80.0 || walk["fits"] != true || walk["limit"] != "reading" {
		t.Errorf("%v", o)
	}
	tight := object(t, done(t, "plan", "--model", shape, "--device=rtx4090-24g", "--memory=2GiB", "--calib-tokens=1000", "--json"))
	if tight["walks"].([]any)[0].(map[string]any)["fits"] != false {
		t.Errorf("two layers of 1.6 GiB fit in 2 GiB: %v", tight)
	}
	done(t, "plan", "--flops=1e12", "--bandwidth=1GiB", "--memory=1GiB", "--metrics=ppl", "--calib-tokens=100")
	refused(t, exitUsage, []string{"--device is missing", "--flops"}, "plan")
	refused(t, exitUsage, []string{"abacus", "h100-80g"}, "plan", "--device=abacus")
	refused(t, exitUsage, []string{"greedy", "shapes"}, "plan", "--device=h100-80g", "--metrics=greedy")
	refused(t, exitFailed, []string{"device null computes nothing", "plan"}, "score", "--device=null")
}
