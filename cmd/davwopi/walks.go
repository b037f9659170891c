package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"davwopi/bridge/access"
	"davwopi/davbackend"
	"davwopi/idmap"
	"davwopi/oauth"
)

const (
	walkTick   = time.Minute      // between two looks whether a round is due
	walkAwake  = 10 * time.Minute // for so long after a request an upstream's disks are taken to spin
	walkRetry  = 5 * time.Minute  // after a round that failed, doubled each time
	walkSearch = 2000             // folders that one round searches for what was lost
)

// A walker walks through one upstream.
type walker struct {
	up    *access.Upstream
	walk  *idmap.Walk
	look  *idmap.Walk   // for what a watch has heard
	retry time.Duration // 0: the last round did not fail
	again time.Time     // not before
	local bool          // the local path agreed when it was last asked
}

// openWalks makes a walk for each upstream that one account shows whole. Where people
// come with accounts of their own, nobody's may be used behind their backs.
func (h *house) openWalks(ctx context.Context) error {
	c := h.config.Walk
	if !c.Enabled {
		return nil
	}
	for _, up := range h.upstreams.List {
		if up.Service == nil || up.PerUser {
			continue
		}
		space, err := h.upstreams.Space(ctx, up.Name, oauth.Principal{})
		if err != nil {
			return err
		}
		limiter := rate.NewLimiter(rate.Limit(c.RequestsPerSecond), 1)
		hurried := rate.NewLimiter(rate.Limit(watchHurry*c.RequestsPerSecond), watchHurry)
		walk, err := idmap.NewWalk(ctx, idmap.Walk{
			Map: h.ids, Space: space, Finder: up.Client.As(*up.Service), Pace: limiter.Wait,
			Every: c.Every, Within: c.Within, Search: walkSearch,
		})
		if err != nil {
			return err
		}
		if !h.db.Shared() {
			if err := walk.Alone(ctx); err != nil {
				return err
			}
		}
		look := *walk
		look.Pace = hurried.Wait
		h.walkers = append(h.walkers, &walker{up: up, walk: walk, look: &look})
	}
	return nil
}

// checkLocalTime is how long a start waits for an upstream whose folder is compared.
const checkLocalTime = 10 * time.Second

// checkLocals refuses local paths that are other folders than their upstreams'. One whose
// upstream cannot be asked now is compared by the first listing.
func (h *house) checkLocals(ctx context.Context) error {
	for _, up := range h.upstreams.List {
		if up.Client.Local == nil || up.Service == nil {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, checkLocalTime)
		err := up.Client.As(*up.Service).CheckLocal(bounded)
		cancel()
		if errors.Is(err, davbackend.ErrOtherFolder) {
			return fmt.Errorf("upstream %s: local_path: %w", up.Name, err)
		}
		h.tell(ctx, "the local path could not be compared with the upstream yet; the first listing does it", up.Name, err)
	}
	return nil
}

// keepWalks walks through all upstreams, side by side, until ctx ends.
func (h *house) keepWalks(ctx context.Context) error {
	var running sync.WaitGroup
	for _, w := range h.walkers {
		if h.diskOf(w) != "" {
			running.Go(func() { h.keepWatch(ctx, w) })
		}
		running.Go(func() {
			tick := time.NewTicker(min(walkTick, max(h.config.Walk.Every/10, time.Millisecond)))
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case now := <-tick.C:
					h.stroll(ctx, w, now)
				}
			}
		})
	}
	running.Wait()
	return nil
}

// stroll makes a round if one is due and wakes nobody.
func (h *house) stroll(ctx context.Context, w *walker, now time.Time) {
	h.watchLocal(w)
	if now.Before(w.again) || !h.config.Walk.AtAnyTime && now.Sub(w.up.Client.Used()) > walkAwake {
		return
	}
	facts, known, err := h.facts(ctx, w.up.Name)
	if err == nil {
		w.walk.Tags = tagsOf(facts.FolderETag, known)
		var done idmap.Walked
		done, err = w.walk.Round(ctx)
		if err == nil {
			h.log.Info().Str("upstream", w.up.Name).Int("requests", done.Requests).Int("listed", done.Listed).
				Int("unchanged", done.Same).Int("searched", done.Searched).Int("lost", done.Lost).Msg("walked")
		}
	}
	if err == nil || errors.Is(err, idmap.ErrEarly) || errors.Is(err, idmap.ErrTaken) {
		w.retry = 0
		return
	}
	if w.retry == 0 {
		h.tell(ctx, "a walk was broken off; it goes on later", w.up.Name, err)
	}
	w.retry = min(max(2*w.retry, walkRetry), max(h.config.Walk.Every, walkRetry))
	w.again = now.Add(w.retry)
}

// watchLocal says when a local path ceases to agree with its upstream, and when it does
// again.
func (h *house) watchLocal(w *walker) {
	l := w.up.Client.Local
	if l == nil || l.Proven() == w.local {
		return
	}
	if w.local = l.Proven(); w.local {
		h.log.Info().Str("upstream", w.up.Name).Msg("the local path agrees with the upstream: files are known by their inodes")
		return
	}
	h.log.Warn().Str("upstream", w.up.Name).Msg("the local path does not agree with the upstream any more; is it mounted? Files are known by other evidence meanwhile")
}

// tagsOf reads what was measured about the ETags of folders.
func tagsOf(measured string, known bool) idmap.FolderTags {
	switch {
	case known && measured == "whole tree":
		return idmap.WholeTree
	case known && measured == "own children":
		return idmap.OwnChildren
	}
	return idmap.NoTags
}
