package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// An Upstream is one configured WebDAV server and how people reach it.
type Upstream struct {
	Name        string // row key, "main" for the single one
	DisplayName string
	Client      *davbackend.Client
	Service     *davbackend.Credential // mode service: everybody comes as this account; nil: the principal's own, sealed
	Bearer      bool                   // mode bearer: the principal's own is a token of the sign-in provider, not a password
	PerUser     bool                   // roots: per_user: one space per principal
	Templates   dav.Path               // folder whose files can be taken for new ones; "" none
}

// Upstreams says how a principal reaches an upstream. All fields are set before use; safe for concurrent use.
type Upstreams struct {
	List        []*Upstream
	Credentials *oauth.Credentials
	People      *oauth.ProviderTokens // of mode bearer; nil where no upstream has it
	IDs         *idmap.Map
	Sealer      *oauth.Sealer
}

// maxPinned bounds a pinned credential, in bytes.
const maxPinned = 64 << 10

// pinned is what lies in the blob of [Upstreams.Pin].
type pinned struct {
	Service bool   `json:"service,omitempty"`
	Kind    string `json:"k,omitempty"`
	User    string `json:"u,omitempty"`
	Secret  string `json:"s,omitempty"`
	Person  string `json:"p,omitempty"` // mode bearer: whose tokens, by principal key
}

// Get returns the upstream of that name, or [ErrUpstream].
func (u *Upstreams) Get(name string) (*Upstream, error) {
	for _, up := range u.List {
		if up.Name == name {
			return up, nil
		}
	}
	return nil, ErrUpstream
}

// View returns the upstream as p sees it: with the service credential, or with p's own. It returns [ErrUpstream], and
// an error that wraps [ErrNeedsSignIn] if nothing usable is kept for p; nobody else's credential is ever taken instead.
func (u *Upstreams) View(ctx context.Context, name string, p oauth.Principal) (*davbackend.View, error) {
	up, err := u.Get(name)
	if err != nil {
		return nil, err
	}
	if up.Service != nil {
		return up.Client.As(*up.Service), nil
	}
	if up.Bearer {
		return u.bearer(ctx, up, p.Key())
	}
	own, err := u.own(ctx, name, p)
	if err != nil {
		return nil, err
	}
	return up.Client.As(davbackend.Credential(own)), nil
}

// bearer returns the upstream as the token of the person with that key sees it. The token is renewed when it ends, and
// when the upstream refuses it. A provider that cannot be asked is as an upstream that cannot be reached.
func (u *Upstreams) bearer(ctx context.Context, up *Upstream, person string) (*davbackend.View, error) {
	if u.People == nil {
		return nil, fmt.Errorf("%w: there is no sign-in provider any more", ErrNeedsSignIn)
	}
	token, err := u.People.Get(ctx, person, "")
	switch {
	case errors.Is(err, oauth.ErrNoCredential) || errors.Is(err, oauth.ErrUnsealed):
		return nil, fmt.Errorf("%w: %w", ErrNeedsSignIn, err)
	case errors.Is(err, oauth.ErrProvider):
		return nil, fmt.Errorf("access: token for the upstream: %w: %w", dav.ErrUnavailable, err)
	case err != nil:
		return nil, wrap("token", err)
	}
	renew := func(ctx context.Context, refused string) (string, error) { return u.People.Get(ctx, person, refused) }
	return up.Client.As(davbackend.Credential{Kind: oauth.KindBearer, Secret: token}).Renewing(renew), nil
}

// own returns the credential that is kept for p. A row that does not open, as after a change of the secret
// key, is as good as none: the person signs in again.
func (u *Upstreams) own(ctx context.Context, name string, p oauth.Principal) (oauth.Secret, error) {
	own, err := u.Credentials.Get(ctx, p.Key(), name)
	switch {
	case errors.Is(err, oauth.ErrNoCredential) || errors.Is(err, oauth.ErrUnsealed):
		return oauth.Secret{}, fmt.Errorf("%w: %w", ErrNeedsSignIn, err)
	case err != nil:
		return oauth.Secret{}, wrap("credential", err)
	}
	return own, nil
}

