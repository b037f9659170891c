package profile

import (
	"bytes"
	"context"
	"strings"
)

// longest are the lengths of names that are tried, in bytes: what most file systems
// take, ext4 with some suffix of the server's, an encrypted Synology folder.
var longest = []int{255, 250, 200, 143}

// names finds out which names are one file, and how long they may be.
func (m *measuring) names(ctx context.Context) error {
	const composed, decomposed = "caf\u00e9.txt", "cafe\u0301.txt"
	if a, err := m.put(ctx, child(m.dir, composed)); err != nil {
		return err
	} else if a.OK() {
		_, same, err := m.look(ctx, child(m.dir, decomposed))
		if err != nil {
			return err
		}
		m.f.NFDIsNFC = same
	}
	_, same, err := m.look(ctx, child(m.dir, strings.ToUpper(m.file.Base())))
	if err != nil {
		return err
	}
	m.f.CaseIsSame = same
	for _, n := range longest {
		p := child(m.dir, strings.Repeat("n", n-len(".txt"))+".txt")
		a, err := m.put(ctx, p)
		if err != nil {
			return err
		}
		if !a.OK() {
			continue
		}
		if _, there, err := m.look(ctx, p); err != nil || there {
			m.f.LongestName = n
			return err
		}
	}
	return nil
}

// mentions reports whether a multistatus names a file of ours, whose name needs no
// escaping.
func mentions(body []byte, name string) bool { return bytes.Contains(body, []byte(name)) }
