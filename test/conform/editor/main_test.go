package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"davwopi/bridge/discovery"
	"davwopi/test/conform"
)

func TestEditorPublishesTheKeys(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-keys", dir}, write, io.Discard) }()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSpace(line)
	editors := &discovery.Editors{List: []discovery.Editor{{URL: base}}}
	for _, ext := range []string{"wopitest", "wopitestx", "docx"} {
		for _, mode := range []discovery.Mode{discovery.ModeView, discovery.ModeEdit} {
			if a, err := editors.Action(t.Context(), ext, mode, 1, ""); err != nil || a.Mode != mode || a.Origin() != base {
				t.Errorf("%s %s: %+v, %v", mode, ext, a, err)
			}
		}
	}
	if _, err := editors.Action(t.Context(), "wopitest", "getinfo", 1, ""); err != nil {
		t.Error(err)
	}
	current, old, err := conform.Keys(dir)
	if err != nil {
		t.Fatal(err)
	}
	k, signed, err := editors.Keys(t.Context(), base)
	if err != nil || !signed || !k.Current.Equal(&current.PublicKey) || !k.Old.Equal(&old.PublicKey) {
		t.Errorf("keys %v, %v", signed, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestEditorWithoutKeysOrAddress(t *testing.T) {
	for _, args := range [][]string{nil, {"-keys", "/dev/null/x"}, {"-keys", t.TempDir(), "-listen", "nowhere:x"}, {"-odd"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v: runs", args)
		}
	}
}
