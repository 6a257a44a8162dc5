// SentencePiece's precompiled character map: a double array over bytes (Darts) whose values are offsets into a text of
// replacements, each ended by a zero byte. The same table is used in two ways: SentencePiece takes the longest match at each
// position, the tokenizers library walks grapheme clusters (see precompiled).
//
// Layout: u32 length of the array in bytes, the array of u32 units, the replacements. A unit holds its label in the low 8 bits (bit 31
// set: a value), bit 8 "has a value", bits 10… the offset, bit 9 "offset is in steps of 256".

package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

type charsmap struct {
	units []uint32
	text  string
}

func newCharsmap(data []byte) (*charsmap, error) {
	if len(data) < 4 {
		return nil, fmt.Errorf("precompiled_charsmap: %d bytes, want at least 4", len(data))
	}
	size := binary.LittleEndian.Uint32(data)
	data = data[4:]
	if int64(size) > int64(len(data)) || size < 4 || size%4 != 0 {
		return nil, fmt.Errorf("precompiled_charsmap: array of %d bytes in %d, want a multiple of 4 that fits", size, len(data))
	}
	m := &charsmap{units: make([]uint32, size/4)}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	if !utf8.Valid(data[size:]) {
		return nil, fmt.Errorf("precompiled_charsmap: the replacements are not UTF-8")
	}
	m.text = string(bytes.Clone(data[size:]))
	return m, nil
}

func unitOffset(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }

// match returns the replacement of the shortest or the longest prefix of key, and the prefix's length; 0 where none matches.
func (m *charsmap) match(key string, longest bool) (replacement string, length int) {
	node := unitOffset(m.units[0])
	for i := 0; i < len(key) && key[i] != 0; i++ {
		node ^= uint32(key[i])
		if int64(node) >= int64(len(m.units)) || m.units[node]&(1<<31|0xff) != uint32(key[i]) {
			break
		}
		unit := m.units[node]
		if node ^= unitOffset(unit); unit>>8&1 == 0 {
			continue
		}
		if int64(node) >= int64(len(m.units)) {
			break
		}
		value := int(m.units[node] & (1<<31 - 1))
		if value > len(m.text) {
			break
		}
		replacement, length = m.text[value:], i+1
		if !longest {
			break
		}
	}
	if length > 0 {
		if end := strings.IndexByte(replacement, 0); end >= 0 {
			replacement = replacement[:end]
		}
	}
	return replacement, length
}

// precompiled applies a charsmap as the tokenizers library does: a grapheme cluster shorter than six bytes is replaced as a whole
// by what its shortest matching prefix maps to; in others each character is, likewise.
type precompiled struct{ charsmap *charsmap }

func parsePrecompiled(raw json.RawMessage) (rule, error) {
	var p struct {
		Map string `json:"precompiled_charsmap"`
	}
	if err := unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("normalizer Precompiled: %w", err)
	}
	data, err := base64.StdEncoding.DecodeString(p.Map)
	if err != nil {
		return nil, fmt.Errorf("normalizer Precompiled: %w", err)
	}
	m, err := newCharsmap(data)
	if err != nil {
		return nil, fmt.Errorf("normalizer Precompiled: %w", err)
	}
	return precompiled{m}, nil
}

// rewrite does not say when the first character maps to nothing, which the reference does not notice.
func (p precompiled) rewrite(w *rewriting) {
	state := -1
	for rest := w.rest(); rest != "" && w.call.err == nil; {
		var cluster string
		if rest[0] >= ' ' && rest[0] < 0x7f && (len(rest) == 1 || rest[1] < utf8.RuneSelf) {
			cluster, rest, state = rest[:1], rest[1:], -1 // plain ASCII is a cluster of its own
		} else {
			cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		}
		p.cluster(w, cluster)
	}
}

func (p precompiled) cluster(w *rewriting, cluster string) {
	if len(cluster) < 6 {
		if replacement, n := p.charsmap.match(cluster, false); n > 0 {
			w.exchange(len(cluster), replacement)
			return
		}
	}
	for i, r := range cluster {
		char := cluster[i : i+utf8.RuneLen(r)]
		if replacement, n := p.charsmap.match(char, false); n > 0 {
			w.exchange(len(char), replacement)
		} else {
			w.keep(len(char))
		}
	}
}
