package docserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
)

const tokenLife = 5 * time.Minute

// A config is what of a configuration is looked at.
type config struct {
	Document struct {
		FileType, Key, Title, URL string
		Permissions               map[string]any
	}
	Editor struct {
		CallbackURL, Mode string
		User              struct{ ID, Name string }
	} `json:"editorConfig"`
	Token string
}

// check verifies a configuration as the document server does with tokens for browsers
// switched on: what counts must be in the token, and permissions must be those beside it.
func (s *Server) check(text []byte) (config, error) {
	var c, signed config
	if err := json.Unmarshal(text, &c); err != nil {
		return c, err
	}
	claims, err := verify(s.Secret, c.Token)
	if err != nil {
		return c, errors.New("the document security token is not correctly formed")
	}
	inside, err := json.Marshal(claims)
	if err == nil {
		err = json.Unmarshal(inside, &signed)
	}
	switch {
	case err != nil:
		return c, err
	case signed.Document.Key == "" || signed.Document.URL == "" || signed.Editor.CallbackURL == "" || signed.Editor.Mode == "":
		return c, errors.New("key, url, callbackUrl and mode must be in the token")
	case len(signed.Document.Permissions) == 0 || !reflect.DeepEqual(signed.Document.Permissions, c.Document.Permissions):
		return c, errors.New("permissions differ from those in the token")
	case len(signed.Document.Key) > 128 || strings.Trim(signed.Document.Key, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._=") != "":
		return c, errors.New("a key that none can be")
	case signed.Editor.User.ID == "" || signed.Document.FileType == "" || len([]rune(signed.Document.Title)) > 128:
		return c, errors.New("user, fileType or title")
	}
	return signed, nil
}

// An Editor is one person's editor in a browser.
type Editor struct {
	ID, Name string
	Key      string
	View     bool
	Content  string // as the document was when it was opened
	Joined   Told   // the answer to status 1; zero for viewers

	callback string
	server   *Server
	lost     bool // callbacks come to nothing
	deaf     bool // their answers do not arrive
}

// Lost makes callbacks come to nothing, as while the bridge is down.
func (e *Editor) Lost(lost bool) { e.lost = lost }

// Deaf makes the answers to callbacks not arrive, as when the bridge dies just before.
func (e *Editor) Deaf(deaf bool) { e.deaf = deaf }

// Moved sends further callbacks to another address of the bridge.
func (e *Editor) Moved(base string) {
	if at := strings.Index(e.callback, "/docsapi/"); at >= 0 {
		e.callback = base + e.callback[at:]
	}
}

var errNoAnswer = errors.New("docserver: no answer")

// Open opens a document by the configuration of a page.
func (s *Server) Open(configuration []byte) (*Editor, error) {
	c, err := s.check(configuration)
	if err != nil {
		return nil, err
	}
	e := &Editor{
		ID: c.Editor.User.ID, Name: c.Editor.User.Name, Key: c.Document.Key, callback: c.Editor.CallbackURL, server: s,
		View: c.Editor.Mode != "edit" || c.Document.Permissions["edit"] != true,
	}
	one, err := s.load(c)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	e.Content = string(one.content)
	if !e.View {
		one.users = append(one.users, e)
	}
	users := ids(one.users)
	s.mu.Unlock()
	if !e.View {
		e.Joined, err = e.tell(map[string]any{"status": 1, "users": users, "actions": []any{map[string]any{"type": 1, "userid": e.ID}}})
	}
	return e, err
}

// load is the session of a key: the one that is there, what was forgotten, or the bytes
// at the document's address.
func (s *Server) load(c config) (*session, error) {
	s.mu.Lock()
	one := s.sessions[c.Document.Key]
	forgotten, kept := s.forgotten[c.Document.Key]
	s.mu.Unlock()
	switch {
	case one != nil && one.over:
		return nil, errors.New("the file version has changed") // onOutdatedVersion
	case one != nil:
		return one, nil
	}
	made := &session{fileType: c.Document.FileType}
	if kept {
		made.content, made.changed, made.lastSave = forgotten, true, time.Now()
	} else {
		content, err := s.download(c.Document.URL)
		if err != nil {
			return nil, err
		}
		made.content = content
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.sessions[c.Document.Key]; one != nil {
		return one, nil
	}
	s.sessions[c.Document.Key] = made
	return made, nil
}

func ids(users []*Editor) []string {
	list := make([]string, 0, len(users))
	for _, u := range users {
		list = append(list, u.ID)
	}
	return list
}

// Type changes the document for everybody who has it open.
func (e *Editor) Type(content string) {
	e.server.mu.Lock()
	defer e.server.mu.Unlock()
	one := e.server.sessions[e.Key]
	one.content, one.changed, one.lastSave = []byte(content), true, time.Now()
}

// Save is the save button with forcesave on: status 6.
func (e *Editor) Save() (Told, error) { return e.save(6, 1) }

// Close leaves. The last one makes the server save (2), or say that nothing was changed
// (4); what nobody takes is forgotten.
func (e *Editor) Close() (Told, error) {
	s := e.server
	s.mu.Lock()
	one := s.sessions[e.Key]
	if e.View || one == nil {
		s.mu.Unlock()
		return Told{}, nil
	}
	one.users = slices.DeleteFunc(one.users, func(u *Editor) bool { return u == e })
	left, changed := ids(one.users), one.changed
	s.mu.Unlock()
	gone := []any{map[string]any{"type": 0, "userid": e.ID}}
	switch {
	case len(left) > 0:
		return e.tell(map[string]any{"status": 1, "users": left, "actions": gone})
	case !changed:
		return e.tell(map[string]any{"status": 4, "actions": gone})
	}
	told, err := e.save(2, -1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || told.HTTP != http.StatusOK || told.Answer != 0 {
		s.forgotten[e.Key] = one.content
		delete(s.sessions, e.Key)
		return told, err
	}
	delete(s.forgotten, e.Key)
	one.over = true
	return told, nil
}

// save makes a result and tells of it, again and again if need be.
func (e *Editor) save(status, forced int) (Told, error) {
	s := e.server
	s.mu.Lock()
	one := s.sessions[e.Key]
	ext, content, last := one.fileType, one.content, one.lastSave
	if s.ResultType != "" {
		ext = s.ResultType
	}
	if last.IsZero() {
		last = time.Now()
	}
	at := s.URL + s.addResult(ext, func() (io.ReadCloser, int64) {
		return io.NopCloser(bytes.NewReader(content)), int64(len(content))
	})
	s.mu.Unlock()
	body := map[string]any{
		"status": status, "url": at, "filetype": ext, "users": []string{e.ID}, "lastsave": last.UTC().Format("2006-01-02T15:04:05.000Z"), "notmodified": false,
		"changesurl": at + "&changes", "history": map[string]any{"serverVersion": Version, "changes": []any{map[string]any{"created": "2026-11-28 12:00:00", "user": map[string]any{"id": e.ID, "name": e.Name}}}},
	}
	if forced >= 0 {
		body["forcesavetype"] = forced
	}
	return e.tell(body)
}

// tell sends a callback, signed both ways, and tries again as the document server does.
func (e *Editor) tell(body map[string]any) (Told, error) {
	body["key"] = e.Key
	tries := e.server.CallbackTries
	if tries == 0 {
		tries = 3
	}
	status, _ := body["status"].(int)
	for n := 0; ; n++ {
		told, err := Told{Answer: -1}, errNoAnswer
		if !e.lost {
			told, err = e.server.Send(e.callback, e.server.signed(body))
		}
		if e.deaf {
			told, err = Told{Answer: -1}, errNoAnswer
		}
		told.Key, told.Status = e.Key, status
		e.server.mu.Lock()
		e.server.told = append(e.server.told, told)
		e.server.mu.Unlock()
		again := status == 2 && (err != nil || told.HTTP == http.StatusTooManyRequests || told.HTTP >= 500)
		if !again || n >= tries {
			return told, err
		}
		time.Sleep(10 * time.Millisecond << n)
	}
}

// A Callback is a request as it goes out.
type Callback struct {
	Header string         // token in the header, "" none
	Body   map[string]any // with its token
}

// signed makes the callback of what is said.
func (s *Server) signed(said map[string]any) Callback {
	c := Callback{Body: map[string]any{}}
	for name, value := range said {
		c.Body[name] = value
	}
	if !s.NotInHeader {
		c.Header = SignFor(s.Secret, map[string]any{"payload": said}, tokenLife)
	}
	if !s.NotInBody {
		c.Body["token"] = SignFor(s.Secret, said, tokenLife)
	}
	return c
}

// Callback is where this editor's callbacks go.
func (e *Editor) Callback() string { return e.callback }

// Signed is the callback that says something of this editor's document.
func (e *Editor) Signed(said map[string]any) Callback {
	said["key"] = e.Key
	return e.server.signed(said)
}

// Send sends a callback, whatever is in it.
func (s *Server) Send(address string, c Callback) (Told, error) {
	text, err := json.Marshal(c.Body)
	if err != nil {
		return Told{Answer: -1}, err
	}
	req, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return Told{Answer: -1}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Header != "" {
		req.Header.Set(s.header(), "Bearer "+c.Header)
	}
	res, err := s.http.Client().Do(req)
	if err != nil {
		return Told{Answer: -1}, fmt.Errorf("docserver: callback: %w", err)
	}
	defer res.Body.Close()
	said := struct{ Error *int }{}
	told := Told{HTTP: res.StatusCode, Answer: -1}
	if json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&said) == nil && said.Error != nil {
		told.Answer = *said.Error
	}
	return told, nil
}
