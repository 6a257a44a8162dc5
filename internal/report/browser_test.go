package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"avssnative/internal/chromium"
	"avssnative/prune"
)

var (
	pictures = flag.String("pictures", "", "also take pictures of the page into this folder")
	pictured = flag.String("pictured", "", "of the report in this folder, in the place of the tests' own")
)

// A page in a real browser: what the slider does, what keys do, what is saved, and what is wrong with it for those who do not see it well.

// shown writes a report's page and opens it as a file.
func shownIn(t *testing.T, b *chromium.Page, r *Report) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.HTML(file), file.Close()); err != nil {
		t.Fatal(err)
	}
	b.Show("file://" + path)
}

// browsed is a report with two rankings, one of them repaired, whose texts leave the dense model's.
func browsed() *Report {
	r := sample(16)
	r.Sweep.Prompts, r.Sweep.Dense.Says = []string{"They"}, []string{"went home at last."}
	s := r.Sweep.Points
	s[1].Dropped, s[1].Says = []int{3, 4}, []string{"went home <b>late</b>."}
	s[2].Metric, s[2].Dropped, s[2].Divergence.KL, s[2].Says = "avss", []int{3, 4, 5, 6, 7, 8}, 3, []string{"went went went"}
	s[2].Count, s[2].Share, s[2].Repair = 6, 0.375, ""
	s[3].Repair, s[3].Metric = "full", "avss"
	s[3].Count, s[3].Share = 1, 1./16
	r.Sweep.Points = s[:4]
	r.Plan.Dropped, r.Plan.Kept = []int{3, 4}, nil
	return r
}

func audited(t *testing.T, b *chromium.Page, how string) {
	t.Helper()
	script, err := os.ReadFile("testdata/audit.js")
	if err != nil {
		t.Fatal(err)
	}
	var faults []string
	b.Run(string(script), &faults)
	for _, fault := range faults {
		t.Errorf("%s: %s", how, fault)
	}
}

func TestPageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	b := chromium.Open(t)
	halves := browsed()
	halves.Plan.Unit, halves.Sweep.Unit = prune.Sublayer, prune.Sublayer
	alone := sample(16)
	alone.Sweep = nil
	crowded := crowd()
	crowded.Plan.Kept = nil
	for name, r := range map[string]*Report{"shares": browsed(), "halves": halves, "one share": alone, "many metrics": crowded,
		"empty": {Schema: Schema}} {
		b.Size(1200, 900)
		shownIn(t, b, r)
		if name == "empty" {
			continue // it has not enough texts
		}
		for _, width := range []int{1200, 360} {
			for _, scheme := range []string{"light", "dark"} {
				b.Size(width, 900)
				b.Media("screen", scheme)
				b.Run(`document.querySelectorAll('details').forEach((d) => { d.open = true; })`, nil)
				audited(t, b, fmt.Sprintf("%s, %d pixels, %s", name, width, scheme))
			}
		}
		b.Media("print", "dark")
		audited(t, b, name+", printed")
		b.Media("screen", "light")
	}
	for _, said := range b.Said() {
		t.Errorf("the page said: %.300s", said)
	}
}

// tell reads an element's text.
func tell(b *chromium.Page, selector string) string {
	var text string
	b.Run(fmt.Sprintf(`document.querySelector(%q).textContent`, selector), &text)
	return text
}

