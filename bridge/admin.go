package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// A Command is what a sub-command asks of the running daemon: a JSON object in, a
// JSON value out, or an io.ReadCloser whose bytes are streamed. An error is shown to
// the operator as it is.
type Command func(ctx context.Context, arguments json.RawMessage) (any, error)

// maxArguments bounds a command's arguments, in bytes.
const maxArguments = 64 << 10

// Admin serves the commands. Whoever reaches it is the operator: it belongs on a
// unix socket with mode 0600.
func (b *Bridge) Admin() http.Handler {
	routes := http.NewServeMux()
	for name, command := range b.Commands {
		routes.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			arguments, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxArguments))
			if err == nil {
				var result any
				if result, err = command(r.Context(), arguments); err == nil {
					writeResult(w, http.StatusOK, result)
					return
				}
			}
			writeResult(w, http.StatusUnprocessableEntity, commandError{err.Error()})
		})
	}
	return b.recover(routes)
}

type commandError struct {
	Error string `json:"error"`
}

func writeResult(w http.ResponseWriter, status int, result any) {
	if stream, ok := result.(io.ReadCloser); ok {
		defer stream.Close()
		w.Header().Set("Content-Type", "application/octet-stream")
		if _, err := io.Copy(prompt{w}, stream); err != nil {
			panic(http.ErrAbortHandler) // the command must see that it is not whole
		}
		return
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // addresses hold &, and scripts read them
	if err := encoder.Encode(result); err != nil {
		status, text = http.StatusInternalServerError, *bytes.NewBufferString(`{"error":"internal error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // a command that hung up has nobody to tell
}

// prompt sends what it is given at once: a command may show how far the daemon is.
type prompt struct{ w http.ResponseWriter }

func (p prompt) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if err == nil {
		err = http.NewResponseController(p.w).Flush()
	}
	return n, err
}

// ErrNoDaemon is returned by [Ask] if no daemon listens on the socket.
var ErrNoDaemon = errors.New("bridge: no daemon runs on this state directory")

// Ask sends a command to the daemon that listens on socket and decodes its result
// into out; an io.Writer gets the bytes of a stream. It returns [ErrNoDaemon] if there is none, or the daemon's own words.
func Ask(ctx context.Context, socket, command string, arguments, out any) error {
	body, err := json.Marshal(arguments)
	if err != nil {
		return fmt.Errorf("bridge: ask: %w", err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://davwopi/"+command, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("bridge: ask: %w", err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("%w (nothing answers on %s): start davwopi serve first", ErrNoDaemon, socket)
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(io.LimitReader(response.Body, 16<<20))
	if response.StatusCode != http.StatusOK {
		var failed commandError
		if err := decoder.Decode(&failed); err != nil || failed.Error == "" {
			return fmt.Errorf("bridge: the daemon does not know the command %s", command)
		}
		return errors.New(failed.Error)
	}
	if w, ok := out.(io.Writer); ok {
		if _, err := io.Copy(w, response.Body); err != nil {
			return fmt.Errorf("bridge: answer of the daemon: %w", err)
		}
		return nil
	}
	if err := decoder.Decode(out); err != nil {
		return fmt.Errorf("bridge: answer of the daemon: %w", err)
	}
	return nil
}
