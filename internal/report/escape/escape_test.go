package escape

import (
	"html"
	"strings"
	"testing"
	"unicode"
)

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain – τ ≥ 大 é": "plain – τ ≥ 大 é", "\x1b[31mred\x07": `\x1b[31mred\x07`, "a\nb\tc\r": `a\nb\tc\r`, "\x9b1m": `\x9b1m`,
		"\u009b": `\x9b`, "ab\u202ecd": `ab\u202ecd`, "\u2028": `\u2028`, "\xff\xfe": `\xff\xfe`,
		"\ufffd": "\ufffd", "\U000e0041": `\U000e0041`, "\x7f": `\x7f`,
	} {
		if got := Visible(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if got := Terminal(text); got != want {
			t.Errorf("terminal: %q: %q, want %q", text, got, want)
		}
	}
}

func TestHTML(t *testing.T) {
	for text, want := range map[string]string{
		`<script>alert("x")</script>`: "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;", "a&b'c": "a&amp;b&#39;c", "\x1b<": `\x1b&lt;`, "plain": "plain",
	} {
		if got := HTML(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCSV(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain": "plain", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", " =1": "' =1",
		"\t=1": `\t=1`, "a=b": "a=b", "＝1": "'＝1",
		"a\nb": `a\nb`,
	} {
		if got := CSV(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	for text, want := range map[string]string{
		"small_world_qa":      "small_world_qa",
		"_a_ *b* `c`":         "\\_a\\_ \\*b\\* \\`c\\`",
		"a|b":                 `a\|b`,
		"<b>x</b>":            `\<b\>x\</b\>`,
		"[x](http://a.b)":     `\[x\](http\://a.b)`,
		"![x](y)":             `!\[x\](y)`,
		"&lt;b&gt;":           "&amp;lt;b&amp;gt;",
		"www.a.b":             `www\.a.b`,
		"me@a.b":              "me@\u2060a.b",
		"# x":                 `\# x`,
		"- x":                 `\- x`,
		"1. x":                `1\. x`,
		"12) x":               `12\) x`,
		"0.698 ± 0.021":       "0.698 ± 0.021",
		"a\n\n# b":            `a\\n\\n# b`,
		"AVSS paper, 3–5 (x)": "AVSS paper, 3–5 (x)",
	} {
		if got := Markdown(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Whatever the text is, each form keeps its promise.
func FuzzForms(f *testing.F) {
	for _, text := range []string{"", "a|b<c>\\|", "\x1b[2J", "\\", "&amp;|", "=x", "http://x", "\xff\u202e", "a@b.c\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		visible := Visible(text)
		for _, r := range visible {
			if !unicode.IsGraphic(r) {
				t.Fatalf("%q shows %q", text, r)
			}
		}
		if page := HTML(text); strings.ContainsAny(page, `<>"'`) || html.UnescapeString(page) != visible {
			t.Fatalf("%q: page %q", text, page)
		}
		if cell := CSV(text); strings.TrimPrefix(cell, "'") != strings.TrimPrefix(visible, "'") || cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
			t.Fatalf("%q: cell %q", text, cell)
		}
		escaped := false
		for _, r := range Markdown(text) {
			if !escaped && strings.ContainsRune("<>|[]`*", r) {
				t.Fatalf("%q: Markdown %q", text, Markdown(text))
			}
			escaped = !escaped && r == '\\'
		}
	})
}
