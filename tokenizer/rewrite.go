// Rewriting: how every rule of a file changes text. From left to right, bytes are kept, deleted or replaced; what comes out is bounded
// (see call), each of its bytes can tell where it comes from, and text that a rule leaves alone is not copied.

package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// A rule rewrites a text, from w.text() to its end.
type rule interface{ rewrite(w *rewriting) }

type rewriting struct {
	call    *call
	in      piece
	at      int // bytes of in that are done
	copied  int // bytes of in that are in out already, or gone
	out     strings.Builder
	origins []extent // of out, where the call keeps track
	changed bool
	removed bool // the first character was deleted, which a metaspace that marks only the beginning of the text needs to know
}

// apply returns what a rule makes of p, and whether its first character was deleted.
func (c *call) apply(r rule, p piece) (out piece, removed bool) {
	w := rewriting{call: c, in: p}
	r.rewrite(&w)
	w.at = len(p.text)
	if !w.changed {
		return p, false
	}
	w.flush()
	return piece{w.out.String(), p.first, w.origins}, w.removed
}

// rest is the text that is not done yet.
func (w *rewriting) rest() string { return w.in.text[w.at:] }

// keep leaves n bytes as they are.
func (w *rewriting) keep(n int) {
	w.at += n
	w.call.ended(n)
}

// remove deletes n bytes.
func (w *rewriting) remove(n int) {
	w.removed = w.removed || w.at == 0 && n > 0
	w.replace(n, "")
}

// replace puts text in place of n bytes.
func (w *rewriting) replace(n int, text string) {
	if w.call.ended(n + len(text)) {
		w.at += n
		return
	}
	if !w.changed {
		w.changed = true
		w.out.Grow(min(len(w.in.text)+len(text)+8, w.call.limit))
	}
	w.flush()
	from := w.source(n)
	w.at += n
	w.copied = w.at
	w.write(text)
	if w.call.track {
		for range len(text) {
			w.origins = append(w.origins, from)
		}
	}
}

// exchange replaces n bytes unless they are text already.
func (w *rewriting) exchange(n int, text string) {
	if w.rest()[:n] == text {
		w.keep(n)
	} else {
		w.replace(n, text)
	}
}

// source is what the next n bytes come from.
func (w *rewriting) source(n int) extent {
	if !w.call.track {
		return extent{}
	}
	return w.in.extent(w.at, w.at+n)
}

// flush writes what was kept.
func (w *rewriting) flush() {
	if w.copied < w.at {
		w.write(w.in.text[w.copied:w.at])
		if w.call.track {
			w.origins = append(w.origins, w.in.origins[w.copied:w.at]...)
		}
		w.copied = w.at
	}
}

func (w *rewriting) write(text string) {
	if w.out.Len()+len(text) > w.call.limit {
		w.tooLong()
	}
	if w.call.err == nil {
		w.out.WriteString(text)
	}
}

func (w *rewriting) tooLong() {
	w.call.fail(kindf(ErrLimit, "the rules of the file make more than %d bytes of a text", w.call.limit))
}

// runes calls change with every character: it returns the same one to keep it, another to replace it, or -1 to delete it.
func (w *rewriting) runes(change func(rune) rune) {
	for i, r := range w.in.text {
		n := utf8.RuneLen(r)
		w.at = i
		switch to := change(r); {
		case to == r:
			w.keep(n)
		case to < 0:
			w.remove(n)
		default:
			w.replace(n, string(to))
		}
		if w.call.err != nil {
			return
		}
	}
}

// between puts text before every character and at the end, which is what replacing an empty pattern does.
func (w *rewriting) between(text string) {
	if w.in.text == "" {
		return
	}
	for w.call.err == nil && w.at < len(w.in.text) {
		_, n := utf8.DecodeRuneInString(w.rest())
		w.replace(0, text)
		w.keep(n)
	}
	w.replace(0, text)
}

// literal replaces every old, which is not empty.
func (w *rewriting) literal(old, text string) {
	if !w.call.track {
		w.literalUntracked(old, text)
		return
	}
	for w.call.err == nil {
		at := strings.Index(w.rest(), old)
		if at < 0 {
			return
		}
		w.keep(at)
		w.replace(len(old), text)
	}
}

// literalUntracked knows beforehand how long the text will be: spaces are replaced in nearly every text, so this way is worth having.
func (w *rewriting) literalUntracked(old, text string) {
	n := strings.Count(w.rest(), old)
	if n == 0 {
		return
	}
	w.changed = true
	w.flush()
	if more := len(w.rest()) + n*(len(text)-len(old)); w.out.Len()+more > w.call.limit {
		w.tooLong()
		return
	}
	w.out.Grow(len(w.rest()) + n*(len(text)-len(old)))
	for rest := w.rest(); n > 0 && w.call.err == nil; n-- {
		at := strings.Index(rest, old)
		w.out.WriteString(rest[:at])
		w.out.WriteString(text)
		rest = rest[at+len(old):]
		w.call.ended(at + len(text))
		w.at = len(w.in.text) - len(rest)
	}
	w.copied = w.at
}
