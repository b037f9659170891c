package profile

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// A Scratch hears what is about to be made on the upstream, so that a killed
// measuring leaves nothing for long.
type Scratch interface {
	// Made is called before the folder at p is made.
	Made(ctx context.Context, p dav.Path) error
	// Locked is called when the file at p is locked with that token.
	Locked(ctx context.Context, p dav.Path, token dav.LockToken) error
	// Gone is called when nothing is left of it.
	Gone(ctx context.Context) error
}

// prefix begins the name of every folder in which we measure. The dot hides it from
// people.
const prefix = ".davwopi-probe-"

// maxServer bounds the Server header that is kept, in bytes.
const maxServer = 100

// Measure finds out what the upstream does, as v's account sees it, in a folder
// below the root that is removed again. A root in which that account may not write
// gives Facts with ReadOnly and what reading shows. scratch may be nil.
//
// Errors wrap [dav.ErrUnavailable], [dav.ErrUnauthorized] or [dav.ErrFull], or are
// scratch's: nothing is known then, and the folder is removed as far as that is
// possible.
func Measure(ctx context.Context, v *davbackend.View, scratch Scratch) (Facts, error) {
	ctx, trips := davbackend.CountTrips(ctx)
	m := &measuring{v: v, scratch: scratch, f: Facts{At: time.Now().UTC().Truncate(time.Second)}}
	err := m.run(ctx)
	m.f.Requests = trips()
	if err != nil {
		return Facts{}, fmt.Errorf("profile: measuring: %w", err)
	}
	m.f.Kind = kindOf(m.f, m.propset)
	return m.f, nil
}

// A measuring is the work of one Measure. A step writes what it has found into f and
// returns only errors after which nothing more can be found out.
type measuring struct {
	v       *davbackend.View
	scratch Scratch
	f       Facts
	propset string    // DAV header as sent
	root    *resource // the root before anything was made
	dir     dav.Path
	file    dav.Path // where the document is
	token   dav.LockToken
	n       int // of the contents written last
}

// A resource is the answer to a PROPFIND, with the entity tag as it was sent.
type resource struct {
	dav.Resource
	tag string
}

