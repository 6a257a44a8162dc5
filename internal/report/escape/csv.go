package escape

import "strings"

// CSV is text for a cell that a spreadsheet may open: what would begin a formula (=, +, -, @, also behind spaces) gets an apostrophe in
// front, by which spreadsheets know text (OWASP, "CSV Injection"). Numbers do not pass through here. Quoting is encoding/csv's.
func CSV(s string) string {
	s = Visible(s)
	// Full-width signs are read as formulas by spreadsheets in Chinese and Japanese.
	if begin := strings.TrimSpace(s); begin != "" && strings.ContainsAny(string([]rune(begin)[:1]), "=+-@＝＋－＠") {
		return "'" + s
	}
	return s
}
