package torture

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// settle waits until nothing in the journal is on its way any more.
func (d *desk) settle(t *testing.T) {
	t.Helper()
	begin := time.Now()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var list []saveLine
		if err := bridge.Ask(t.Context(), d.setting.socket(), "saves", struct{}{}, &list); err != nil {
			t.Fatal(err)
		}
		var moving []saveLine
		for _, e := range list {
			if e.onItsWay() {
				moving = append(moving, e)
			}
		}
		if len(moving) == 0 {
			t.Logf("settled in %v", time.Since(begin).Round(time.Millisecond))
			return
		}
		if time.Now().After(end) {
			t.Errorf("%d saves are never settled: %+v", len(moving), moving)
			return
		}
	}
}

// verdict asks the ledger, and looks for locks that are stuck.
func (d *desk) verdict(t *testing.T, people []*person) {
	t.Helper()
	// The keeper gives back what the last delivery has taken. No lock ends by itself so soon
	// after it was taken: the shortest is taken for a minute.
	var stuck []string
	until(15*time.Second, func() bool {
		stuck = nil
		for _, p := range people {
			stuck = append(stuck, p.stuck(t)...)
		}
		return len(stuck) == 0
	})
	q := question{Socket: d.setting.socket()}
	for _, f := range d.setting.Folders {
		q.Folders = append(q.Folders, f)
	}
	var r ruling
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		var err error
		if r, err = d.book.judge(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if len(r.Litter) == 0 || time.Now().After(end) { // what is left over is swept later
			break
		}
	}
	t.Logf("%v, %d locks stuck %v", r, len(stuck), stuck)
	t.Logf("journal: %v", r.States)
	if r.bad() > 0 || len(stuck) > 0 {
		t.Error("the ledger is not satisfied")
		d.tell(t, people, fmt.Sprint(r, stuck))
	}
	if r.Acknowledged == 0 || r.Files != len(people) {
		t.Errorf("%d saves were acknowledged, and %d documents are there of %d", r.Acknowledged, r.Files, len(people))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, never := range []string{"open 401", "save 401", "unlock 401"} {
		if n := d.answers[never]; n > 0 {
			t.Errorf("%d times %s: a grant was lost", n, never)
		}
	}
	ended := 0
	for _, p := range people {
		ended += p.ended
	}
	// The embedded server knows its files; elsewhere a document that was renamed in a crash
	// and edited by another program meanwhile cannot be told from a stranger.
	if t.Logf("%d IDs were given up", ended); ended > 0 && len(d.setting.Accounts) == 0 {
		t.Error("an ID was lost although the server has its own")
		d.tell(t, people, "")
	}
}

// tell prints what the people have been through whose documents are spoken of, and
// keeps state and folders if DAVWOPI_TEST_TORTURE_KEEP says where.
func (d *desk) tell(t *testing.T, people []*person, said string) {
	t.Helper()
	for _, p := range people {
		name := fmt.Sprintf("d%04d", p.number)
		if p.ended > 0 && said == "" || strings.Contains(said, name+".") || strings.Contains(said, name+"-") || strings.Contains(said, fmt.Sprintf("outside/%d/", p.number)) {
			t.Logf("%s:\n%s", p, strings.Join(p.history, "\n"))
		}
	}
	where := os.Getenv("DAVWOPI_TEST_TORTURE_KEEP")
	if where == "" {
		return
	}
	from := []string{fmt.Sprintf("/proc/%d/root%s", d.setting.PID, d.setting.State), filepath.Dir(d.locks)}
	for _, f := range d.setting.Folders {
		from = append(from, f)
	}
	for i, f := range from {
		if out, err := exec.Command("cp", "-a", f, filepath.Join(where, fmt.Sprintf("%s-%d-%d", filepath.Base(f), d.setting.PID, i))).CombinedOutput(); err != nil {
			t.Logf("keeping %s: %v %s", f, err, out)
		}
	}
}

// stuck says which locks are held although everybody has left.
func (p *person) stuck(t *testing.T) []string {
	t.Helper()
	var found []string
	a, err := p.client.GetLock(t.Context())
	if lock, _ := a.Lock(); err != nil || a.Status != 200 || lock != "" {
		found = append(found, fmt.Sprintf("%s: GetLock %s %v", p, a, err))
	}
	var info wopi.CheckFileInfo
	a, err = p.client.CheckFileInfo(t.Context())
	if err != nil || a.Status != 200 || a.JSON(&info) != nil {
		return append(found, fmt.Sprintf("%s: CheckFileInfo %s %v", p, a, err))
	}
	account, outside := p.setting.Accounts[p.upstream]
	if !outside {
		return found
	}
	base, err := url.Parse(account.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &davbackend.Client{Base: base}
	defer client.CloseIdle()
	view := client.As(davbackend.Credential{Kind: "password", User: account.User, Secret: account.Password})
	res, err := view.Stat(t.Context(), dav.Path("/"+strings.TrimPrefix(info.BaseFileName, "/")))
	if err != nil || len(res.Locks) > 0 {
		found = append(found, fmt.Sprintf("%s: upstream %+v %v", p, res.Locks, err))
	}
	return found
}