// The slider and the ranking, by keys alone.
func TestSliderInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	b := chromium.Open(t)
	b.Size(1200, 900)
	shownIn(t, b, browsed())
	var focused []string
	for range 200 {
		b.Press("Tab", 9)
		var at struct{ ID, What, Outline string }
		b.Run(`(() => { const at = document.activeElement, style = getComputedStyle(at);
			return { id: at.id, what: at.outerHTML.slice(0, 80), outline: style.outlineStyle + ' ' + parseFloat(style.outlineWidth) }; })()`, &at)
		if strings.HasPrefix(at.What, "<body") {
			break
		}
		if strings.HasPrefix(at.Outline, "none") || strings.HasSuffix(at.Outline, " 0") {
			t.Errorf("focus is not seen on %s", at.What)
		}
		focused = append(focused, at.ID)
		if at.ID == "share" {
			break
		}
	}
	if len(focused) == 0 || focused[len(focused)-1] != "share" {
		t.Fatalf("keys do not reach the slider: %q", focused)
	}
	if got := tell(b, "#amount"); got != "2 of 16 layers (12.5 %)" {
		t.Errorf("the page begins at %q", got)
	}
	for _, step := range []struct {
		key                    string
		code                   int
		amount, kl, says, mark string
		gone                   int
		grade                  string
	}{
		{"ArrowRight", 39, "6 of 16 layers (37.5 %)", "3 ± 0.00196", "went went went", "went went", 6, "finding ruinous"},
		{"Home", 36, "nothing", "0 ± 0.00196", "went home at last.", "", 0, "finding spared"},
		{"ArrowRight", 39, "1 of 16 layers (6.25 %)", "0.01 ± 0.00196", `went <b>on</b>\n`, `<b>on</b>\n`, 1, "finding spared"},
		{"ArrowRight", 39, "2 of 16 layers (12.5 %)", "0.02 ± 0.00196", "went home <b>late</b>.", "<b>late</b>.", 2, "finding spared"},
	} {
		b.Press(step.key, step.code)
		var mark, grade, value string
		var gone int
		b.Run(`document.querySelector('#explorer .says mark')?.textContent ?? ''`, &mark)
		b.Run(`document.getElementById('finding').className`, &grade)
		b.Run(`document.querySelectorAll('#boxes .gone').length`, &gone)
		b.Run(`document.getElementById('share').getAttribute('aria-valuetext')`, &value)
		if got := tell(b, "#amount"); got != step.amount || value != step.amount {
			t.Errorf("%s: %q goes, read as %q, want %q", step.key, got, value, step.amount)
		}
		var kl string
		b.Run(`[...document.querySelectorAll('#figures tbody tr')].find((row) => row.textContent.startsWith('divergence'))
			.lastElementChild.textContent`, &kl)
		if says := tell(b, "#explorer .says"); strings.ReplaceAll(kl, "\u00a0", " ") != step.kl || says != step.says || mark != step.mark || gone != step.gone || grade != step.grade {
			t.Errorf("%s, %s: divergence %q, says %q, of that other %q, %d boxes struck out, %q; want %+v", step.key, step.amount, kl, says, mark,
				gone, grade, step)
		}
	}
	// The mark stands on the point of the plot at that share: as far from the axis's ends as the share from theirs.
	var place struct{ X, Left, Right, Low, High float64 }
	b.Run(`(() => { const figure = document.querySelector('figure[data-name="sweep-divergence"]');
		const { width } = figure.querySelector('svg').viewBox.baseVal;
		const { left, right, low, high } = figure.dataset;
		return { x: figure.querySelector('.at').x1.baseVal.value, left: left * width, right: right * width, low: +low, high: +high }; })()`, &place)
	if at := place.Low + (place.X-place.Left)/(place.Right-place.Left)*(place.High-place.Low); math.Abs(at-12.5) > 0.01 || place.Left <= 0 {
		t.Errorf("the curve is marked at %v %%, want 12.5: %+v", at, place)
	}
	b.Run(`(() => { const r = document.getElementById('ranking'); r.selectedIndex = 1; r.dispatchEvent(new Event('change')); })()`, nil)
	if got := tell(b, "#amount"); got != "1 of 16 layers (6.25 %)" {
		t.Errorf("repaired, the page shows %q", got)
	}
	for _, said := range b.Said() {
		t.Errorf("the page said: %.300s", said)
	}
}

