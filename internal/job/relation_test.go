package job

import (
	"path/filepath"
	"testing"

	"avssnative/engine"
	"avssnative/prune"

	"github.com/google/go-cmp/cmp"
)

func TestRelation(t *testing.T) {
	m, err := engine.Open(t.Context(), "demo", engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cut := filepath.Join(t.TempDir(), "cut")
	if err := prune.Write(t.Context(), m, engine.Layers(0, 3, 4, 15), cut, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	r, err := Relate(t.Context(), "demo", cut)
	if err != nil {
		t.Fatal(err)
	}
	want := &Relation{Shared: [][2]int{{1, 0}, {2, 1}, {5, 2}, {6, 3}, {7, 4}, {8, 5}, {9, 6}, {10, 7}, {11, 8}, {12, 9}, {13, 10}, {14, 11}},
		Without: []int{0, 3, 4, 15}, Whole: true}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if back, err := Relate(t.Context(), cut, "demo"); err != nil || back.Whole || len(back.Shared) != 12 || back.Without != nil {
		t.Errorf("%+v %v", back, err)
	}
	if other, err := Relate(t.Context(), "demo", filepath.Join(architectures, "llama")); err != nil || other.Whole || len(other.Shared) != 0 {
		t.Errorf("%+v %v", other, err)
	}
}
