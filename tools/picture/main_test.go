package main

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/internal/report"
)

const root = "../.."

// The picture is of the report that lies beside it, and of what is said of that today.
func TestPictureIsOfItsReport(t *testing.T) {
	r, err := report.Read(filepath.Join(root, folder))
	if err != nil {
		t.Fatal(err)
	}
	want, err := shows(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, folder, sum))
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(got)) != want {
		t.Errorf("the picture shows another report than %s/%s: run go run ./tools/picture", folder, report.FileName)
	}
	data, err := os.ReadFile(filepath.Join(root, folder, picture))
	if err != nil {
		t.Fatal(err)
	}
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 250_000 || config.Width < 800 {
		t.Errorf("%d bytes, %d pixels wide: want 250,000 at most, 800 at least", len(data), config.Width)
	}
}

// The report is what the program finds today: figures may differ in what another processor rounds otherwise.
func TestReportIsOfToday(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the whole demo")
	}
	_, now, err := find(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	then, err := report.Read(filepath.Join(root, folder))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(now.Plan.Dropped, then.Plan.Dropped) || now.Model.SHA256 != then.Model.SHA256 || now.Calibration.SHA256 != then.Calibration.SHA256 {
		t.Errorf("found %+v of %+v on %+v, in the picture %+v of %+v on %+v", now.Plan.Dropped, now.Model, now.Calibration, then.Plan.Dropped, then.Model,
			then.Calibration)
	}
	near := func(what string, found, shown float64) {
		if math.Abs(found-shown) > 0.01*math.Abs(shown) {
			t.Errorf("%s: found %v, in the picture %v", what, found, shown)
		}
	}
	near("divergence", now.Divergence.KL, then.Divergence.KL)
	near("retention", float64(now.Retention.MeanOfCorrected), float64(then.Retention.MeanOfCorrected))
	if len(now.Tasks) != len(then.Tasks) {
		t.Fatalf("found %d tasks, in the picture %d", len(now.Tasks), len(then.Tasks))
	}
	for i := range now.Tasks {
		near(now.Tasks[i].Name, float64(now.Tasks[i].Pruned.Value), float64(then.Tasks[i].Pruned.Value))
	}
}
