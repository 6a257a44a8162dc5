package report

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"avssnative/avss"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the forms in testdata anew")

// golden is a report with a cell of every kind.
func golden() *Report {
	r := sample(3)
	r.Tasks[0].Name, r.Tasks[0].Dense = "=zeta|<i>", Figure{0.75, 0.0123}
	r.Tasks[0].Retention, r.Tasks[0].ChanceCorrected = avss.Value(0.5/0.75), avss.Value(0.25/0.5)
	r.Tasks[1].Retention = avss.Value(math.NaN())
	r.Generation[0].Dense = "went\nhome <i>\x1b[1m"
	return r
}

// elsewhere are a page's pictures, style and script, and the script's sum: what they hold is not of interest here.
var elsewhere = regexp.MustCompile(`(?s)<(svg|style|script)(?:>| role).*?</(?:svg|style|script)>|(sha256)-.*?&#39;`)

// Each form of a small report is the one in testdata, to the byte (go test -update writes them anew).
func TestGolden(t *testing.T) {
	for name, render := range forms(golden()) {
		got := elsewhere.ReplaceAllString(rendered(t, render), "<$1$2/>")
		path := filepath.Join("testdata", "report."+name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}