func (m *measuring) run(ctx context.Context) (err error) {
	if err := m.hello(ctx); err != nil {
		return err
	}
	made, err := m.makeFolder(ctx)
	if err != nil || !made {
		return err
	}
	defer func() { err = errors.Join(err, m.clean(context.WithoutCancel(ctx))) }()
	for _, step := range []func(context.Context) error{
		m.tags, m.tagOfGet, m.sameSecond, m.weakAtFirst, m.conditions, m.readers,
		m.properties, m.privileges, m.copying, m.moving, m.movingOver,
		m.locking, m.tokens, m.movingOntoLocked, m.movingLocked, m.unlocking,
		m.folders, m.listing, m.names, m.chunks,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hello asks what can be asked without writing.
func (m *measuring) hello(ctx context.Context) error {
	a, err := m.v.Raw(ctx, davbackend.Raw{Method: http.MethodOptions, Path: dav.Root})
	if err != nil {
		return err
	}
	m.propset = strings.Join(a.Header.Values("DAV"), ", ")
	m.f.Server, m.f.Classes = versionOf(a.Header)
	res, err := m.v.Stat(ctx, dav.Root)
	if err != nil {
		return err
	}
	m.root = &resource{Resource: res}
	m.f.ResourceID = res.ResourceID != ""
	m.f.Quota = res.QuotaAvailable >= 0
	m.f.NativeID, m.f.FolderETag = "none", "none"
	return nil
}

var urlInList = regexp.MustCompile(`,?\s*<[^>]*>`)

// versionOf are the two headers by which a server says who it is.
func versionOf(h http.Header) (server, classes string) {
	server = strings.ToValidUTF8(h.Get("Server"), "")
	if len(server) > maxServer {
		server = strings.ToValidUTF8(server[:maxServer], "")
	}
	classes = urlInList.ReplaceAllString(strings.Join(h.Values("DAV"), ","), "")
	classes = strings.Join(strings.FieldsFunc(classes, func(r rune) bool { return r == ',' || r == ' ' }), ",")
	if len(classes) > maxServer {
		classes = strings.ToValidUTF8(classes[:maxServer], "")
	}
	return server, classes
}

// makeFolder makes the folder in which everything happens; false if this account may
// not write. A server that forbids names with a dot gets one without.
func (m *measuring) makeFolder(ctx context.Context) (bool, error) {
	dir, err := MakeFolder(ctx, m.v, m.scratch)
	switch {
	case err == nil:
		m.dir, m.file = dir, child(dir, "a document.txt")
		return true, nil
	case unreachable(err), errors.Is(err, dav.ErrFull), !errors.Is(err, errNoFolder):
		return false, err
	}
	m.f.ReadOnly = true
	m.f.NoWriting, err = m.noWriting(ctx)
	return false, err
}

// errNoFolder is in the chain when the upstream has refused to make a folder.
var errNoFolder = errors.New("profile: no folder can be made in the root")

// MakeFolder makes a folder below the root in which things may be tried, with a name
// that nobody else uses, hidden where the upstream takes such names. scratch hears of
// it first, and may be nil. Errors are those of [davbackend.View.Mkcol], or scratch's:
// then there is no folder.
func MakeFolder(ctx context.Context, v *davbackend.View, scratch Scratch) (dir dav.Path, err error) {
	var b [10]byte
	rand.Read(b[:]) // never fails
	nonce := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
	for _, name := range []string{prefix + nonce, strings.TrimPrefix(prefix, ".") + nonce} {
		dir = child(dav.Root, name)
		if scratch != nil {
			if err := scratch.Made(ctx, dir); err != nil {
				return "", err
			}
		}
		err = v.Mkcol(ctx, dir)
		switch {
		case err == nil:
			return dir, nil
		case unreachable(err), errors.Is(err, dav.ErrFull):
			return "", err // it may be there all the same
		}
	}
	err = fmt.Errorf("%w: %w", errNoFolder, err)
	if scratch != nil {
		err = errors.Join(err, scratch.Gone(ctx))
	}
	return "", err
}

// clean removes everything again.
func (m *measuring) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := remove(ctx, m.v, m.dir, m.file, m.token)
	for range 2 {
		if err == nil || pause(ctx, 300*time.Millisecond) != nil {
			break
		}
		err = remove(ctx, m.v, m.dir, m.file, m.token)
	}
	if err != nil {
		return err
	}
	if m.scratch != nil {
		return m.scratch.Gone(ctx)
	}
	return nil
}

// remove takes a scratch folder away, with the lock that may be on the file in it.
func remove(ctx context.Context, v *davbackend.View, dir, file dav.Path, token dav.LockToken) error {
	if token != "" {
		// Gone or not, the DELETE shows.
		_ = v.Unlock(ctx, file, token)
	}
	if err := v.Delete(ctx, dir, davbackend.Condition{}); err != nil && !errors.Is(err, dav.ErrNotFound) {
		return fmt.Errorf("profile: removing the scratch folder: %w", err)
	}
	return nil
}

// child is the path of a name that is ours: it always fits.
func child(dir dav.Path, name string) dav.Path {
	p, err := dir.Join(name)
	if err != nil {
		panic("profile: " + err.Error()) // a constant of this package is wrong
	}
	return p
}

// raw sends a request and lets only an outage be an error.
func (m *measuring) raw(ctx context.Context, method string, p dav.Path, header ...string) (davbackend.RawAnswer, error) {
	return m.v.Raw(ctx, davbackend.Raw{Method: method, Path: p, Header: headers(header)})
}

func headers(pairs []string) http.Header {
	h := make(http.Header)
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// put writes new contents of the same length as all before.
func (m *measuring) put(ctx context.Context, p dav.Path, header ...string) (davbackend.RawAnswer, error) {
	m.n++
	text := fmt.Sprintf("measured by davwopi, %06d\n", m.n)
	return m.v.Raw(ctx, davbackend.Raw{Method: http.MethodPut, Path: p, Header: headers(header), Body: textBody(text)})
}

// look is one PROPFIND; ok is false if there is nothing at p.
func (m *measuring) look(ctx context.Context, p dav.Path, extra ...dav.PropName) (res resource, ok bool, err error) {
	names := append([]dav.PropName{dav.PropResourceType, dav.PropContentLength, dav.PropETag, dav.PropLastModified,
		dav.PropLockDiscovery, dav.PropResourceID, dav.PropOCID, dav.PropOCFileID}, extra...)
	a, err := m.v.Raw(ctx, davbackend.Raw{
		Method: "PROPFIND", Path: p, XML: dav.PropfindBody(names), Header: headers([]string{"Depth", "0"}),
	})
	if err != nil {
		return res, false, err
	}
	res.Resource, res.tag, ok = a.Resource(p)
	return res, ok, nil
}
