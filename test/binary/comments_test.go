package binary

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"davwopi/test/daemon"
)

// TestCommentsAreOnTheDocumentsPage: what an editor tells of comments is shown to whoever
// may see the document, from the list and from the host page, and after a restart.
func TestCommentsAreOnTheDocumentsPage(t *testing.T) {
	needDaemon(t)
	d := daemon.StartEmpty(t, "")
	d.Write("Plan.txt", "a plan")
	d.Write("Quiet.txt", "nobody says anything")
	anna := client(d, "-user", "Anna <b>", "/Plan.txt")
	browser := d.Browser(d.Link)
	if page := get(t, browser, d.URL+"/", 200); strings.Contains(page, "to-comments") {
		t.Error("comments before there are any")
	}
	body := `{"Activities":[
		{"Type":"comment","Id":"0B7E0001-0000-0000-0000-0000000000AA","Created":"2026-08-01T12:00:00Z",
		 "Data":{"ContentId":"c12","ContentAction":"created","CommentText":"see <script>alert(4)</script>","IsReply":false},
		 "People":[{"Name":"Jo Lind","Id":"u-88aa","Provider":"p","Mentioned":true},{"Name":"Not Mentioned","Id":"u","Provider":"p"}]},
		{"Type":"comment","Id":"0B7E0002","Data":{"ContentId":"c13","ContentAction":"created","CommentText":"and row 5"}},
		{"Type":"like","Id":"0B7E0003"}]}`
	must2(t)(anna.AddActivities(t.Context(), []byte(body)))

	look := func(browser *http.Client) {
		t.Helper()
		list := get(t, browser, d.URL+"/", 200)
		ways := regexp.MustCompile(`<a class="to-comments" href="(/document/[a-z2-7]{26})" title="Comments"`).FindAllStringSubmatch(list, -1)
		if len(ways) != 1 {
			t.Fatalf("ways to comments: %v", ways)
		}
		host := get(t, browser, d.URL+strings.Replace(ways[0][1], "/document/", "/edit/", 1), 200)
		if !strings.Contains(host, `href="`+ways[0][1]+`" target="_blank"`) {
			t.Errorf("the host page has no way to the comments")
		}
		page := get(t, browser, d.URL+ways[0][1], 200)
		for _, want := range []string{"Plan.txt", "Anna &lt;b&gt;", "see &lt;script&gt;alert(4)&lt;/script&gt;", "and row 5", "for <bdi>Jo Lind</bdi>", "<time datetime="} {
			if !strings.Contains(page, want) {
				t.Errorf("the document's page lacks %q: %s", want, page)
			}
		}
		for _, no := range []string{"<script>alert", "Not Mentioned", "/wopi/", "wbw_"} {
			if strings.Contains(page, no) {
				t.Errorf("the document's page has %q", no)
			}
		}
	}
	look(browser)
	d.Kill()
	d.Restart()
	look(browser)
	look(d.Browser(d.Invite("Ben")))
}
