package nearest

import "testing"

func TestName(t *testing.T) {
	known := []string{"angular", "avss", "bi", "l2", "relmag"}
	for typed, want := range map[string]string{"anglar": "angular", "avs": "avss", "avss": "avss", "AVSS": "", "bii": "bi", "relmga": "relmag",
		"xyzzyplugh": "", "": ""} {
		if got := Name(typed, known); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
	if got := Name("avss", nil); got != "" {
		t.Errorf("%q", got)
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"abc", "acb", 1}, {"modle", "model", 1}, {"ca", "abc", 3},
		{"same", "same", 0}} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
