// Package differential makes inputs up and holds what this program makes of each of them against what the packages of the formats' authors make
// of it: tokenizers and llama.cpp for text, gguf for quantised blocks, safetensors for files. A fuzz target finds what is fatal; this finds what is
// different. Inputs follow from a seed, and there are as many as a time allows, so that a longer run begins with those of a shorter one.
package differential

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"
)

// allowed is for how long one of so many parts of a comparison makes up inputs: AVSSNATIVE_DIFFERENTIAL says what all of them take, as in "120s".
func allowed(t *testing.T, parts int) time.Duration {
	t.Helper()
	text := os.Getenv("AVSSNATIVE_DIFFERENTIAL")
	if text == "" {
		return time.Second / time.Duration(parts)
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return long / time.Duration(parts)
}

// rounds calls one with the random numbers of round 0, 1, … until the time is over, once at least, and says how many inputs that were.
func rounds(t *testing.T, seed uint64, long time.Duration, one func(random *rand.Rand) (inputs int)) {
	t.Helper()
	end, inputs := time.Now().Add(long), 0
	for round := uint64(0); round == 0 || time.Now().Before(end) && !t.Failed(); round++ {
		inputs += one(rand.New(rand.NewPCG(seed, round)))
	}
	t.Logf("%d inputs", inputs)
}

// peer is a Python that answers one line of JSON with another.
type peer struct {
	questions *json.Encoder
	answers   *bufio.Reader
	complaint bytes.Buffer
}

// start starts peers.py; what it is to answer is said by the arguments.
func start(t *testing.T, python string, arguments ...string) *peer {
	t.Helper()
	command := exec.Command(python, append([]string{"peers.py"}, arguments...)...)
	p := &peer{}
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = &p.complaint
	p.questions, p.answers = json.NewEncoder(in), bufio.NewReader(out)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		command.Wait()
	})
	return p
}

func (p *peer) ask(t *testing.T, question, answer any) {
	t.Helper()
	err := p.questions.Encode(question)
	if err == nil {
		var line []byte
		if line, err = p.answers.ReadBytes('\n'); err == nil {
			err = json.Unmarshal(line, answer)
		}
	}
	if err != nil {
		t.Fatalf("peers.py: %v: %s", err, p.complaint.String())
	}
}

// unmarshalList reads a list whose elements are of different kinds.
func unmarshalList(text []byte, to ...any) error {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	if len(list) != len(to) {
		return fmt.Errorf("%d elements, want %d", len(list), len(to))
	}
	for i, element := range list {
		if err := json.Unmarshal(element, to[i]); err != nil {
			return err
		}
	}
	return nil
}

// unequal says where two lists differ: "" where they do not.
func unequal(got, want []any) string {
	for i := range got {
		if g, w := fmt.Sprintf("%#v", got[i]), fmt.Sprintf("%#v", want[i]); g != w {
			return fmt.Sprintf("got %.500s, want %.500s", g, w)
		}
	}
	return ""
}

func pick[T any](random *rand.Rand, of []T) T { return of[random.IntN(len(of))] }
