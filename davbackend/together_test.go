package davbackend_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// TestServersOneRefusedCredential: whoever comes with a wrong password is told so; the
// others, on the same client at the same time, notice nothing.
func TestServersOneRefusedCredential(t *testing.T) {
	each(t, func(t *testing.T, s *upstream.Server, v *davbackend.View) {
		if s.User == "" {
			return // nobody is asked
		}
		wrong := v.Client().As(davbackend.Credential{Kind: "password", User: s.User, Secret: "no longer"})
		stranger := v.Client().As(davbackend.Credential{Kind: "password", User: "nobody", Secret: s.Password})
		put(t, v, "/a.txt", "hello")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for _, refused := range []*davbackend.View{wrong, stranger} {
					if _, err := refused.Stat(t.Context(), "/a.txt"); !errors.Is(err, dav.ErrUnauthorized) {
						t.Errorf("a wrong credential: %v", err)
					}
				}
			})
			all.Go(func() {
				p := dav.Path(fmt.Sprintf("/%d.txt", i))
				put(t, v, p, "contents")
				if _, err := v.Stat(t.Context(), p); err != nil {
					t.Errorf("the right credential: %v", err)
				}
			})
		}
		all.Wait()
		ctx, trips := davbackend.CountTrips(t.Context())
		if _, err := v.Stat(ctx, "/a.txt"); err != nil || trips() != 1 {
			t.Errorf("afterwards: %v after %d trips", err, trips())
		}
	})
}
