package oauth

import "time"

// Tries bounds how often a password that people chose can be guessed, per name and per peer, in this process;
// replicas count each for itself. Safe for concurrent use.
type Tries struct {
	names, peers *limiter
}

// NewTries allows each name burst attempts at once and one more per interval; and each peer 30 at once and one
// every five seconds, whatever the names.
func NewTries(burst int, every time.Duration) *Tries {
	return &Tries{names: newLimiter(every, burst, maxKeys), peers: newLimiter(peerEvery, peerBurst, maxKeys)}
}

// Peer uses up one attempt of peer alone, the address of a browser with or without a port. The error is a
// [*TooManyError] if there is none.
func (t *Tries) Peer(peer string, at time.Time) error {
	if wait := t.peers.take(peerKey(peer), at); wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// TakePeer is [Tries.Peer] with a way back: right gives the attempt back, for a guess that was right. It is for secrets that no
// number of peers can guess, and with which a stranger must not keep out whoever has them.
func (t *Tries) TakePeer(peer string, at time.Time) (right func(), err error) {
	wait, back := t.peers.reserve(peerKey(peer), at)
	if wait > 0 {
		return nil, tooMany(wait)
	}
	return back, nil
}

// Take is [Tries.Peer], and then uses up one attempt at name. right gives both back, for a guess that was right: people
// who know the password do not keep each other out. An attempt from a peer over its limit does not count
// against the name.
func (t *Tries) Take(name, peer string, at time.Time) (right func(), err error) {
	wait, peerBack := t.peers.reserve(peerKey(peer), at)
	if wait > 0 {
		return nil, tooMany(wait)
	}
	wait, nameBack := t.names.reserve(name, at)
	if wait > 0 {
		return nil, tooMany(wait)
	}
	return func() {
		peerBack()
		nameBack()
	}, nil
}
