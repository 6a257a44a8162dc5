// Package chromium drives a real Chromium for tests of pages: it opens one, resizes it, presses keys, and tells what the page said. It speaks
// the DevTools protocol over the browser's own pipe (--remote-debugging-pipe: descriptors 3 and 4, messages of JSON that end in a zero byte), so
// that no port is opened and no library is needed.
package chromium

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"avssnative/internal/need"
)

// patience is how long the browser has for an answer; a machine that is busy takes its time.
const patience = 2 * time.Minute

// Page is one page of a browser of its own.
type Page struct {
	t       testing.TB
	to      io.Writer
	session string
	writing sync.Mutex
	next    int
	ended   chan struct{} // closed when the browser's pipe is

	mu      sync.Mutex
	waiting map[int]chan answer
	said    []string
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// message is what the browser sends: an answer, or an event.
type message struct {
	answer
	ID     int
	Method string
	Params json.RawMessage
}

// Open starts a browser with an empty page, and ends it with the test. Without Chromium the test skips and says so.
func Open(t testing.TB) *Page {
	t.Helper()
	program := need.Program(t, "chromium")
	reads, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, writes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe", "--no-first-run",
		"--disable-background-networking", "--user-data-dir="+t.TempDir())
	c.ExtraFiles = []*os.File{reads, writes}
	var complaints bytes.Buffer
	c.Stderr = &complaints
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	reads.Close()
	writes.Close()
	p := &Page{t: t, to: to, waiting: map[int]chan answer{}, ended: make(chan struct{})}
	go p.listen(from)
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		to.Close()
		from.Close()
		<-p.ended
		if t.Failed() {
			t.Logf("the browser said: %.4000s", complaints.String())
		}
	})
	var target struct{ TargetID string }
	p.Call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	p.Call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	p.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		p.Call(domain+".enable", nil, nil)
	}
	return p
}

// listen takes what the browser sends until its pipe ends.
func (p *Page) listen(from io.Reader) {
	defer close(p.ended)
	in := bufio.NewReader(from)
	for {
		data, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(data[:len(data)-1], &m) != nil {
			continue
		}
		p.mu.Lock()
		switch m.Method {
		case "":
			if to := p.waiting[m.ID]; to != nil {
				to <- m.answer
				delete(p.waiting, m.ID)
			}
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
			p.said = append(p.said, fmt.Sprintf("%s %s", m.Method, m.Params))
		}
		p.mu.Unlock()
	}
}

// Call asks the browser for something by a method of the protocol.
func (p *Page) Call(method string, parameters, result any) {
	p.t.Helper()
	to := make(chan answer, 1)
	p.mu.Lock()
	p.next++
	id := p.next
	p.waiting[id] = to
	p.mu.Unlock()
	request := map[string]any{"id": id, "method": method}
	if parameters != nil {
		request["params"] = parameters
	}
	if p.session != "" {
		request["sessionId"] = p.session
	}
	data, err := json.Marshal(request)
	if err != nil {
		p.t.Fatal(err)
	}
	p.writing.Lock()
	_, err = p.to.Write(append(data, 0))
	p.writing.Unlock()
	if err != nil {
		p.t.Fatalf("chromium: %s: %v", method, err)
	}
	select {
	case a := <-to:
		if a.Error != nil {
			p.t.Fatalf("chromium: %s: %s", method, a.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(a.Result, result); err != nil {
				p.t.Fatalf("chromium: %s: %v in %.200s", method, err, a.Result)
			}
		}
	case <-p.ended:
		p.t.Fatalf("chromium: %s: the browser has ended", method)
	case <-time.After(patience):
		p.t.Fatalf("chromium: %s: no answer in %s", method, patience)
	}
}

// Show opens an address and waits until the page is there.
func (p *Page) Show(address string) {
	p.t.Helper()
	var shown struct{ ErrorText string }
	p.Call("Page.navigate", map[string]any{"url": address}, &shown)
	if shown.ErrorText != "" {
		p.t.Fatalf("chromium: %s: %s", address, shown.ErrorText)
	}
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var ready bool
		p.Run(`document.readyState === 'complete' && location.href !== 'about:blank'`, &ready)
		if ready {
			return
		}
		if time.Since(begun) > patience {
			p.t.Fatalf("chromium: %s: not there after %s", address, patience)
		}
	}
}

// Run evaluates JavaScript in the page. The protocol's evaluation is not subject to the page's policy.
func (p *Page) Run(script string, result any) {
	p.t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	p.Call("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true, "awaitPromise": true, "userGesture": true}, &got)
	if e := got.ExceptionDetails; e != nil {
		p.t.Fatalf("chromium: %.80s: %s %s", script, e.Text, e.Exception.Description)
	}
	if result != nil {
		if err := json.Unmarshal(got.Result.Value, result); err != nil {
			p.t.Fatalf("chromium: %.80s: %v in %.200s", script, err, got.Result.Value)
		}
	}
}

// Size makes the window so wide and high in pixels, of a phone where narrow.
func (p *Page) Size(width, height int) {
	p.t.Helper()
	p.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
}

// Media makes the page be shown on screen or print, in the light or dark scheme.
func (p *Page) Media(media, scheme string) {
	p.t.Helper()
	p.Call("Emulation.setEmulatedMedia", map[string]any{"media": media,
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Press presses a key and lets it go: code is its virtual key code.
func (p *Page) Press(key string, code int) {
	p.t.Helper()
	for _, kind := range []string{"rawKeyDown", "keyUp"} {
		p.Call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
	}
}

// Picture is what the window shows, as a PNG.
func (p *Page) Picture() []byte {
	p.t.Helper()
	var shot struct{ Data string }
	p.Call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	return p.decode(shot.Data)
}

// Print is the page as a PDF.
func (p *Page) Print() []byte {
	p.t.Helper()
	var printed struct{ Data string }
	p.Call("Page.printToPDF", map[string]any{"preferCSSPageSize": true, "printBackground": true, "paperWidth": 8.27, "paperHeight": 11.69}, &printed)
	return p.decode(printed.Data)
}

func (p *Page) decode(data string) []byte {
	p.t.Helper()
	decoded, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		p.t.Fatal(err)
	}
	return decoded
}

// Said is what the page wrote to its console so far, exceptions and violations of its policy among it.
func (p *Page) Said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.said...)
}
