package docserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// command is the command service.
func (s *Server) command(w http.ResponseWriter, r *http.Request) {
	p, err := s.parameters(r)
	switch {
	case errors.Is(err, errExpired):
		answer(w, map[string]any{"error": 7})
		return
	case err != nil:
		answer(w, map[string]any{"error": 6})
		return
	}
	key, _ := p["key"].(string)
	out := map[string]any{"error": 0}
	if key != "" {
		out["key"] = key
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch p["c"] {
	case "version":
		out["version"] = Version
	case "license":
		out["license"] = map[string]any{"end_date": "2030-01-01T00:00:00.000Z", "trial": false}
		out["server"] = map[string]any{"resultType": 3, "packageType": 0}
		if s.Expired {
			out["server"] = map[string]any{"resultType": 2, "packageType": 1}
		}
	case "info":
		s.info(key, out)
	case "forcesave":
		out["error"] = s.forceSaveNow(key)
	case "drop":
		users, _ := p["users"].([]any)
		if len(users) == 0 {
			s.drops = append(s.drops, "*")
		}
		for _, u := range users {
			s.drops = append(s.drops, fmt.Sprint(u))
		}
	case "meta":
		if m, ok := p["meta"].(map[string]any); ok {
			s.titles[key] = fmt.Sprint(m["title"])
		}
	case "getForgottenList":
		keys := []string{}
		for k := range s.forgotten {
			keys = append(keys, k)
		}
		out["keys"] = keys
	case "getForgotten":
		content, ok := s.forgotten[key]
		if !ok {
			out["error"] = 1
			break
		}
		out["url"] = s.URL + s.addResult("docx", func() (io.ReadCloser, int64) {
			return io.NopCloser(strings.NewReader(string(content))), int64(len(content))
		})
	case "deleteForgotten":
		if _, ok := s.forgotten[key]; !ok {
			out["error"] = 1
		}
		delete(s.forgotten, key)
	default:
		out["error"] = 5
	}
	answer(w, out)
}

// info is called with mu held.
func (s *Server) info(key string, out map[string]any) {
	one := s.sessions[key]
	if one == nil || len(one.users) == 0 {
		out["error"] = 1
		return
	}
	out["users"] = ids(one.users)
	last := one.users[len(one.users)-1]
	go func() { _, _ = last.tell(map[string]any{"status": 1, "users": out["users"], "userdata": ""}) }()
}

// forceSaveNow is called with mu held.
func (s *Server) forceSaveNow(key string) int {
	one := s.sessions[key]
	switch {
	case one == nil || len(one.users) == 0:
		return 1
	case !one.changed:
		return 4
	}
	last := one.users[len(one.users)-1]
	go func() { _, _ = last.save(6, 0) }()
	return 0
}

// convert is the conversion service.
func (s *Server) convert(w http.ResponseWriter, r *http.Request) {
	p, err := s.parameters(r)
	if err != nil {
		answer(w, map[string]any{"error": -8})
		return
	}
	if s.ConvertError != 0 {
		answer(w, map[string]any{"error": s.ConvertError})
		return
	}
	text := func(name string) string { v, _ := p[name].(string); return v }
	key := text("key") + " " + text("outputtype")
	s.mu.Lock()
	s.converted[key]++
	n := s.converted[key]
	s.mu.Unlock()
	if async, _ := p["async"].(bool); async && n <= s.Slow {
		answer(w, map[string]any{"percent": 100 * (n - 1) / s.Slow, "endConvert": false})
		return
	}
	body, err := s.download(text("url"))
	if err != nil {
		answer(w, map[string]any{"error": -4})
		return
	}
	made := s.Result([]byte(text("filetype")+" as "+text("outputtype")+": "+string(body)), text("outputtype"))
	answer(w, map[string]any{"endConvert": true, "percent": 100, "fileType": text("outputtype"), "fileUrl": made})
}

// download fetches an address as the document server does: with a token for it in the
// header.
func (s *Server) download(address string) ([]byte, error) {
	if s.Unreachable {
		return nil, errors.New("docserver: no route to host")
	}
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(s.header(), "Bearer "+SignFor(s.Secret, map[string]any{"payload": map[string]any{"url": address}}, tokenLife))
	res, err := s.http.Client().Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("docserver: %s answers %d", req.URL.Path, res.StatusCode)
	}
	return io.ReadAll(res.Body)
}

// Download is what the server would show of an address of a bridge.
func (s *Server) Download(address string) (string, error) {
	b, err := s.download(address)
	return string(b), err
}