// saved waits for a file that the page saves. The browser gives it its name before it writes it.
func saved(t *testing.T, path string) []byte {
	t.Helper()
	last := -1
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(100 * time.Millisecond) {
		data, err := os.ReadFile(path)
		if err == nil && len(data) > 0 && len(data) == last {
			return data
		}
		last = len(data)
	}
	t.Fatalf("%s was not saved", path)
	return nil
}

func TestSavedFromABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	b := chromium.Open(t)
	dir := t.TempDir()
	b.Call("Page.setDownloadBehavior", map[string]any{"behavior": "allow", "downloadPath": dir}, nil)
	r := browsed()
	shownIn(t, b, r)
	b.Run(`document.querySelector('section.table button').click()`, nil)
	first := r.Tables()[0]
	var want bytes.Buffer
	if err := first.csv(&want); err != nil {
		t.Fatal(err)
	}
	if got := saved(t, filepath.Join(dir, slug(first.Title, "-")+".csv")); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("saved %q, want %q", got, want.Bytes())
	}
	b.Run(`document.querySelector('figure[data-name="sweep-divergence"] button').click()`, nil)
	picture := saved(t, filepath.Join(dir, "sweep-divergence.svg"))
	for in := xml.NewDecoder(bytes.NewReader(picture)); ; {
		if _, err := in.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Contains(picture, []byte("var(")) || bytes.Contains(picture, []byte(`class="at"`)) || !bytes.Contains(picture, []byte("#0072B2")) {
		t.Errorf("the picture has the page's colours or mark: %.400s", picture)
	}
	for _, said := range b.Said() {
		t.Errorf("the page said: %.300s", said)
	}
}

// Texts of a file do nothing on the page, whatever they are.
func TestPoisonInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	r := browsed()
	bad := `</script><script>document.title = 'taken'</script><img src=x onerror="document.title = 'taken'">`
	r.Sweep.Prompts[0], r.Sweep.Dense.Says[0], r.Model.Ref, r.Command = bad, bad, bad, []string{bad}
	for i := range r.Sweep.Points {
		r.Sweep.Points[i].Says[0] = bad + "x"
	}
	b := chromium.Open(t)
	shownIn(t, b, r)
	var title string
	var images int
	b.Run(`document.getElementById('share').dispatchEvent(new Event('input'))`, nil)
	b.Run(`document.title`, &title)
	b.Run(`document.querySelectorAll('img').length`, &images)
	if title == "taken" || images > 0 {
		t.Errorf("a text became part of the page: title %q, %d pictures", title, images)
	}
	for _, said := range b.Said() {
		t.Errorf("the page said: %.300s", said)
	}
}

// TestPicturesOfThePage takes pictures to be looked at, where -pictures names a folder.
func TestPicturesOfThePage(t *testing.T) {
	if *pictures == "" {
		t.Skip("wants -pictures FOLDER")
	}
	r := browsed()
	if *pictured != "" {
		var err error
		if r, err = Read(*pictured); err != nil {
			t.Fatal(err)
		}
	}
	b := chromium.Open(t)
	shownIn(t, b, r)
	for _, of := range []struct {
		name, scheme string
		width        int
	}{{"wide", "light", 1200}, {"dark", "dark", 1200}, {"narrow", "light", 360}, {"narrow-dark", "dark", 360}} {
		b.Size(of.width, 1500)
		b.Media("screen", of.scheme)
		for screen := range 4 {
			b.Run(fmt.Sprintf(`scrollTo(0, %d)`, 1400*screen), nil)
			if err := os.WriteFile(filepath.Join(*pictures, fmt.Sprintf("%s-%d.png", of.name, screen)), b.Picture(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.Media("", "dark") // printed as it is on paper, whatever the screen's scheme
	if err := os.WriteFile(filepath.Join(*pictures, "print.pdf"), b.Print(), 0o644); err != nil {
		t.Fatal(err)
	}
}
