package idp

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options are how a real provider is set up. Its clients are davwopi (secret s3cret) and office (secret 0ffice, which is
// sent in the form).
type Options struct {
	Redirect string // of davwopi
	Office   string // redirect of office
	Gone     string // where davwopi's people go after sign-out
	API      string // for whom office's tokens are made, where the provider can be told
	JWT      bool   // access tokens are signed ones
	Post     bool   // davwopi's secret is taken from the form only, where the provider can be told
}

// A Real is a provider that runs as a program of its own.
type Real struct {
	Issuer         string
	User, Password string
	Audience       string // that of office's tokens
}

// Zitadel starts the Go library zitadel/oidc.
func Zitadel(t testing.TB, o Options) *Real {
	t.Helper()
	zitadel.once.Do(func() { zitadel.file, zitadel.err = buildZitadel() })
	if zitadel.err != nil {
		t.Skipf("needs the modules of test/idp/zitadel: %v", zitadel.err)
	}
	issuer := start(t, exec.Command(zitadel.file, "-redirect", o.Redirect, "-office", o.Office, "-gone", o.Gone, fmt.Sprintf("-jwt=%v", o.JWT)))
	return &Real{Issuer: issuer, User: "test-user2", Password: "verysecure", Audience: "office"}
}

// Panva starts the JavaScript library oidc-provider.
func Panva(t testing.TB, o Options) *Real {
	t.Helper()
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("needs " + name)
		}
	}
	panva.once.Do(func() { panva.file, panva.err = installPanva() })
	if panva.err != nil {
		t.Skipf("needs the packages of test/idp/panva: %v", panva.err)
	}
	auth := "client_secret_basic"
	if o.Post {
		auth = "client_secret_post"
	}
	options, err := json.Marshal(map[string]any{"redirect": o.Redirect, "office": o.Office, "gone": o.Gone, "jwt": o.JWT, "api": o.API, "auth": auth})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("node", panva.file, string(options))
	command.Env = append(os.Environ(), "NODE_NO_WARNINGS=1")
	return &Real{Issuer: start(t, command), User: "mira", Password: "whatever", Audience: o.API}
}

// A program is made once for each test process.
type program struct {
	once sync.Once
	file string
	err  error
}

var zitadel, panva program

// here is the folder of this file.
func here() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// made is a folder that is the same for all test processes of this user, as long as the sources are the same.
func made(sources ...string) (dir string, done bool, err error) {
	sum := sha256.New()
	for _, name := range sources {
		text, err := os.ReadFile(filepath.Join(here(), name))
		if err != nil {
			return "", false, err
		}
		sum.Write(text) // never fails
	}
	dir = filepath.Join(os.TempDir(), fmt.Sprintf("davwopi-test-idp-%d-%x", os.Getuid(), sum.Sum(nil)[:8]))
	_, err = os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, false, nil
	}
	return dir, err == nil, err
}

// publish makes what lies in fresh the one that all use. Somebody else may have been faster.
func publish(fresh, dir string) error {
	if err := os.Rename(fresh, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return err
		}
		return os.RemoveAll(fresh)
	}
	return nil
}

func buildZitadel() (string, error) {
	dir, done, err := made("zitadel/main.go", "zitadel/go.mod", "zitadel/go.sum")
	file := filepath.Join(dir, "zitadel")
	if err != nil || done {
		return file, err
	}
	fresh := fmt.Sprintf("%s-new-%d", dir, os.Getpid())
	build := exec.Command("go", "build", "-o", filepath.Join(fresh, "zitadel"), ".")
	build.Dir = filepath.Join(here(), "zitadel")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %.500s", err, out)
	}
	return file, publish(fresh, dir)
}

func installPanva() (string, error) {
	dir, err := Packages(filepath.Join(here(), "panva"), "server.mjs")
	return filepath.Join(dir, "server.mjs"), err
}

// Packages installs what folder's package.json and package-lock.json ask for, and returns
// where: a folder that is the same for all test processes of this user as long as these,
// and the files called more, which are copied beside, are the same.
func Packages(folder string, more ...string) (string, error) {
	var sources []string
	for _, name := range append([]string{"package.json", "package-lock.json"}, more...) {
		rel, err := filepath.Rel(here(), filepath.Join(folder, name))
		if err != nil {
			return "", err
		}
		sources = append(sources, rel)
	}
	dir, done, err := made(sources...)
	if err != nil || done {
		return dir, err
	}
	fresh := fmt.Sprintf("%s-new-%d", dir, os.Getpid())
	if err := os.MkdirAll(fresh, 0o700); err != nil {
		return "", err
	}
	for _, name := range sources {
		text, err := os.ReadFile(filepath.Join(here(), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(fresh, filepath.Base(name)), text, 0o600)
		}
		if err != nil {
			return "", err
		}
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = fresh
	if out, err := install.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("%w: %.500s", err, out), os.RemoveAll(fresh))
	}
	return dir, publish(fresh, dir)
}

// start runs a provider until the test ends and returns the issuer that it prints.
func start(t testing.TB, command *exec.Cmd) string {
	t.Helper()
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	command.Stderr = &errs
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait() // it was killed
		if t.Failed() {
			t.Logf("the provider said:\n%.4000s", errs.String())
		}
	})
	first := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			select {
			case first <- lines.Text():
			default:
			}
		}
	}()
	select {
	case issuer := <-first:
		return strings.TrimSpace(issuer)
	case <-time.After(time.Minute):
		t.Fatal("the provider does not start")
		return ""
	}
}
