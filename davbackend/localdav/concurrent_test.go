//go:build linux

package localdav

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// Condition and write are one step: no increment is lost.
func TestCompareAndSwap(t *testing.T) {
	for _, form := range []string{"If-Match: %s", "If: ([%s])"} {
		t.Run(form, func(t *testing.T) {
			h := newHouse(t)
			h.want(201, "PUT", "/n", "0")
			const workers, each = 4, 10
			parallel(workers, func(int) {
				for done := 0; done < each; {
					a, err := h.try(context.Background(), "GET", "/n", "")
					if err != nil || a.status != 200 {
						t.Error(a.status, err)
						return
					}
					n, err := strconv.Atoi(a.body)
					if err != nil {
						t.Error(err)
						return
					}
					a, err = h.try(context.Background(), "PUT", "/n", strconv.Itoa(n+1), fmt.Sprintf(form, a.header.Get("ETag")))
					switch {
					case err == nil && a.status == 204:
						done++
					case err != nil || a.status != 412:
						t.Error(a.status, err)
						return
					}
				}
			})
			if h.read("n") != strconv.Itoa(workers*each) || len(h.names(".")) != 1 {
				t.Error(h.read("n"), h.names("."))
			}
		})
	}
}

// One of many wins.
func TestOneWinner(t *testing.T) {
	h := newHouse(t)
	for round := range 5 {
		for _, c := range []struct {
			method, from, to string
			headers          []string
			win, lose        int
		}{
			{"PUT", "", "/new%d", []string{"If-None-Match: *"}, 201, 412},
			{"MKCOL", "", "/dir%d", nil, 201, 405},
			{"LOCK", "", "/lock%d", []string{"Depth: 0"}, 201, 423},
			{"MOVE", "", "/src%d", []string{"Destination: URL/dst%d"}, 201, 404},
			{"COPY", "", "/one%d", []string{"Destination: URL/two%d", "Overwrite: F"}, 201, 412},
			{"DELETE", "", "/gone%d", nil, 204, 404},
		} {
			path := fmt.Sprintf(c.to, round)
			if c.method == "MOVE" || c.method == "COPY" || c.method == "DELETE" {
				h.want(201, "PUT", path, "x")
			}
			var headers []string
			for _, line := range c.headers {
				headers = append(headers, strings.ReplaceAll(line, "%d", strconv.Itoa(round)))
			}
			body := ""
			if c.method == "LOCK" {
				body = fmt.Sprintf(lockBody, "exclusive", "Ann")
			}
			var won atomic.Int32
			parallel(4, func(int) {
				a, err := h.try(context.Background(), c.method, path, body, headers...)
				switch {
				case err == nil && a.status == c.win:
					won.Add(1)
				case err != nil || a.status != c.lose:
					t.Error(c.method, a.status, err, a.body)
				}
			})
			if won.Load() != 1 {
				t.Error(c.method, won.Load())
			}
		}
	}
	for _, name := range h.names(".") {
		if hiddenName(name) {
			t.Error(name)
		}
	}
}

// Everything at once on a small tree: answers are sane, nothing hidden stays, files are whole.
func TestTumult(t *testing.T) {
	h := newHouse(t)
	texts := map[string]bool{}
	for i := range 4 {
		texts[content(i)] = true
	}
	parallel(6, func(i int) {
		for n := range 25 {
			a, b := fmt.Sprintf("/d%d", (i+n)%2), fmt.Sprintf("/d%d", (i+n+1)%2)
			var got answered
			var err error
			ctx := context.Background()
			switch (i + n) % 8 {
			case 0, 1:
				got, err = h.try(ctx, "PUT", a+"/f", content(n%4))
			case 2:
				got, err = h.try(ctx, "MKCOL", a, "")
			case 3:
				got, err = h.try(ctx, "MOVE", a, "", "Destination: URL"+b)
			case 4:
				got, err = h.try(ctx, "COPY", a, "", "Destination: URL"+b)
			case 5:
				got, err = h.try(ctx, "DELETE", a, "")
			case 6:
				got, err = h.try(ctx, "PROPFIND", a, "", "Depth: 1")
			case 7:
				if got, err = h.try(ctx, "GET", a+"/f", ""); err == nil && got.status == 200 && !texts[got.body] {
					t.Errorf("half a file: %q", got.body)
				}
			}
			if err != nil || got.status >= 500 || got.status == 403 || got.status == 400 {
				t.Error((i+n)%8, got.status, err, got.body)
			}
		}
	})
	for _, dir := range append(h.names("."), ".") {
		for _, name := range h.names(dir) {
			if hiddenName(name) {
				t.Error(dir, name)
			}
		}
	}
}
