package command

import (
	"bufio"
	"context"
	"html"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// aReport puts the report of the demo's run, as the pages show it, into a folder.
func aReport(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile("../../../docs/pictures/report.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// served runs serve on a folder until the test ends, and gives its address. Behind it the exit code comes from the channel.
func served(t *testing.T, dir string) (address string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reads, writes := io.Pipe()
	code := make(chan int, 1)
	var complaints output
	go func() {
		code <- run(ctx, []string{"avssnative", "serve", dir}, strings.NewReader(""), writes, &complaints)
		writes.Close()
	}()
	line, err := bufio.NewReader(reads).ReadString('\n')
	go func() { _, _ = io.Copy(io.Discard, reads) }()
	address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(line)
	if address == "" {
		t.Fatalf("serve said %q, %v, %s", line, err, complaints.String())
	}
	return address, func() int {
		cancel()
		select {
		case c := <-code:
			return c
		case <-time.After(time.Minute):
			t.Fatal("serve does not end")
			return 0
		}
	}
}

// asked is what serve answers. Redirections are not followed.
func asked(t *testing.T, method, address, host string) (code int, head http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(data)
}

func TestServe(t *testing.T) {
	outside := t.TempDir()
	aReport(t, outside)
	dir := filepath.Join(outside, "reports")
	aReport(t, filepath.Join(dir, "first"))
	aReport(t, filepath.Join(dir, "more", `a "b" <i>&c`))
	for path, text := range map[string]string{"secret.txt": "secret", "broken/report.json": "{", "first/notes.html": "secret",
		".hidden/report.json": "secret"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "linked"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "report.json"), filepath.Join(dir, "linked", "report.json")); err != nil {
		t.Skip(err)
	}
	address, stop := served(t, dir)
	code, head, list := asked(t, "GET", address, "")
	if code != 200 || strings.Count(list, "<li>") != 3 || !strings.Contains(list, `href="/first/report.html"`) || !strings.Contains(list, "at byte") ||
		strings.Contains(list, "<i>&c") || !strings.Contains(head.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the list: %d, %v, %s", code, head, list)
	}
	there := regexp.MustCompile(`href="/(more/[^"]*)"`).FindStringSubmatch(list)
	if there == nil {
		t.Fatalf("the second report is not listed: %s", list)
	}
	for path, want := range map[string]string{"first/report.html": "can do without layers", html.UnescapeString(there[1]): "can do without layers",
		"first/report.json": `"schema": 1`} {
		if code, _, body := asked(t, "GET", address+path, ""); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %.200s", path, code, body)
		}
	}
	for path, want := range map[string]int{"secret.txt": 404, "first/notes.html": 404, "../report.json": 404, "%2e%2e/report.json": 404,
		"first/../../report.json": 404,
		"..%2freport.html":        404, "..%5creport.html": 404, "//report.json": 404, "linked/report.json": 500, "linked/report.html": 500,
		"first": 404, "first/": 404,
		"none/report.html": 404, "broken/report.html": 500, "favicon.ico": 204, "first/report.csv": 404} {
		if code, _, body := asked(t, "GET", address+path, ""); code != want || strings.Contains(body, "can do without") ||
			strings.Contains(body, "secret") {
			t.Errorf("%s: %d, want %d: %.200s", path, code, want, body)
		}
	}
	if code, head, _ := asked(t, "POST", address, ""); code != 405 || head.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", code)
	}
	if code, _, body := asked(t, "HEAD", address+"first/report.html", ""); code != 200 || body != "" {
		t.Errorf("HEAD: %d, %q", code, body)
	}
	if code, _, _ := asked(t, "GET", address, "reports.example"); code != 403 {
		t.Errorf("another host's name: %d", code)
	}
	if code, _, _ := asked(t, "GET", address, "localhost:"+strings.Split(strings.Trim(address, "/"), ":")[2]); code != 200 {
		t.Errorf("localhost: %d", code)
	}
	if code := stop(); code != exitDone {
		t.Errorf("Ctrl-C: exit code %d", code)
	}
}

// One report is shown at once, whether the folder is its own or one above.
func TestServeOne(t *testing.T) {
	for _, below := range []string{"", "only"} {
		dir := t.TempDir()
		aReport(t, filepath.Join(dir, below))
		address, stop := served(t, dir)
		code, head, _ := asked(t, "GET", address, "")
		to := head.Get("Location")
		if code != 302 || to != "/"+strings.TrimPrefix(below+"/report.html", "/") {
			t.Errorf("%q: %d to %q", below, code, to)
		}
		if code, _, body := asked(t, "GET", strings.TrimSuffix(address, "/")+to, ""); code != 200 || !strings.Contains(body, "can do without") {
			t.Errorf("%q: %d", below, code)
		}
		if code := stop(); code != exitDone {
			t.Errorf("exit code %d", code)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	refused(t, exitUsage, []string{"serve", "one folder"}, "serve")
	refused(t, exitUsage, []string{"--port 70000"}, "serve", "--port", "70000", dir)
	refused(t, exitFailed, []string{"serve", "none"}, "serve", filepath.Join(dir, "none"))
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	refused(t, exitFailed, []string{"--port " + port, "listens there already"}, "serve", "--port", port, dir)
	address, stop := served(t, dir)
	if code, _, body := asked(t, "GET", address, ""); code != 200 || !strings.Contains(body, "There is none") {
		t.Errorf("an empty folder: %d, %s", code, body)
	}
	stop()
}
