package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Patience is how long a condition is waited for.
const Patience = 20 * time.Second

// A Driver is a running chromedriver.
type Driver struct {
	address string
	chrome  string
}

// Start runs chromedriver until the test ends, on a port that it picks. It skips
// the test where chromium or chromedriver is absent.
func Start(t testing.TB) *Driver {
	t.Helper()
	chrome := program(t, "chromium", "chromium-browser", "google-chrome")
	command := exec.Command(program(t, "chromedriver"), "--port=0", "--log-level=SEVERE")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended by itself
		_ = command.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		// "ChromeDriver was started successfully on port 40123."
		if _, port, ok := strings.Cut(lines.Text(), "on port "); ok && strings.Contains(lines.Text(), "success") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return &Driver{"http://127.0.0.1:" + strings.TrimSuffix(strings.TrimSpace(port), "."), chrome}
		}
	}
	t.Fatalf("chromedriver did not start: %v", lines.Err())
	return nil
}

func program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed", names[0])
	return ""
}

// A Window is one browser with a profile of its own.
type Window struct {
	t       testing.TB
	session string // address of the session
	silent  bool   // scripts of pages do not run
}

// Open starts a browser; it is closed when the test ends. Less than 500 wide it is
// a phone, whose windows Chromium does not make otherwise. Extra are further
// arguments.
func (d *Driver) Open(t testing.TB, width, height int, extra ...string) *Window {
	t.Helper()
	arguments := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--user-data-dir=" + t.TempDir(), fmt.Sprintf("--window-size=%d,%d", width, height),
	}, extra...)
	chrome := map[string]any{"binary": d.chrome, "args": arguments}
	if width < 500 {
		chrome["mobileEmulation"] = map[string]any{"deviceMetrics": map[string]any{"width": width, "height": height, "pixelRatio": 2, "touch": true, "mobile": true}}
	}
	w := &Window{t: t, session: d.address}
	var made struct{ SessionID string }
	w.call(http.MethodPost, "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"browserName":             "chrome",
		"unhandledPromptBehavior": "accept",
		"goog:chromeOptions":      chrome,
		"goog:loggingPrefs":       map[string]any{"browser": "ALL"},
	}}}, &made)
	w.session = d.address + "/session/" + made.SessionID
	t.Cleanup(func() { w.call(http.MethodDelete, "", nil, nil) })
	return w
}

// call sends one command of the protocol and decodes its value.
func (w *Window) call(method, path string, in, out any) {
	w.t.Helper()
	if err := w.try(method, path, in, out); err != nil {
		w.t.Fatal(err)
	}
}

func (w *Window) try(method, path string, in, out any) error {
	var body io.Reader
	if method == http.MethodPost {
		if in == nil {
			in = struct{}{}
		}
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // cleanup runs after the test's context
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, w.session+path, body)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("browser: %s %s: %w", method, path, err)
	}
	if res.StatusCode != http.StatusOK {
		var why struct{ Error, Message string }
		_ = json.Unmarshal(answer.Value, &why) // then the message is empty
		return fmt.Errorf("browser: %s %s: %s: %.300s", method, path, why.Error, why.Message)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, out)
}

// Go opens an address.
func (w *Window) Go(address string) {
	w.t.Helper()
	w.call(http.MethodPost, "/url", map[string]string{"url": address}, nil)
}

// Scripts switches the pages' own scripts on or off.
func (w *Window) Scripts(on bool) {
	w.t.Helper()
	w.silent = !on
	w.call(http.MethodPost, "/goog/cdp/execute", map[string]any{"cmd": "Emulation.setScriptExecutionDisabled", "params": map[string]bool{"value": !on}}, nil)
}

// Run runs script in the current frame; "return" gives its value to out.
func (w *Window) Run(script string, out any) {
	w.t.Helper()
	w.call(http.MethodPost, "/execute/sync", map[string]any{"script": script, "args": []any{}}, out)
}

const elementKey = "element-6066-11e4-a52e-4f735466cecf" // WebDriver, section 11

// find waits for an element.
func (w *Window) find(css string) string {
	w.t.Helper()
	var id string
	w.Until("element "+css, func() bool {
		var e map[string]string
		err := w.try(http.MethodPost, "/element", map[string]string{"using": "css selector", "value": css}, &e)
		id = e[elementKey]
		return err == nil && id != ""
	})
	return id
}

// Click clicks an element as a person would: it must be visible.
func (w *Window) Click(css string) {
	w.t.Helper()
	w.call(http.MethodPost, "/element/"+w.find(css)+"/click", nil, nil)
}

// Type types into an element. Keys beyond letters are WebDriver's code points:
// \uE009 Control, \uE000 release.
func (w *Window) Type(css, text string) {
	w.t.Helper()
	w.call(http.MethodPost, "/element/"+w.find(css)+"/value", map[string]string{"text": text}, nil)
}

// Frame goes into the frame that css selects; "" back to the page.
func (w *Window) Frame(css string) {
	w.t.Helper()
	if css == "" {
		w.call(http.MethodPost, "/frame", map[string]any{"id": nil}, nil)
		return
	}
	w.call(http.MethodPost, "/frame", map[string]any{"id": map[string]string{elementKey: w.find(css)}}, nil)
}

// Text is the text that a person sees in the current frame, "" while there is
// none. Values of text areas follow it.
func (w *Window) Text() string {
	var text string
	err := w.try(http.MethodPost, "/execute/sync", map[string]any{"script": `return (document.body ? document.body.innerText : '') + '\n' +
		[...document.querySelectorAll('textarea')].map((t) => t.value).join('\n')`, "args": []any{}}, &text)
	if err != nil {
		return "" // between two pages
	}
	return text
}

// Sees waits for words on the page.
func (w *Window) Sees(words string) {
	w.t.Helper()
	w.Until(fmt.Sprintf("%q on the page", words), func() bool { return strings.Contains(w.Text(), words) })
}

// Title waits for a window title that contains words.
func (w *Window) Title(words string) {
	w.t.Helper()
	w.Until(fmt.Sprintf("%q in the title", words), func() bool {
		var title string
		return w.try(http.MethodGet, "/title", nil, &title) == nil && strings.Contains(title, words)
	})
}

// Until waits for a condition.
func (w *Window) Until(what string, holds func() bool) {
	w.t.Helper()
	for end := time.Now().Add(Patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("waited in vain for %s; the page says:\n%s\nthe console says: %v", what, w.Text(), w.Console())
		}
	}
}

// Console is what the browser complained about since it was last asked.
func (w *Window) Console() []string {
	var entries []struct{ Level, Message string }
	if err := w.try(http.MethodPost, "/se/log", map[string]string{"type": "browser"}, &entries); err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, e := range entries {
		if e.Level == "SEVERE" || e.Level == "WARNING" {
			out = append(out, e.Message)
		}
	}
	return out
}

// Screenshot is a PNG of the whole window.
func (w *Window) Screenshot() []byte {
	w.t.Helper()
	var text string
	w.call(http.MethodGet, "/screenshot", nil, &text)
	png, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return png
}
