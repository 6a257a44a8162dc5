package bench

import (
	"testing"

	"avssnative/engine"
	"avssnative/internal/demo"
	"avssnative/tokenizer"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// On the demo model, judging many sets together finds bit for bit what judging each by itself finds, in fewer block applications; and
// dropping the first layers costs more than dropping the last.
func TestSweepOfTheDemo(t *testing.T) {
	folder, err := demo.Folder()
	if err != nil {
		t.Fatal(err)
	}
	device, _ := goldenDevice(t)
	model, err := engine.Open(t.Context(), folder, engine.Options{Device: device})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	tok, err := tokenizer.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	sets, err := Load(t.Context(), []string{"small_world"}, Source{}, Limit{Items: 3})
	if err != nil {
		t.Fatal(err)
	}
	suite, err := Prepare(sets, tok, Options{MaxLength: model.Spec.Context})
	if err != nil {
		t.Fatal(err)
	}
	sweep := Sweep{Layers: model.Layers(), Counts: []int{2, 4}, Suite: suite, Size: model.Size,
		Metrics: map[string]Chooser{"late": func(count int) (engine.Drop, error) { return run(14-count, 14), nil }}}
	table, err := sweep.Run(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	if table.Passes != 1 || table.Blocks >= table.BlocksAlone || table.BlocksAlone != 4*(14+12)+16 {
		t.Errorf("%d passes, %d blocks of %d", table.Passes, table.Blocks, table.BlocksAlone)
	}
	kept := map[string]float64{}
	for _, p := range table.Points {
		set := table.Sets[p.Set]
		if p.Count == 4 {
			kept[p.Metric] = set.Comparison.MeanOfRatios
		}
		outcome, err := model.Run(t.Context(), engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{set.Drop}})
		if err != nil {
			t.Fatal(err)
		}
		alone, err := suite.Score(outcome.Scores[0])
		if err != nil {
			t.Fatal(err)
		}
		divergence := cmpopts.IgnoreFields(Result{}, "KL", "SameTop")
		items := cmpopts.IgnoreFields(Record{}, "KL", "SameTop")
		if diff := cmp.Diff(alone, set.Results, divergence, items, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("without %v, alone and together: %s", set.Drop, diff)
		}
		if whole := table.Sets[0]; set.Parameters >= whole.Parameters || set.Bytes >= whole.Bytes || set.Comparison.KL <= 0 {
			t.Errorf("without %v: %d parameters of %d, divergence %v", set.Drop, set.Parameters, whole.Parameters, set.Comparison.KL)
		}
	}
	if kept["first"] > kept["last"]-0.2 {
		t.Errorf("retention without the first four layers %v, without the last four %v", kept["first"], kept["last"])
	}
}
