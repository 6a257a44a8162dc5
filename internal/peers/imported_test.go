package peers_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// imported is a process of imported.py, one for all tests: importing torch, transformers and lm_eval takes longer than most of what they are asked.
// It ends with this process, whose pipe it reads.
type imported struct {
	asks    io.Writer
	answers *bufio.Reader
}

// started are those of each Python.
var started = map[string]*imported{}

// runScript runs a script of this folder with arguments and what it reads on stdin, and returns what it prints.
func runScript(t testing.TB, python, stdin, script string, arguments ...string) []byte {
	t.Helper()
	if started[python] == nil {
		process, err := startImported(python)
		if err != nil {
			t.Fatal(err)
		}
		started[python] = process
	}
	said, err := started[python].run(stdin, script, arguments)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return said
}

// askScript asks a script a question in JSON and reads its answer.
func askScript(t testing.TB, question, answer any, python, script string, arguments ...string) {
	t.Helper()
	text, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	said := runScript(t, python, string(text), script, arguments...)
	if err := json.Unmarshal(said, answer); err != nil {
		t.Fatalf("%s: %v: %.200q", script, err, said)
	}
}

func startImported(python string) (*imported, error) {
	command := exec.Command(python, "imported.py")
	command.Stderr = os.Stderr
	asks, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	answers, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &imported{asks, bufio.NewReader(answers)}, command.Start()
}

func (p *imported) run(stdin, script string, arguments []string) ([]byte, error) {
	question, err := json.Marshal(map[string]any{"script": script, "arguments": append([]string{}, arguments...), "stdin": stdin})
	if err != nil {
		return nil, err
	}
	if _, err := p.asks.Write(append(question, '\n')); err != nil {
		return nil, err
	}
	line, err := p.answers.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("imported.py ended: %w", err)
	}
	var answer struct {
		Code           int
		Stdout, Stderr string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return nil, err
	}
	if answer.Code != 0 {
		return nil, fmt.Errorf("exit code %d: %s", answer.Code, strings.TrimSpace(answer.Stderr))
	}
	return []byte(answer.Stdout), nil
}
