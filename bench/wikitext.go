package bench

import (
	"regexp"
	"strings"

	"avssnative/avss"
)

// WikiText-2 (Merity et al., arXiv 1609.07843), test split: pages, each detokenised and rolled; words and bytes are the original page's.
var wikitextPapers = []avss.Citation{{ArXiv: "1609.07843", Authors: "Merity et al.", Year: 2016,
	Title: "Pointer Sentinel Mixture Models"}}

func init() {
	Register(Task{Name: "wikitext", Version: "2.0", Kind: Rolling, Metrics: rollingMetrics, Primary: "word_perplexity",
		Papers: wikitextPapers, Files: wikitextFiles, Read: readPages})
}

var wikitextFiles = []string{"wikitext-2/test.txt"}

// readPages parts the split at headings of the first level, which have one equals sign on each side.
func readPages(f *file, most int) ([]Item, error) {
	var items []Item
	var page []string
	finish := func() {
		whole := strings.Join(page, "\n")
		page = nil
		if trim(whole) != "" && (most == 0 || len(items) < most) {
			items = append(items, Item{Index: len(items), Text: detokenise(whole), Words: words(whole), Bytes: len(whole)})
		}
	}
	for line, err := range f.from.Pieces(f.ctx, "\n") {
		if err != nil {
			return nil, err
		}
		joined := trim(strings.ReplaceAll(strings.ReplaceAll(line, "= = =", "==="), "= =", "=="))
		if strings.HasPrefix(joined, "= ") && strings.HasSuffix(joined, " =") {
			if finish(); most > 0 && len(items) == most {
				return items, nil
			}
		}
		page = append(page, line)
	}
	finish()
	return items, nil
}

const pythonSpace = `[\s\v\x1c-\x1f\x{85}\p{Z}]*`

var (
	pairs = []struct {
		find *regexp.Regexp
		with string
	}{
		{regexp.MustCompile(`\(` + pythonSpace + `([^)]*?)` + pythonSpace + `\)`), "($1)"},
		{regexp.MustCompile(`\[` + pythonSpace + `([^\]]*?)` + pythonSpace + `\]`), "[$1]"},
		{regexp.MustCompile(`\{` + pythonSpace + `([^}]*?)` + pythonSpace + `\}`), "{$1}"},
		{regexp.MustCompile(`"` + pythonSpace + `([^"]*?)` + pythonSpace + `"`), `"$1"`},
		{regexp.MustCompile(`'` + pythonSpace + `([^']*?)` + pythonSpace + `'`), `'$1'`},
	}
)

// detokenise undoes the spacing of WikiText's tokens, in the order of lm-evaluation-harness's wikitext task. Every step sees what the
// one before made.
func detokenise(s string) string {
	s = strings.ReplaceAll(s, "s '", "s'")
	for _, mark := range []string{"-", ",", "."} {
		s = strings.ReplaceAll(s, " @"+mark+"@ ", mark)
	}
	for _, mark := range []string{":", ";", ".", "!", "?", ","} {
		s = strings.ReplaceAll(s, " "+mark+" ", mark+" ")
	}
	for _, pair := range pairs {
		s = pair.find.ReplaceAllString(s, pair.with)
	}
	for _, step := range [][2]string{{"= = = =", "===="}, {"= = =", "==="}, {"= =", "=="}, {" ° ", "°"}, {" \n", "\n"}, {"\n ", "\n"},
		{" N ", " 1 "}, {" 's", "'s"}} {
		s = strings.ReplaceAll(s, step[0], step[1])
	}
	return s
}
