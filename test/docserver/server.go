package docserver

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Secret is what the servers of tests share with their bridges.
const Secret = "a-secret-of-tests-0123456789abcdef"

// Version is what the command service says.
const Version = "9.3.0.1"

//go:embed api.js
var apiJS []byte

//go:embed frame.html
var frameHTML []byte

// Switches are settings of a document server (reference/wopi.md 16.11).
type Switches struct {
	Header        string // token.outbox.header, and inbox; "" Authorization
	NotInBody     bool   // callbacks have their token in the header only
	NotInHeader   bool   // and these in the body only
	PlainCounts   bool   // tokenRequiredParams: false
	Old           bool   // the addresses of before 8.2
	ResultType    string // assemblyFormatAsOrigin: false, results are of this type; "" that of the document
	Slow          int    // how often a conversion answers that it is not done
	ConvertError  int    // what conversion answers instead; 0 nothing
	Expired       bool   // its licence
	Unreachable   bool   // it reaches no other server
	CallbackTries int    // how often a callback is tried again; 0: 3, negative: never
}

// A Server is a document server. Its fields are set before it is asked; methods may be
// called concurrently.
type Server struct {
	URL    string
	Secret string
	Switches

	t    testing.TB
	http *httptest.Server

	mu        sync.Mutex
	down      bool                // guarded by mu, as all below
	sessions  map[string]*session // by key
	forgotten map[string][]byte
	results   map[string]func() (io.ReadCloser, int64) // by path
	redirects map[string]string
	converted map[string]int // how often each was asked for
	number    int
	told      []Told // callbacks, in order
	asked     []map[string]any
	drops     []string
	titles    map[string]string
}

// A session is what the server has of a key.
type session struct {
	content  []byte
	fileType string
	users    []*Editor // who edits, in the order of joining
	changed  bool      // since the last final save
	lastSave time.Time
	over     bool // stored: the key is used up
}

// Told is one callback and its answer.
type Told struct {
	Key    string
	Status int
	Answer int // the number in "error"; -1: none
	HTTP   int
}

// Start starts a server, which ends with the test. change may set switches.
func Start(t testing.TB, change func(*Server)) *Server {
	t.Helper()
	s := &Server{
		Secret: Secret, t: t, sessions: map[string]*session{}, forgotten: map[string][]byte{},
		results: map[string]func() (io.ReadCloser, int64){}, redirects: map[string]string{}, converted: map[string]int{}, titles: map[string]string{},
	}
	if change != nil {
		change(s)
	}
	s.results["/cache/files/data/copy/output.docx"] = func() (io.ReadCloser, int64) { // what the frame saves as
		return io.NopCloser(strings.NewReader("a copy")), -1
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /web-apps/apps/api/documents/api.js", s.api)
	mux.HandleFunc("GET /web-apps/frame.html", s.frame)
	mux.HandleFunc("POST /web-apps/verify", s.verifyConfig)
	mux.HandleFunc("GET /cache/files/", s.result)
	commands, converter := "POST /command", "POST /converter"
	if s.Old {
		commands, converter = "POST /coauthoring/CommandService.ashx", "POST /ConvertService.ashx"
	}
	mux.HandleFunc(commands, s.command)
	mux.HandleFunc(converter, s.convert)
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		down := s.down
		s.mu.Unlock()
		if down {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.http.Close)
	s.URL = s.http.URL
	return s
}

// Down makes everything answer 502, as a reverse proxy does then.
func (s *Server) Down(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *Server) api(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript")
	_, _ = w.Write(apiJS)
}

func (s *Server) frame(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(frameHTML)
}

// verifyConfig is what the editor's frame asks of its server: may this be opened?
func (s *Server) verifyConfig(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil {
		_, err = s.check(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	fmt.Fprintln(w, "ok")
}

// Result makes bytes a result and returns its address. Each call is another one.
func (s *Server) Result(content []byte, ext string) string {
	return s.Stream(ext, func() (io.ReadCloser, int64) {
		return io.NopCloser(strings.NewReader(string(content))), int64(len(content))
	})
}

// Stream is Result for bytes that are made when they are fetched; size -1 is not said.
func (s *Server) Stream(ext string, open func() (body io.ReadCloser, size int64)) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.URL + s.addResult(ext, open)
}

// addResult is called with mu held.
func (s *Server) addResult(ext string, open func() (io.ReadCloser, int64)) string {
	s.number++
	path := fmt.Sprintf("/cache/files/data/%d/output.%s", s.number, ext)
	s.results[path] = open
	return path + "?md5=x&expires=1"
}

func (s *Server) result(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	open, to := s.results[r.URL.Path], s.redirects[r.URL.Path]
	s.mu.Unlock()
	if to != "" {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	if open == nil {
		http.NotFound(w, r)
		return
	}
	body, size := open()
	defer body.Close()
	if size >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(size))
	}
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// Callbacks are those that were sent so far, with their answers.
func (s *Server) Callbacks() []Told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

// Forgotten is what nobody took of a key; false: nothing.
func (s *Server) Forgotten(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.forgotten[key]
	return string(b), ok
}

// Forget puts bytes among the forgotten, as if a save had failed long ago.
func (s *Server) Forget(key, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten[key] = []byte(content)
}

// Lose forgets a session without telling anybody, as a crash does.
func (s *Server) Lose(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, key)
}

// Dropped are the users that were turned into viewers, "*" for all of a key.
func (s *Server) Dropped() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.drops)
}

// Title is what a document was renamed to, "" nothing.
func (s *Server) Title(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.titles[key]
}

// Asked are the parameters of commands and conversions that were accepted.
func (s *Server) Asked() []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// header is the name of that with the token.
func (s *Server) header() string {
	if s.Header != "" {
		return s.Header
	}
	return "Authorization"
}

// parameters reads what a request asks for: out of its token, in body or header.
func (s *Server) parameters(r *http.Request) (map[string]any, error) {
	var plain map[string]any
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&plain); err != nil {
		return nil, err
	}
	token, _ := plain["token"].(string)
	if token == "" {
		token, _ = strings.CutPrefix(r.Header.Get(s.header()), "Bearer ")
	}
	claims, err := verify(s.Secret, token)
	if err != nil {
		return nil, err
	}
	if payload, ok := claims["payload"].(map[string]any); ok {
		claims = payload
	}
	if s.PlainCounts {
		for name, value := range plain {
			if _, ok := claims[name]; !ok {
				claims[name] = value
			}
		}
	}
	s.mu.Lock()
	s.asked = append(s.asked, claims)
	s.mu.Unlock()
	return claims, nil
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who hung up needs no answer
}

// Redirect is an address of the server's that sends whoever asks to another one.
func (s *Server) Redirect(to string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	path := fmt.Sprintf("/cache/files/data/%d/elsewhere", s.number)
	s.redirects[path] = to
	return s.URL + path
}
