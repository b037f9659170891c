package localdav

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"davwopi/davbackend/dav"
)

// Properties of somebody else are answered by name, escaped, before dead ones of the
// same name; nobody is asked for what was not asked for.
func TestExtraProperties(t *testing.T) {
	h := newHouse(t)
	h.write("a.txt", "hello")
	h.write("b.txt", "hello")
	var asked []string
	name := dav.PropName{Space: "urn:x", Local: "link"}
	handler := h.s.With(func(_ context.Context, p dav.Path, folder bool, names []dav.PropName) map[dav.PropName]string {
		asked = append(asked, string(p))
		if folder || p == "/b.txt" || !slices.Contains(names, name) {
			return nil
		}
		return map[dav.PropName]string{name: "https://x/?a=1&b=<2>"}
	})
	ask := func(depth, body string) string {
		t.Helper()
		req := httptest.NewRequestWithContext(t.Context(), "PROPFIND", "/", strings.NewReader(body))
		req.Header.Set("Depth", depth)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if w.Code != http.StatusMultiStatus {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	got := ask("1", `<D:propfind xmlns:D="DAV:" xmlns:x="urn:x"><D:prop><x:link/><D:getcontentlength/></D:prop></D:propfind>`)
	if strings.Count(got, "https://x/?a=1&amp;b=&lt;2&gt;") != 1 || len(asked) != 3 {
		t.Errorf("asked %q:\n%s", asked, got)
	}
	asked = nil
	for _, body := range []string{"", `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`, `<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>`} {
		if got := ask("1", body); strings.Contains(got, "https://x") {
			t.Errorf("%s:\n%s", body, got)
		}
	}
	if len(asked) != 0 {
		t.Errorf("asked for nothing: %q", asked)
	}
}
