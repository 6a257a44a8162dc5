package command

// A help fits a terminal of 80 columns: the library sets flags and commands in two columns as wide as their longest name, on lines without end.

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

const (
	helpWidth = 80
	helpNames = 26 // columns of a name at most, before what it is stands on the next line
)

func init() { cli.HelpPrinter = printHelp }

func printHelp(to io.Writer, template string, of any) {
	var wide bytes.Buffer
	cli.HelpPrinterCustom(&wide, template, of, nil)
	io.WriteString(to, narrow(wide.String()))
}

// narrow breaks the lines of a help, each by the section that it stands in. Examples are broken as a shell reads them.
func narrow(help string) string {
	var b strings.Builder
	section := ""
	for line := range strings.Lines(help) {
		line = strings.TrimRight(line, " \n")
		if line != "" && line[0] != ' ' {
			section = strings.TrimSuffix(line, ":")
		}
		names, about, columns := strings.Cut(strings.TrimSpace(line), "  ")
		switch {
		case columns && (strings.HasSuffix(section, "OPTIONS") || section == "COMMANDS"):
			twoColumns(&b, names, strings.TrimSpace(about), min(strings.Index(line, strings.TrimSpace(about)), helpNames))
		case section == "EXAMPLES":
			breakLine(&b, line, 6, " --", " \\")
		default:
			breakLine(&b, line, len(line)-len(strings.TrimLeft(line, " ")), " ", "")
		}
	}
	return b.String()
}

// twoColumns writes what a name means beside it, or below it where there is no room.
func twoColumns(b *strings.Builder, names, about string, column int) {
	names = "   " + names
	if len(names)+2 > column {
		breakLine(b, names, 6, " ", "")
		names = ""
	}
	breakLine(b, names+strings.Repeat(" ", column-len(names))+about, column, " ", "")
}

// breakLine writes a line as several that fit, parted in front of what `before` says and outside quotes, with what ends those that go on.
func breakLine(b *strings.Builder, line string, indent int, before, goesOn string) {
	for utf8.RuneCountInString(line) > helpWidth {
		at := lastBreak(line, indent, helpWidth-len(goesOn), before)
		if at < 0 {
			break
		}
		b.WriteString(strings.TrimRight(line[:at], " ") + goesOn + "\n")
		line = strings.Repeat(" ", indent) + strings.TrimLeft(line[at:], " ")
	}
	b.WriteString(line + "\n")
}

// lastBreak is the byte of the last place behind the indentation that leaves at most width columns, or else of the first one; -1: there is none.
func lastBreak(line string, indent, width int, before string) int {
	found, columns, quoted := -1, 0, false
	for at, r := range line {
		if columns > width && found >= 0 {
			break
		}
		quoted = quoted != (r == '"')
		if strings.HasPrefix(line[at:], before) && !quoted && columns > indent && strings.TrimSpace(line[:at]) != "" {
			if columns > width {
				return at
			}
			found = at
		}
		columns++
	}
	return found
}
