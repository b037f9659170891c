package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/endpoint"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

const (
	watchFolders = 2000             // that are watched on one disk at most
	watchRefresh = 10 * time.Second // between two looks at which those are
	watchFew     = 50               // folders that are looked at because they were not watched before; more are left to the walk
	watchHurry   = 10               // times as many requests a second as a walk, for what has just happened
)

// A hint is what a watch has heard.
type hint struct {
	folders []dav.Path
	all     bool
}

// diskOf is where the folder of a walker's upstream is on this host, "" nowhere.
func (h *house) diskOf(w *walker) string {
	switch {
	case !h.config.Walk.Watch:
		return ""
	case h.embedded(w.up):
		return h.config.Dir
	case w.up.Client.Local != nil:
		return w.up.Client.Local.Path()
	}
	return ""
}

// keepWatch looks at once where the system says that names come and go, until ctx ends.
// Without it, or where it is deaf, there is still the walk.
func (h *house) keepWatch(ctx context.Context, w *walker) {
	watch, err := davbackend.WatchLocal(h.diskOf(w), func(name string) bool {
		return endpoint.IsReserved(name) || strings.HasPrefix(name, ".~lock.")
	})
	if err != nil {
		h.tell(ctx, "the folder cannot be watched; walks look there now and then", w.up.Name, err)
		return
	}
	defer watch.Close()
	hints := make(chan hint)
	go watch.Run(ctx, func(folders []dav.Path, all bool) {
		select {
		case hints <- hint{folders, all}:
		case <-ctx.Done():
		}
	})
	tick := time.NewTicker(watchRefresh)
	defer tick.Stop()
	limited := false
	for {
		folders, added := h.rewatch(ctx, w, watch, &limited)
		if len(added) > 0 && len(added) <= watchFew {
			h.lookAt(ctx, w, added)
			continue // it may have shown that they are elsewhere
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case heard := <-hints:
			if heard.all {
				heard.folders = folders
			}
			h.lookAt(ctx, w, heard.folders)
		}
	}
}

func (h *house) lookAt(ctx context.Context, w *walker, folders []dav.Path) {
	done, err := w.look.Look(ctx, folders)
	h.tell(ctx, "what others have renamed could not be looked at; the next walk does it", w.up.Name, err)
	h.log.Debug().Str("upstream", w.up.Name).Int("folders", len(folders)).Int("requests", done.Requests).Msg("looked where names came or went")
}

// rewatch watches the folders of open documents, and those that people use.
func (h *house) rewatch(ctx context.Context, w *walker, watch *davbackend.LocalWatch, limited *bool) (folders, added []dav.Path) {
	open, err := h.locks.List(ctx)
	if err == nil {
		var files []idmap.FileID
		for _, o := range open {
			files = append(files, o.File)
		}
		folders, err = w.walk.WorthWatching(ctx, files, watchFolders)
	}
	if err == nil {
		added, err = watch.Folders(folders)
	}
	switch {
	case err == nil:
		*limited = false
	case !errors.Is(err, davbackend.ErrWatchLimit):
		h.tell(ctx, "the folders to watch are not known; it is tried again", w.up.Name, err)
	case !*limited:
		*limited = true
		h.log.Warn().Str("upstream", w.up.Name).Str("cause", bridge.Cause(err)).
			Msg("the system watches no more folders (fs.inotify.max_user_watches); walks look into the others now and then")
	}
	return folders, added
}
