package prune

import (
	"strings"
	"testing"
)

// Nothing that a file says makes the card another one: no head of its own, no HTML, no further row of the table.
func TestCardShowsTextAsText(t *testing.T) {
	c := Card{Base: "x\n---\n# <script>", Metric: "avss|\x1b[31m", Rule: "25%\n- more", Layers: 4, Dropped: []int{1}, Dense: [2]int64{8, 8}, Pruned: [2]int64{6, 6},
		Results: [][4]string{{"task | <b>\nx", "1", "2", "3"}}, License: "mit\ntags:\n- other", Warnings: []string{"a\nb <i>"}}
	var b strings.Builder
	if err := c.render(&b); err != nil {
		t.Fatal(err)
	}
	card := b.String()
	if head, _, _ := strings.Cut(card[4:], "\n---\n"); head != "tags:\n- layer-pruning\n- avssnative" {
		t.Errorf("head %q", head)
	}
	for _, never := range []string{"<script>", "<b>", "<i>", "\x1b", "\n- more", "- other", "whole", "smaller"} {
		if strings.Contains(strings.ReplaceAll(card, `\<`, "("), never) {
			t.Errorf("%q stands in\n%s", never, card)
		}
	}
	if !strings.Contains(card, "| task | dense | pruned | retention |") || strings.Count(card, "\n|") != 3 { // names, line, one task
		t.Errorf("table of\n%s", card)
	}
	c.License = "apache-2.0"
	b.Reset()
	if err := c.render(&b); err != nil || !strings.Contains(b.String(), "\nlicense: apache-2.0\n") {
		t.Errorf("%v: %s", err, b.String())
	}
}
