package davbackend

import (
	"strings"
	"testing"
)

// FuzzNativeID: an ID of a server, which stands in a SEARCH, is a number without zeros in front,
// or nothing.
func FuzzNativeID(f *testing.F) {
	for _, s := range []string{"00000042ocabcdef", "42", "000", "1284d238-aa92-42ce-bdc4-0b0000009157$x!y", "٣", "7'); --"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		number := fileNumber(id)
		if strings.Trim(number, "0123456789") != "" || strings.HasPrefix(number, "0") {
			t.Fatalf("%q: %q", id, number)
		}
		if number != "" && fileNumber(number) != number {
			t.Fatalf("%q: %q, again %q", id, number, fileNumber(number))
		}
	})
}
