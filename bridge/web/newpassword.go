package web

import (
	"context"
	"errors"

	"davwopi/bridge/access"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/oauth"
)

// endOld signs a person out everywhere, before they come in with a new password, if the one before is no longer good:
// their lost phone would come to life again with the new one, which it has never seen. Two passwords may be good at
// once, such as Nextcloud's for apps; then nothing ends.
func (s *site) endOld(ctx context.Context, p oauth.Principal, up *access.Upstream, password string) error {
	old, err := s.Upstreams.Credentials.Get(ctx, p.Key(), up.Name)
	switch {
	case errors.Is(err, oauth.ErrNoCredential), errors.Is(err, oauth.ErrUnsealed):
		return nil
	case err != nil:
		return err
	case old.Secret == password:
		return nil
	}
	_, err = up.Client.As(davbackend.Credential(old)).Stat(ctx, dav.Root)
	if !errors.Is(err, dav.ErrUnauthorized) && !errors.Is(err, dav.ErrDenied) && !errors.Is(err, dav.ErrUnavailable) {
		return nil // still good; some servers answer a wrong one with 403
	}
	sessions, err := s.Sessions.EndAll(ctx, p.Key())
	if err != nil {
		return err
	}
	members, err := s.Locks.Members(ctx)
	if err != nil {
		return err
	}
	for _, session := range sessions {
		if err := s.Tokens.SignedOut(ctx, session, members); err != nil {
			return err
		}
	}
	if s.Phones == nil {
		return nil
	}
	return s.Phones.RevokeAll(ctx, p.Key())
}
