package oauth

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var testKey = []byte("\xfb\xff0123456789abcdef0123456789ab\xfe\xff")

func TestParseKeyForms(t *testing.T) {
	if len(testKey) != KeyLen {
		t.Fatal(len(testKey))
	}
	for what, value := range map[string]string{
		"hex":              hex.EncodeToString(testKey),
		"HEX":              strings.ToUpper(hex.EncodeToString(testKey)),
		"base64":           base64.StdEncoding.EncodeToString(testKey),
		"base64 unpadded":  base64.RawStdEncoding.EncodeToString(testKey),
		"base64url":        base64.URLEncoding.EncodeToString(testKey),
		"base64url raw":    base64.RawURLEncoding.EncodeToString(testKey),
		"with white space": " \t" + base64.StdEncoding.EncodeToString(testKey) + "\r\n",
	} {
		if got, err := ParseKey(value); err != nil || !bytes.Equal(got, testKey) {
			t.Errorf("%s: %x, %v", what, got, err)
		}
	}
	for what, value := range map[string]string{
		"empty":           "",
		"a pass phrase":   "correct horse battery staple",
		"too short":       base64.StdEncoding.EncodeToString(testKey[:31]),
		"too long":        base64.StdEncoding.EncodeToString(append([]byte{1}, testKey...)),
		"hex too short":   hex.EncodeToString(testKey[:31]),
		"zeros":           strings.Repeat("0", 64),
		"place-holder":    strings.Repeat("A", 43),
		"raw bytes":       string(testKey),
		"two in one file": hex.EncodeToString(testKey) + "\n" + hex.EncodeToString(testKey),
	} {
		_, err := ParseKey(value)
		if !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", what, err)
		} else if value != "" && strings.Contains(err.Error(), value) {
			t.Errorf("%s: the error repeats the value: %v", what, err)
		}
	}
}

func TestLoadKeyMakesOneAndKeepsIt(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	first, err := LoadKey(file)
	if err != nil || len(first) != KeyLen {
		t.Fatal(first, err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, err := LoadKey(file)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("the key changed: %v", err)
	}
	if _, err := CreateKey(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("CreateKey over a key: %v", err)
	}
	if again, _ := LoadKey(file); !bytes.Equal(first, again) {
		t.Error("CreateKey replaced the key")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("temporary files stay: %v", left)
	}
}

func TestLoadKeyAtOnceGivesOneKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	var wait sync.WaitGroup
	keys := make([][]byte, 16)
	for i := range keys {
		wait.Go(func() {
			key, err := LoadKey(file)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wait.Wait()
	for _, key := range keys {
		if !bytes.Equal(key, keys[0]) {
			t.Fatal("two processes have two keys")
		}
	}
}

func TestLoadKeyRefusesAndChangesNothing(t *testing.T) {
	for _, mode := range []fs.FileMode{0o644, 0o640, 0o604, 0o660, 0o601} {
		file := filepath.Join(t.TempDir(), "key")
		if _, err := CreateKey(file); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(file)
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKey(file)
		if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "chmod 600") || !strings.Contains(err.Error(), file) {
			t.Errorf("mode %v: %v", mode, err)
		}
		if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
			t.Errorf("mode %v: the file was changed", mode)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "", "words": "my secret", "huge": strings.Repeat("ab", maxKeyFile)} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(file); !errors.Is(err, ErrKey) || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadKey(dir); !errors.Is(err, ErrKey) {
		t.Errorf("a directory: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(pipe); !errors.Is(err, ErrKey) {
		t.Errorf("a pipe: %v", err)
	}
	if _, err := LoadKey(filepath.Join(dir, "absent", "key")); err == nil || errors.Is(err, ErrKey) {
		t.Errorf("no directory: %v", err)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(hex.EncodeToString(testKey))
	f.Add(base64.StdEncoding.EncodeToString(testKey))
	f.Add("====")
	f.Fuzz(func(t *testing.T, value string) {
		key, err := ParseKey(value)
		if (err == nil) != (len(key) == KeyLen) {
			t.Fatalf("%d bytes, %v", len(key), err)
		}
		if err != nil {
			return
		}
		if again, err := ParseKey(hex.EncodeToString(key)); err != nil || !bytes.Equal(again, key) {
			t.Fatalf("%x does not parse again: %v", key, err)
		}
	})
}
