package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/history"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// An eventStream is a page that listens to what is open now.
type eventStream struct {
	t     *testing.T
	lists chan string // data of "list" events; closed at the end of the stream
	close context.CancelFunc
	head  http.Header
}

// listen opens a stream; status is that of its answer.
func (b *browser) listen(t *testing.T) (s *eventStream, status int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.h.server.URL+"/open/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	s = &eventStream{t, make(chan string, 16), cancel, res.Header}
	t.Cleanup(cancel)
	go func() {
		defer res.Body.Close()
		defer close(s.lists)
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		event, data := "", []string{}
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case lines.Text() == "" && event == "list":
				s.lists <- strings.Join(data, "\n")
				event, data = "", nil
			case lines.Text() == "":
				event, data = "", nil
			case field == "event":
				event = value
			case field == "data", field == "data:":
				data = append(data, value)
			}
		}
	}()
	return s, res.StatusCode
}

// says waits for a list that has words and lacks others.
func (s *eventStream) says(has, lacks string) {
	s.t.Helper()
	late := time.After(30 * time.Second)
	last := ""
	for {
		select {
		case list, ok := <-s.lists:
			if !ok {
				s.t.Fatalf("the stream has ended; the last list is %s", last)
			}
			if last = list; strings.Contains(list, has) && (lacks == "" || !strings.Contains(list, lacks)) {
				return
			}
		case <-late:
			s.t.Fatalf("no list with %q and without %q; the last one is %s", has, lacks, last)
		}
	}
}

// ends waits for the end of the stream.
func (s *eventStream) ends() {
	s.t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case _, ok := <-s.lists:
			if !ok {
				return
			}
		case <-late:
			s.t.Fatal("the stream goes on")
		}
	}
}

func TestOpenNowIsLive(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Rules = access.Rules{{Who: []string{"*"}, Path: "/", Rights: access.Edit}, {Who: []string{"ben"}, Path: "/a.txt", Rights: 0}}
	})
	h.up.Write(t, "a.txt", "hello")
	anna, ben := h.person("anna"), h.person("ben")
	id := anna.get("/").id(t, "a.txt")
	hers, status := anna.listen(t)
	if status != http.StatusOK || hers.head.Get("Content-Type") != "text/event-stream; charset=utf-8" || hers.head.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", status, hers.head)
	}
	his, _ := ben.listen(t)
	hers.says("No document that you can see is open.", "")
	his.says("No document that you can see is open.", "")
	w := h.writes(id, "anna", wopi.TextEditor)
	hers.says("not saved yet", "")
	h.must(w.save("once"))
	hers.says("last saved", "not saved yet")
	anna.post("/open/"+id+"/release", nil)
	hers.says("No document that you can see is open.", "a.txt")
	select {
	case list := <-his.lists:
		t.Errorf("somebody who may not see the file is told: %s", list)
	default:
	}
	h.Close()
	hers.ends()
	his.ends()
}

func TestStreamsAreBounded(t *testing.T) {
	h := newHouse(t, nil)
	anna, ben := h.person("anna"), h.person("ben")
	var open []*eventStream
	for range 4 {
		s, status := anna.listen(t)
		if status != http.StatusOK {
			t.Fatal(status)
		}
		open = append(open, s)
	}
	if _, status := anna.listen(t); status != http.StatusServiceUnavailable {
		t.Errorf("a fifth stream: %d", status)
	}
	if _, status := ben.listen(t); status != http.StatusOK {
		t.Errorf("somebody else's: %d", status)
	}
	open[0].close()
	open[0].ends()
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, status := anna.listen(t); status == http.StatusOK {
			break
		}
		if time.Now().After(until) {
			t.Fatal("a stream that has ended is still counted")
		}
	}
	if _, status := h.browser().listen(t); status != http.StatusSeeOther {
		t.Errorf("nobody's: %d", status)
	}
	h.Close()
}

func TestWhatHappenedToADocument(t *testing.T) {
	h := newHouse(t, func(h *house) {
		var err error
		h.History, err = history.New(h.t.Context(), h.db)
		h.must(err)
		withShares(h)
	})
	h.up.Write(t, "plan.txt", "hello")
	anna := h.person("anna")
	id := anna.get("/").id(t, "plan.txt")
	for _, e := range []history.Event{
		{Kind: history.Opened, Name: "Ben <b>"}, {Kind: history.Saved, Name: "Ben <b>"}, {Kind: history.Saved, Name: "Ben <b>"}, {Kind: history.Aside},
		{Kind: history.Conflict, Name: "x"}, {Kind: history.Closed, Name: "x"}, {Kind: history.Renamed, Name: "x"}, {Kind: history.Renamed, Name: "x", Detail: "n<u>"},
		{Kind: history.Moved, Name: "x"}, {Kind: history.Restored, Name: "x"}, {Kind: history.Undone, Name: "x"},
	} {
		e.File = idmap.FileID(id)
		h.must(h.History.Add(t.Context(), e))
	}
	h.writes(id, "anna", wopi.TextEditor)
	anna.post("/open/"+id+"/release", nil)
	link := anna.share(id, "for", "anybody", "rights", "view")
	if got := anna.post("/rename/"+id, url.Values{"name": {"new plan.txt"}}); got.status != http.StatusSeeOther {
		t.Errorf("renamed: %d", got.status)
	}
	page := anna.get("/document/" + id).body
	contains(t, page, "anna renamed it to new plan.txt", "What happened to it", "Ben &lt;b&gt; opened it to edit", "Ben &lt;b&gt; saved it 2 times", "Somebody saved into a copy", "was not taken",
		"x closed it", "x renamed it<", "x renamed it to n&lt;u&gt;", "x moved it to another folder", "made a copy of a save", "put an earlier version back",
		"anna released it for others", "anna made a link to it", "<time datetime=")
	guest := h.browser()
	at := guest.comeIn(link, "", "")
	if body := guest.get(at + "/document/" + id).body; strings.Contains(body, "released") || !strings.Contains(body, "new plan.txt") {
		t.Errorf("a guest sees who did what:\n%s", body)
	}
}
