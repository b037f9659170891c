package torture

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

const magic = "davwopi-torture"

// contents make a version of a document: whoever reads it knows which it is, and
// whether it is whole. Size is its length in bytes, at least what it needs.
func contents(id string, size int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %d\n", magic, id, size)
	end := fmt.Sprintf("\nend %s\n", id)
	line := fmt.Sprintf("%x\n", sha256.Sum256([]byte(id)))
	for room := size - b.Len() - len(end); room > 0; room -= len(line) {
		b.WriteString(line[:min(len(line), room)])
	}
	b.WriteString(end)
	return b.Bytes()
}

// versionOf reads which version text is; false if it is not one, or not whole.
func versionOf(text []byte) (id string, whole bool) {
	first, _, _ := strings.Cut(string(text[:min(len(text), 200)]), "\n")
	words := strings.Fields(first)
	if len(words) != 3 || words[0] != magic {
		return "", false
	}
	size, err := strconv.Atoi(words[2])
	if err != nil || size > len(text) {
		return words[1], false
	}
	return words[1], bytes.Equal(text, contents(words[1], size))
}
