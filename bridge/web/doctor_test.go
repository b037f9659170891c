package web_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/web"
	"davwopi/bridge/words"
	"davwopi/oauth"
)

func sickHouse(t *testing.T) *house {
	return newHouse(t, func(h *house) {
		h.Admin = func(p oauth.Principal) bool { return p.Subject == "guest:anna" }
		h.Checkup = func(context.Context) (web.Checkup, error) {
			return web.Checkup{At: time.Now(), Version: "v1.2", Items: []web.Ailment{
				{Severity: "error", About: "https://office.example/<b>", Text: words.Plain("It does not let us in <script>alert(1)</script>"),
					Paste: []web.Paste{{Where: words.Plain("Collabora's container"), Text: "-e aliasgroup1=https://docs.example:443"}, {Where: words.Plain("coolwsd.xml"), Text: `<host allow="true">x</host>`}}},
				{Severity: "warning", Text: words.Plain("Sign-ins travel unencrypted.")},
				{Severity: "ok", About: "Home NAS", Text: words.Plain("Home NAS answers.")},
			}}, nil
		}
	})
}

func TestTheCheckupIsForAdministrators(t *testing.T) {
	h := sickHouse(t)
	anna, bob, nobody := h.person("anna"), h.person("bob"), h.browser()
	got := anna.get("/doctor")
	if got.status != http.StatusOK {
		t.Fatalf("an administrator: %d", got.status)
	}
	contains(t, got.body, "One thing does not work.", "It does not let us in &lt;script&gt;", "Does not work", "Risk", "What is fine (1)", "Home NAS answers.",
		"-e aliasgroup1=https://docs.example:443</pre>", "&lt;host allow=&#34;true&#34;&gt;x&lt;/host&gt;</pre>", `href="/doctor">Look again`)
	if strings.Contains(got.body, "<script>alert") || regexp.MustCompile(`<pre[^>]*>[^<]*<[^/]`).MatchString(got.body) {
		t.Error("somebody else's text is markup")
	}
	if strings.Index(got.body, "does not let us in") > strings.Index(got.body, "unencrypted") {
		t.Error("the worst is not first")
	}
	contains(t, anna.get("/").body, `href="/server"`)
	contains(t, anna.get("/server").body, `href="/doctor"`)
	if got := bob.get("/doctor"); got.status != http.StatusNotFound || strings.Contains(got.body, "aliasgroup") {
		t.Errorf("somebody else: %d", got.status)
	}
	if page := bob.get("/").body; strings.Contains(page, "/doctor") || strings.Contains(page, "/server") {
		t.Error("somebody else is shown the link")
	}
	if got := nobody.get("/doctor"); got.status != http.StatusSeeOther || got.header.Get("Location") != "/signin?next=%2Fdoctor" {
		t.Errorf("nobody: %d to %q", got.status, got.header.Get("Location"))
	}
}

func TestACheckupThatFailsSaysSo(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Admin = func(oauth.Principal) bool { return true }
		h.Checkup = func(context.Context) (web.Checkup, error) { return web.Checkup{}, errors.New("secret reason") }
	})
	if got := h.person("anna").get("/doctor"); got.status != http.StatusInternalServerError || strings.Contains(got.body, "secret reason") {
		t.Errorf("%d", got.status)
	}
}

func TestWithoutADoctorNobodyIsAnAdministrator(t *testing.T) {
	h := newHouse(t, nil)
	b := h.person("anna")
	if got := b.get("/doctor"); got.status != http.StatusNotFound {
		t.Errorf("%d", got.status)
	}
	if strings.Contains(b.get("/").body, "/doctor") {
		t.Error("the link is shown")
	}
}
