package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Run calls a sub-command on the daemon's state and returns its standard output.
func (d *Daemon) Run(args ...string) (string, error) { return d.RunIn("C", args...) }

// RunIn is Run on a terminal of that locale: "de_DE.UTF-8".
func (d *Daemon) RunIn(locale string, args ...string) (string, error) {
	args = append([]string{args[0], "-config", d.config, "-state", d.State}, args[1:]...)
	command := exec.Command(d.program, args...)
	command.Env = append(environment(), "LC_ALL="+locale)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, &errs)
	}
	return out.String(), nil
}

// Invite makes a sign-in link for a person with `davwopi invite`.
func (d *Daemon) Invite(name string) string {
	d.t.Helper()
	out, err := d.Run("invite", "-name", name)
	if err != nil {
		d.t.Fatal(err)
	}
	link := linkPattern.FindString(out)
	if link == "" {
		d.t.Fatalf("invite printed no link: %s", out)
	}
	return link
}

// Write makes a file of the served folder, and the folders above it.
func (d *Daemon) Write(name, content string) {
	d.t.Helper()
	file := filepath.Join(d.Dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// Read is what a file of the served folder holds.
func (d *Daemon) Read(name string) string {
	d.t.Helper()
	b, err := os.ReadFile(filepath.Join(d.Dir, name))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

// Opened is what `davwopi open -json` prints.
type Opened struct {
	WOPISrc     string `json:"wopi_src"`
	AccessToken string `json:"access_token"`
	TTL         int64  `json:"access_token_ttl"`
	ActionURL   string `json:"action_url"`
	HostURL     string `json:"host_url"`
}

// Open opens a document by `davwopi open -json`.
func (d *Daemon) Open(args ...string) Opened {
	d.t.Helper()
	out, err := d.Run(append([]string{"open", "-json"}, args...)...)
	if err != nil {
		d.t.Fatal(err)
	}
	var o Opened
	if err := json.Unmarshal([]byte(out), &o); err != nil {
		d.t.Fatalf("%v: %s", err, out)
	}
	return o
}

// Browser is an HTTP client with cookies that has signed in by link.
func (d *Daemon) Browser(link string) *http.Client {
	d.t.Helper()
	c, status := d.signIn(link)
	if status != http.StatusOK {
		d.t.Fatalf("signing in: %d", status)
	}
	return c
}

// BrowserTo is [Daemon.Browser] for a daemon whose first page cannot be shown.
func (d *Daemon) BrowserTo(link string) *http.Client {
	d.t.Helper()
	c, _ := d.signIn(link)
	return c
}

func (d *Daemon) signIn(link string) (*http.Client, int) {
	d.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, link, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return c, response.StatusCode
}
