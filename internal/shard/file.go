package shard

// How a part of a pass lies in a file:
//
//	"AVSSPART" · version (1 byte) · length of the head (4 bytes) · head, JSON · length of the body (8 bytes) · body · SHA-256 of all before
//
// Numbers are little-endian. The head says what the part is of; the body is an Outcome and the states of the observers. A file has the length
// that it says it has and the sum that it ends with, or it is refused.

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"avssnative/failure"
	"avssnative/internal/mapped"
)

const (
	magic    = "AVSSPART"
	version  = 1
	maxHead  = 1 << 20
	maxBytes = 1 << 32
	prelude  = len(magic) + 1 + 4
)

// Fact is one thing that all parts of a job must have in common.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// head says what a file holds.
type head struct {
	Phase  string `json:"phase"` // of the job, as a person calls it
	Pass   int    `json:"pass"`  // of the phase, from 0
	Key    string `json:"key"`   // a hash of all that the pass was asked for
	Shard  int    `json:"shard"`
	Shards int    `json:"shards"`
	First  int    `json:"first"` // sequences first to before end
	End    int    `json:"end"`
	From   int    `json:"from,omitempty"` // variants from to before to; 0 to 0: all of them
	To     int    `json:"to,omitempty"`
	Whole  bool   `json:"whole,omitempty"` // all parts in one, as a merge leaves them
	Sums   bool   `json:"sums,omitempty"`  // the body is a step's sums, which may be too long to be held
	Facts  []Fact `json:"facts"`
	Origin Origin `json:"origin"`
}

// Origin is what is carried along and never compared: from it a merge does the job again.
type Origin struct {
	Command []string        `json:"command"` // how the program was called, without what is one machine's own
	Device  json.RawMessage `json:"device,omitempty"`
}

// file is a part with its place.
type file struct {
	head
	path string
	body []byte
}

// name of a part's file in a folder.
func (h *head) name() string {
	which := strconv.Itoa(h.Shard)
	if h.Whole {
		which = "all"
	}
	return fmt.Sprintf("%s-%d.%s-of-%d%s", notPlain.ReplaceAllString(strings.ToLower(h.Phase), "-"), h.Pass, which, h.Shards, extension)
}

// called holds a file's name against what its head says.
func (h *head) called(path string) error {
	if want := h.name(); filepath.Base(path) != want {
		return failure.Corrupt.Errorf("shard: %s: it holds what should be called %s", path, want)
	}
	return nil
}

// whole is the head of what all parts come to together.
func (h head) whole() head {
	h.Whole, h.Sums, h.Shard = true, false, 0
	return h
}

const extension = ".shard"

var notPlain = regexp.MustCompile(`[^a-z0-9]+`)

// seal is a file's bytes.
func seal(h head, body []byte) ([]byte, error) {
	front, err := sealFront(h, uint64(len(body)))
	if err != nil {
		return nil, err
	}
	out := append(append(make([]byte, 0, len(front)+len(body)+sha256.Size), front...), body...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

// sealFront is what stands in front of a body of so many bytes.
func sealFront(h head, length uint64) ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("shard: %w", err)
	}
	if len(text) > maxHead {
		return nil, fmt.Errorf("shard: the head takes %d bytes, at most %d", len(text), maxHead)
	}
	out := append(append([]byte{}, magic...), version)
	out = append(binary.LittleEndian.AppendUint32(out, uint32(len(text))), text...)
	return binary.LittleEndian.AppendUint64(out, length), nil
}

// unseal takes a file's bytes apart; an error is failure.Corrupt.
func unseal(data []byte) (h head, body []byte, err error) {
	text, err := frontOf(data, int64(len(data)))
	if err != nil {
		return head{}, nil, err
	}
	if err := bodyLength(uint64(len(data)-prelude-text-8-sha256.Size), binary.LittleEndian.Uint64(data[prelude+text:])); err != nil {
		return head{}, nil, err
	}
	end := len(data) - sha256.Size
	if sum := sha256.Sum256(data[:end]); !bytes.Equal(sum[:], data[end:]) {
		return head{}, nil, failure.Corrupt.Errorf("damaged: its checksum is %x, want %x", sum[:6], data[end:end+6])
	}
	h, err = headOf(data[prelude : prelude+text])
	return h, data[prelude+text+8 : end], err
}

