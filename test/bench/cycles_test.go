package bench

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"

	"davwopi/bridge/wopi"
)

const (
	lockinfo = `<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`
	lockID   = "a lock of the bench"
)

// A step is an operation of WOPI, and the request of WebDAV that comes closest.
type step struct {
	operation  wopi.Operation
	wopi, bare func(context.Context, *desk) error
}

// A cycle is what a desk does again and again, by turns through the daemon and past it.
// begin and end are done once.
type cycle struct {
	name       string
	whole      string // what all steps together are called, "" nothing
	begin, end func(context.Context, *desk) error
	steps      []step
}

var (
	looking = cycle{name: "looking", whole: "Open", steps: []step{
		{wopi.OpCheckFileInfo, checkFileInfo, propfind},
		{wopi.OpGetFile, getFile, get},
	}}
	enumerating = cycle{name: "enumerating", steps: []step{{wopi.OpEnumerateChildren, enumerateChildren, propfindFolder}}}
	holding     = cycle{name: "holding", begin: beginHolding, end: endHolding, steps: []step{
		{wopi.OpRefreshLock, simply(wopi.OverrideRefreshLock), relock},
		{wopi.OpGetLock, simply(wopi.OverrideGetLock), propfind},
		{wopi.OpPutFile, putFile, put},
	}}
	// Apache loses locks when many are taken at once, whoever asks: what it then takes for
	// locked stays so. So this comes last.
	locking = cycle{name: "locking", steps: []step{
		{wopi.OpLock, simply(wopi.OverrideLock), lock},
		{wopi.OpUnlock, simply(wopi.OverrideUnlock), unlock},
	}}
)

// simply is an operation without bodies.
func simply(override string) func(context.Context, *desk) error {
	return func(ctx context.Context, p *desk) error {
		_, err := p.wopi(ctx, http.MethodPost, "", override, nil, 0)
		return err
	}
}

func checkFileInfo(ctx context.Context, p *desk) error {
	_, err := p.wopi(ctx, http.MethodGet, "", "", nil, 0)
	return err
}

func propfind(ctx context.Context, p *desk) error {
	_, _, err := p.dav(ctx, "PROPFIND", p.bare, strings.NewReader(p.st.stat), int64(len(p.st.stat)), "Depth", "0", "Content-Type", "application/xml")
	return err
}

func getFile(ctx context.Context, p *desk) error {
	n, err := p.wopi(ctx, http.MethodGet, "contents", "", nil, 0)
	return long(n, p.saved.size, err)
}

func get(ctx context.Context, p *desk) error {
	_, n, err := p.dav(ctx, http.MethodGet, p.bare, nil, 0)
	return long(n, p.put.size, err)
}

func long(is, wanted int64, err error) error {
	if err == nil && is != wanted {
		err = fmt.Errorf("%d bytes instead of %d", is, wanted)
	}
	return err
}

func enumerateChildren(ctx context.Context, p *desk) error {
	answer, err := p.folder.Send(ctx, http.MethodGet, "children", "", nil, nil, 0)
	if err != nil {
		return err
	}
	_, err = swallow(answer)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the children: %s", answer.Status)
	}
	return err
}

func propfindFolder(ctx context.Context, p *desk) error {
	_, _, err := p.dav(ctx, "PROPFIND", path.Dir(p.bare)+"/", strings.NewReader(p.st.list), int64(len(p.st.list)), "Depth", "1", "Content-Type", "application/xml")
	return err
}

// putFile sends other bytes each time: equal ones need not be sent on.
func putFile(ctx context.Context, p *desk) error {
	next := content{serial: p.saved.serial + 1<<20, size: p.saved.size}
	_, err := p.wopi(ctx, http.MethodPost, "contents", wopi.OverridePut, next.reader(), next.size)
	if err == nil {
		p.saved = next
	}
	return err
}

func put(ctx context.Context, p *desk) error {
	p.put.serial += 1 << 20
	_, _, err := p.dav(ctx, http.MethodPut, p.bare, p.put.reader(), p.put.size)
	return err
}

func beginHolding(ctx context.Context, p *desk) error {
	if err := simply(wopi.OverrideLock)(ctx, p); err != nil {
		return err
	}
	return lock(ctx, p)
}

func endHolding(ctx context.Context, p *desk) error {
	if err := simply(wopi.OverrideUnlock)(ctx, p); err != nil {
		return err
	}
	return unlock(ctx, p)
}

func lock(ctx context.Context, p *desk) error {
	header, _, err := p.dav(ctx, "LOCK", p.locked, strings.NewReader(lockinfo), int64(len(lockinfo)), "Content-Type", "application/xml", "Timeout", "Second-1800", "Depth", "0")
	if err == nil {
		p.token = header.Get("Lock-Token")
	}
	return err
}

func relock(ctx context.Context, p *desk) error {
	_, _, err := p.dav(ctx, "LOCK", p.locked, nil, 0, "If", "("+p.token+")", "Timeout", "Second-1800")
	return err
}

func unlock(ctx context.Context, p *desk) error {
	_, _, err := p.dav(ctx, "UNLOCK", p.locked, nil, 0, "Lock-Token", p.token)
	return err
}
