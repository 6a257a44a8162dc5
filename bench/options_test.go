package bench

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"avssnative/tokenizer"
)

// The zero Options cut texts at the length at which most published figures were measured, and begin them as the tokenizer does by itself.
func TestZeroOptions(t *testing.T) {
	item, err := Choose("a b c", []string{"d", "e f"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	sets := []Set{{Task: Task{Name: "x", Version: "1"}, Items: []Item{item}}}
	for _, f := range []fakeTokenizer{newFake(true, true, true), newFake(false, true, false)} {
		zero, err := Prepare(sets, f, Options{})
		if err != nil {
			t.Fatal(err)
		}
		said, err := Prepare(sets, f, Options{MaxLength: 2048, BOS: tokenizer.BOSAuto})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(said.Sequences, zero.Sequences); diff != "" || len(zero.Sequences) == 0 {
			t.Error(diff)
		}
	}
}
