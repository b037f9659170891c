// Command zitadel is an OpenID Connect provider for tests: the library zitadel/oidc with the users of its example
// (test-user and test-user2, password verysecure). It listens on a free port of loopback and prints its issuer in
// the first line.
//
// It is a module of its own, because a release needs nothing of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// An ownClients storage changes what the example's clients are like.
type ownClients struct {
	*storage.Storage
	gone   string
	signed bool
}

type ownClient struct {
	op.Client
	of ownClients
}

// AccessTokenType gives out signed access tokens, or opaque ones.
func (c ownClient) AccessTokenType() op.AccessTokenType {
	if c.of.signed {
		return op.AccessTokenTypeJWT
	}
	return op.AccessTokenTypeBearer
}

// PostLogoutRedirectURIs is where people may be sent after sign-out.
func (c ownClient) PostLogoutRedirectURIs() []string { return []string{c.of.gone} }

// GetClientByClientID implements op.Storage.
func (s ownClients) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return ownClient{c, s}, nil
}

func main() {
	redirect := flag.String("redirect", "", "redirect URI of the client davwopi, secret s3cret")
	office := flag.String("office", "", "redirect URI of the client office, secret 0ffice")
	gone := flag.String("gone", "", "where it sends people after sign-out")
	signed := flag.Bool("jwt", false, "give out signed access tokens")
	flag.Parse()
	if err := run(*redirect, *office, *gone, *signed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(redirect, office, gone string, signed bool) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := "http://" + l.Addr().String()
	storage.RegisterClients(storage.WebClient("davwopi", "s3cret", redirect), storage.WebClient("office", "0ffice", office))
	store := ownClients{storage.NewStorage(storage.NewUserStore(issuer + "/")), gone, signed}
	handler := exampleop.SetupServer(issuer, store, slog.New(slog.NewTextHandler(os.Stderr, nil)), false)
	fmt.Println(issuer)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(l)
}
