package files_test

import (
	"testing"

	"davwopi/bridge/access"
	"davwopi/test/rooms"
)

// TestFlagsOfTheHostPage: an editor is told to ask the page around it only where there is
// one that can answer, which a person's session has made.
func TestFlagsOfTheHostPage(t *testing.T) {
	h := rooms.New(t, nil, nil)
	h.Servers["main"].Write(t, "x.docx", "x")
	x := h.At("/x.docx")
	for _, c := range []struct {
		what       string
		grant      access.Grant
		edit, mode bool
	}{
		{"editing, in a session", access.Grant{Session: "s"}, true, true},
		{"reading what one may edit, in a session", access.Grant{Session: "s", Rights: access.View}, true, true},
		{"editing, by a ticket", access.Grant{}, true, false},
		{"reading, by a ticket", access.Grant{Rights: access.View}, false, false},
	} {
		info := check(t, h, h.Open(x, c.grant))
		if !info.ClosePostMessage || (info.HostEditUrl != "") != c.edit || info.EditModePostMessage != c.mode {
			t.Errorf("%s: HostEditUrl %q, EditModePostMessage %v", c.what, info.HostEditUrl, info.EditModePostMessage)
		}
		if info.FileSharingPostMessage != (c.grant.Session != "" && info.FileSharingUrl != "") || info.EnableInsertRemoteImage {
			t.Errorf("%s: %+v", c.what, info)
		}
	}
}