// frontOf is the length of the head that the beginning of a file of so many bytes announces.
func frontOf(data []byte, size int64) (text int, err error) {
	if len(data) < len(magic) || string(data[:len(magic)]) != magic {
		return 0, failure.Corrupt.Errorf("it does not begin with %q", magic)
	}
	if len(data) < prelude {
		return 0, failure.Corrupt.Errorf("truncated: %d bytes", len(data))
	}
	if v := data[len(magic)]; v != version {
		return 0, failure.Corrupt.Errorf("version %d, this program reads %d", v, version)
	}
	text = int(binary.LittleEndian.Uint32(data[len(magic)+1:]))
	if text > maxHead || size < int64(prelude+text+8+sha256.Size) {
		return 0, failure.Corrupt.Errorf("truncated: %d bytes, of which the head says it takes %d", size, text)
	}
	return text, nil
}

// bodyLength holds what there is of a body against what the file says.
func bodyLength(have, length uint64) error {
	if have < length {
		return failure.Corrupt.Errorf("truncated: %d of %d bytes of its body", have, length)
	} else if have > length {
		return failure.Corrupt.Errorf("%d bytes too many at its end", have-length)
	}
	return nil
}

// headOf reads a head.
func headOf(text []byte) (h head, err error) {
	if err := json.Unmarshal(text, &h); err != nil {
		return head{}, failure.Corrupt.Errorf("its head: %w", err)
	}
	if h.Shards < 1 || h.Shards > maxShards || h.Shard < 0 || h.Shard >= h.Shards || h.Pass < 0 || h.First < 0 || h.End < h.First ||
		h.From < 0 || h.To < h.From || h.Whole && h.Shard > 0 {
		return head{}, failure.Corrupt.Errorf("its head: shard %d of %d, pass %d, sequences %d to %d, variants %d to %d", h.Shard, h.Shards, h.Pass, h.First,
			h.End, h.From, h.To)
	}
	return h, nil
}

// read reads a part.
func read(path string) (*file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("shard: %w", err)
	}
	if info.Size() > maxBytes {
		return nil, failure.Corrupt.Errorf("shard: %s: %d bytes, at most %d are read", path, info.Size(), int64(maxBytes))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("shard: %w", err)
	}
	h, body, err := unseal(data)
	if err != nil {
		return nil, fmt.Errorf("shard: %s: %w", path, err)
	}
	if err := h.called(path); err != nil {
		return nil, err
	}
	return &file{h, path, body}, nil
}

// write puts a part into a folder, whole or not at all; several processes may do so at a time.
func write(folder string, h head, body []byte) (*file, error) {
	data, err := seal(h, body)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, h.name())
	if err := mapped.WriteBytes(path, data); err != nil {
		return nil, fmt.Errorf("shard: %w", err)
	}
	return &file{h, path, body}, nil
}

// list names the parts in some folders: of the pass that h is of, or of every pass where h is nil.
func list(folders []string, h *head) ([]string, error) {
	begin := ""
	if h != nil {
		begin, _, _ = strings.Cut(h.name(), ".")
		begin += "."
	}
	var paths []string
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, fmt.Errorf("shard: %w", err)
		}
		for _, e := range entries {
			if n := e.Name(); strings.HasPrefix(n, begin) && strings.HasSuffix(n, extension) {
				paths = append(paths, filepath.Join(folder, n))
			}
		}
	}
	return paths, nil
}

// agree says by which fact a file differs from what is wanted. A fact that only one of them knows is none that both have in common.
func (h *head) agree(path string, facts []Fact, where string) error {
	for _, want := range facts {
		at := slices.IndexFunc(h.Facts, func(have Fact) bool { return have.Name == want.Name })
		if at >= 0 && h.Facts[at].Value != want.Value {
			return fmt.Errorf("shard: %s: %s is %s, %s it is %s: parts of different jobs do not merge", path, want.Name, h.Facts[at].Value, where, want.Value)
		}
	}
	return nil
}

// belongs says why a file is none of the parts that are wanted; nil: it is one.
func (h *head) belongs(path string, want *head) error {
	if h.Shards != want.Shards {
		return fmt.Errorf("shard: %s is of a job in %d shards, this one has %d: use another folder", path, h.Shards, want.Shards)
	}
	if err := h.agree(path, want.Facts, "here"); err != nil {
		return err
	}
	if h.Key != want.Key {
		return fmt.Errorf("shard: %s: %s (pass %d) was asked for something else there: a shard of another job, or one that is older than its model or text",
			path, want.Phase, want.Pass)
	}
	return nil
}

// errNone is wrapped where a folder holds nothing to merge.
var errNone = errors.New("no shards")
