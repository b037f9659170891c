package endpoint

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
)

// pourBuffer is how much of a poured answer is held before its status is sent, in
// bytes: what fails until then is refused properly.
const pourBuffer = 32 << 10

// pour sends a JSON answer that is made while it is sent. An error after the status
// wraps errBroken.
func pour(w http.ResponseWriter, from wopi.Pour) (int, error) {
	late := &lateWriter{to: w}
	buffer := bufio.NewWriterSize(late, pourBuffer)
	err := from(buffer)
	if err == nil {
		late.whole = buffer.Buffered()
		err = buffer.Flush()
	}
	switch {
	case err == nil:
		return http.StatusOK, nil
	case late.begun:
		return http.StatusOK, fmt.Errorf("%w: %w", errBroken, err)
	}
	if errors.Is(err, dav.ErrIncomplete) {
		err = fmt.Errorf("%w: %w", errHalfAnswer, err) // there is no body that the editor could have cut short
	}
	return refuse(w, Refusal(err)), err
}

// A lateWriter sends the status with the first bytes.
type lateWriter struct {
	to    http.ResponseWriter
	begun bool
	whole int // what is left to be sent, once it is known
}

// Write sends.
func (l *lateWriter) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		h := l.to.Header()
		h.Set("Content-Type", "application/json; charset=utf-8")
		if l.whole > 0 {
			h.Set("Content-Length", strconv.Itoa(l.whole))
		}
		l.to.WriteHeader(http.StatusOK)
	}
	return l.to.Write(p)
}
