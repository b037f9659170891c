package endpoint

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"davwopi/bridge/wopi"
)

// answer writes the one answer of a request and returns its status, and the error
// for the log: refused, or what went wrong while writing.
func answer(w http.ResponseWriter, ok wopi.Response, refusal *wopi.Error, cause error) (int, error) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if refusal != nil {
		return refuse(w, refusal), cause
	}
	if ok.ItemVersion != "" {
		h.Set(wopi.HeaderItemVersion, ok.ItemVersion)
	}
	if ok.Lock != nil {
		h.Set(wopi.HeaderLock, string(*ok.Lock))
	}
	for name, value := range ok.Header {
		h.Set(name, value)
	}
	if ok.Pour != nil {
		return pour(w, ok.Pour)
	}
	if ok.Stream != nil {
		return http.StatusOK, stream(w, ok.Stream)
	}
	return http.StatusOK, writeJSON(w, http.StatusOK, ok.JSON)
}

func refuse(w http.ResponseWriter, e *wopi.Error) int {
	h := w.Header()
	reason := wopi.HeaderText(e.Reason)
	if e.Status == http.StatusConflict {
		lock := wopi.LockID("")
		if e.Lock != nil {
			lock = *e.Lock
		}
		h.Set(wopi.HeaderLock, string(lock))
		h.Set(wopi.HeaderLockFailureReason, or(reason, "conflict"))
	} else if reason != "" {
		h.Set(wopi.HeaderServerError, reason)
	}
	if said := saidHeader(e.Said); said != "" {
		h.Set(wopi.HeaderSaid, said)
	}
	if e.InvalidName != "" {
		h.Set(wopi.HeaderInvalidFileNameError, wopi.HeaderText(e.InvalidName))
	}
	if e.InvalidBox != "" {
		h.Set(wopi.HeaderInvalidContainerName, wopi.HeaderText(e.InvalidBox))
	}
	if e.ValidTarget != "" {
		h.Set(wopi.HeaderValidRelativeTarget, wopi.EncodeUTF7(e.ValidTarget))
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
	}
	_ = writeJSON(w, e.Status, e.JSON) // the status is out; a broken connection has nobody to tell
	return e.Status
}

// saidHeader is a text as it is sent: its key, and its arguments as those of an address are.
func saidHeader(text []any) string {
	if len(text) == 0 {
		return ""
	}
	key, _ := text[0].(string) // words.Say made it one
	args := url.Values{}
	for i := 1; i+1 < len(text); i += 2 {
		args.Set(fmt.Sprint(text[i]), fmt.Sprint(text[i+1]))
	}
	if len(args) == 0 {
		return key
	}
	return key + "?" + args.Encode()
}

func writeJSON(w http.ResponseWriter, status int, body any) error {
	if body == nil {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(status)
		return nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return fmt.Errorf("endpoint: answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("endpoint: answer: %w", err)
	}
	return nil
}

// streamBuffer is how much of a file is read and sent at a time, in bytes.
const streamBuffer = 128 << 10

var streams = sync.Pool{New: func() any { return new([streamBuffer]byte) }}

// stream sends the bytes of a file. They are never a page of ours: whatever they
// are, a browser must not run them (DESIGN 8).
func stream(w http.ResponseWriter, s *wopi.Stream) error {
	defer s.Body.Close()
	h := w.Header()
	FileBytes(h, s.Name)
	if s.Size >= 0 {
		h.Set("Content-Length", strconv.FormatInt(s.Size, 10))
	}
	w.WriteHeader(http.StatusOK)
	buffer := streams.Get().(*[streamBuffer]byte)
	defer streams.Put(buffer)
	// Only Write: what the connection would rather do has a smaller buffer of its own.
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{s.Body}, buffer[:])
	if err != nil {
		return fmt.Errorf("endpoint: answer broke off after %d bytes: %w", n, err)
	}
	return nil
}

// FileBytes sets the headers of every response that carries bytes which a user
// wrote: an attachment, not sniffed, and in a sandbox if shown all the same.
func FileBytes(h http.Header, name string) {
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", attachment(name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "no-store")
}

// attachment is RFC 6266's header value, with the name in RFC 8187's form.
func attachment(name string) string {
	if name == "" {
		return "attachment"
	}
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', strings.IndexByte("!#$&+-.^_`|~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return "attachment; filename*=UTF-8''" + b.String()
}