// Space returns the space of the upstream for p: the one that all share, or p's own where roots are per user: because
// the configuration says so, or because the upstream turns out to give each account a root of its own, where one
// space would take two people's files for one. The errors are also those of [Upstreams.View] and of the upstream.
func (u *Upstreams) Space(ctx context.Context, name string, p oauth.Principal) (idmap.SpaceID, error) {
	up, err := u.Get(name)
	if err != nil {
		return 0, err
	}
	own := up.PerUser
	if !own && up.Service == nil {
		view, err := u.View(ctx, name, p)
		if err == nil {
			own, err = view.OwnRoot(ctx)
		}
		if err != nil {
			return 0, err
		}
	}
	root := ""
	if own {
		root = p.Key()
	}
	space, err := u.IDs.Space(ctx, name, root)
	if err != nil {
		return 0, wrap("space", err)
	}
	return space, nil
}

// Pin returns a sealed copy of what p would use now, for a row whose work outlives p's sign-out: a shadow lock, a waiting
// save. Whoever keeps it erases it when that work is done. With a service credential the blob only says so, and the
// account in the configuration of that later time is used. Errors are those of [Upstreams.View].
func (u *Upstreams) Pin(ctx context.Context, name string, p oauth.Principal) (sealed []byte, err error) {
	up, err := u.Get(name)
	if err != nil {
		return nil, err
	}
	blob := pinned{Service: up.Service != nil}
	switch {
	case blob.Service:
	case up.Bearer:
		if _, err := u.bearer(ctx, up, p.Key()); errors.Is(err, ErrNeedsSignIn) {
			return nil, err
		}
		blob.Person = p.Key() // tokens end long before a save has waited; what renews them stays
	default:
		own, err := u.own(ctx, name, p)
		if err != nil {
			return nil, err
		}
		blob.Kind, blob.User, blob.Secret = own.Kind, own.User, own.Secret
	}
	plain, err := json.Marshal(blob)
	if err != nil {
		return nil, wrap("pin", err)
	}
	sealed, err = u.Sealer.Seal(pinnedAAD(name), plain)
	if err != nil {
		return nil, wrap("pin", err)
	}
	return sealed, nil
}

// Pinned returns the upstream as the credential of [Upstreams.Pin] sees it. It returns [ErrUpstream], an error that wraps
// [oauth.ErrUnsealed] if the blob is not one of Pin's for this upstream, and one that wraps [ErrNeedsSignIn] if
// it was sealed with another key or stands for a service account that is no longer configured.
func (u *Upstreams) Pinned(ctx context.Context, name string, sealed []byte) (*davbackend.View, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	up, err := u.Get(name)
	if err != nil {
		return nil, err
	}
	if len(sealed) > maxPinned {
		return nil, fmt.Errorf("access: pinned credential: %w", oauth.ErrUnsealed)
	}
	plain, err := u.Sealer.Open(pinnedAAD(name), sealed)
	if err != nil {
		// Another secret key, perhaps: the person can lend the credential anew.
		return nil, fmt.Errorf("access: pinned credential: %w: %w", ErrNeedsSignIn, err)
	}
	var blob pinned
	if err := json.Unmarshal(plain, &blob); err != nil {
		return nil, fmt.Errorf("access: pinned credential: %w", oauth.ErrUnsealed) // the cause would quote it
	}
	switch {
	case blob.Person != "":
		return u.bearer(ctx, up, blob.Person)
	case !blob.Service:
		return up.Client.As(davbackend.Credential{Kind: blob.Kind, User: blob.User, Secret: blob.Secret}), nil
	case up.Service == nil:
		return nil, fmt.Errorf("%w: the service account is gone", ErrNeedsSignIn)
	}
	return up.Client.As(*up.Service), nil
}

func pinnedAAD(upstream string) string { return oauth.RowKey("pinned", upstream) }
