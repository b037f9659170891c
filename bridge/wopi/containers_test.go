package wopi_test

import (
	"net/http"
	"testing"

	"davwopi/bridge/wopi"
)

func TestReadContainerAndEcosystemOperations(t *testing.T) {
	header := func(override string) http.Header { return http.Header{wopi.HeaderOverride: {override}} }
	canonical := func(h http.Header) http.Header {
		out := http.Header{}
		for name, values := range h {
			out[http.CanonicalHeaderKey(name)] = values
		}
		return out
	}
	type reader func(method, suffix string, h http.Header) wopi.Operation
	for _, c := range []struct {
		read                     reader
		method, suffix, override string
		want                     wopi.Operation
	}{
		{wopi.ReadContainerOperation, "GET", "", "", wopi.OpCheckContainerInfo},
		{wopi.ReadContainerOperation, "GET", "/children", "", wopi.OpEnumerateChildren},
		{wopi.ReadContainerOperation, "GET", "ancestry", "", wopi.OpEnumerateAncestors},
		{wopi.ReadContainerOperation, "GET", "ecosystem_pointer", "", wopi.OpGetEcosystem},
		{wopi.ReadContainerOperation, "POST", "", "CREATE_CHILD_CONTAINER", wopi.OpCreateChildContainer},
		{wopi.ReadContainerOperation, "POST", "", "CREATE_CHILD_FILE", wopi.OpCreateChildFile},
		{wopi.ReadContainerOperation, "POST", "", "DELETE_CONTAINER", wopi.OpDeleteContainer},
		{wopi.ReadContainerOperation, "POST", "", "RENAME_CONTAINER", wopi.OpRenameContainer},
		{wopi.ReadContainerOperation, "POST", "", "GET_SHARE_URL", wopi.OpGetShareUrl},
		{wopi.ReadContainerOperation, "POST", "", "delete_container", wopi.OpUnsupported},
		{wopi.ReadContainerOperation, "POST", "", "DELETE", wopi.OpUnsupported},
		{wopi.ReadContainerOperation, "POST", "children", "DELETE_CONTAINER", wopi.OpUnsupported},
		{wopi.ReadContainerOperation, "GET", "contents", "", wopi.OpUnsupported},
		{wopi.ReadContainerOperation, "PUT", "", "", wopi.OpUnsupported},
		{wopi.ReadEcosystemOperation, "GET", "", "", wopi.OpCheckEcosystem},
		{wopi.ReadEcosystemOperation, "GET", "root_container_pointer", "", wopi.OpGetRootContainer},
		{wopi.ReadEcosystemOperation, "POST", "", "GET_WOPI_SRC_WITH_ACCESS_TOKEN", wopi.OpGetFileWopiSrc},
		{wopi.ReadEcosystemOperation, "POST", "", "GET_ROOT_CONTAINER", wopi.OpUnsupported},
		{wopi.ReadEcosystemOperation, "GET", "children", "", wopi.OpUnsupported},
	} {
		if got := c.read(c.method, c.suffix, canonical(header(c.override))); got != c.want {
			t.Errorf("%s %q %s: %s, want %s", c.method, c.suffix, c.override, got, c.want)
		}
	}
}

func TestExtensionFilter(t *testing.T) {
	for _, c := range []struct {
		header, name string
		want         bool
	}{
		{"", "a.docx", true},
		{"", "none", true},
		{" , ", "a.docx", true}, // nothing is filtered by nothing
		{".docx", "a.docx", true},
		{".docx", "a.DOCX", true},
		{".DocX,.xlsx", "a.docx", true},
		{".docx, .xlsx,", "a.xlsx", true},
		{"docx", "a.docx", true},
		{".docx", "a.doc", false},
		{".docx", "docx", false},
		{".docx", ".docx", false}, // a name that begins with its only dot has no extension
		{".doc", "a.docx", false},
		{".*", "a.docx", false}, // no wildcards
	} {
		if got := wopi.ParseExtensionFilter(c.header).Allows(c.name); got != c.want {
			t.Errorf("%q lets %q through: %v", c.header, c.name, got)
		}
	}
}

// FuzzActivities: what is taken can be answered and kept.
func FuzzActivities(f *testing.F) {
	f.Add([]byte(`{"Activities":[{"Type":"comment","Id":"00000014-0000-0000-0000-000000000000","Timestamp":"2017-03-15T13:47:13000000Z","Data":{"ContentId":"cid123","ContentAction":"created"}}]}`))
	f.Add([]byte(`{"Activities":[{"Type":"x","Id":"1","People":[{"Mentioned":true}]}]}`))
	f.Add([]byte(`{"Activities":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := wopi.ParseActivities(body)
		if err != nil {
			return
		}
		if len(list) == 0 || len(list) > 100 {
			t.Errorf("%d activities", len(list))
		}
		for _, a := range list {
			if a.Id == "" || a.Type == "" || a.Supported() && a.Data == nil {
				t.Errorf("%+v", a)
			}
		}
	})
}
