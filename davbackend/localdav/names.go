package localdav

import (
	"crypto/rand"
	"encoding/hex"
	"path"
	"strings"

	"davwopi/davbackend/dav"
)

// Staged files have names that no other program uses and no client may.
const (
	stagedPrefix = ".localdav-"
	stagedSuffix = ".part"
)

func hiddenName(name string) bool {
	return strings.HasPrefix(name, stagedPrefix) && strings.HasSuffix(name, stagedSuffix)
}

// hidden reports whether p is or lies in something staged.
func hidden(p dav.Path) bool {
	for _, name := range p.Segments() {
		if hiddenName(name) {
			return true
		}
	}
	return false
}

// served reports whether a name on disk can be shown: only what a client can ask for.
func served(name string) bool { return !hiddenName(name) && dav.CheckName(name) == nil }

// Inside the package a place on disk is a slash-separated path relative to the
// folder, "." for the folder itself. The same place in rows is its key, a dav.Path
// without symbolic links.

func relative(p dav.Path) string {
	if p.IsRoot() {
		return "."
	}
	return string(p[1:])
}

func keyOf(rel string) string {
	if rel == "." {
		return "/"
	}
	return "/" + rel
}

func relOf(key string) string {
	if key == "/" {
		return "."
	}
	return key[1:]
}

func parentKey(key string) string { return path.Dir(key) }

// within reports whether key is root or lies below it.
func within(root, key string) bool {
	return key == root || root == "/" || strings.HasPrefix(key, root+"/")
}

// randomHex is n random bytes in hex.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b)
}

// randomUUID is a version 4 UUID (RFC 9562 5.4).
func randomUUID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return formatUUID(b, 4)
}

// formatUUID prints the first 16 bytes of b as a UUID of that version.
func formatUUID(b []byte, version byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
