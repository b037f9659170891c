package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"davwopi/bridge"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/web"
	"davwopi/config"
)

// openAudit opens the audit log, if one is configured.
func (h *house) openAudit(standardError io.Writer) (err error) {
	c := h.config.Log
	if c.Audit == "" {
		return nil
	}
	h.audit, err = bridge.OpenAudit(c.Audit, standardError, c.AuditNames, func(err error) {
		h.log.Error().Str("cause", bridge.Cause(err)).Msg("the audit log cannot be written")
	})
	if err == nil {
		h.closers = append(h.closers, h.audit.Close)
	}
	return err
}

// reopen opens the audit log anew at each SIGHUP, until ctx ends. Without an audit log the signal
// ends the daemon, as it does everything that a terminal has started.
func (h *house) reopen(ctx context.Context) error {
	if h.audit == nil {
		return nil
	}
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	defer signal.Stop(hups)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hups:
			if err := h.audit.Reopen(); err != nil {
				h.log.Error().Str("cause", bridge.Cause(err)).Msg("the audit log goes on in the old file")
			}
		}
	}
}

// deed writes what people did in a browser, and programs with API keys.
func (h *house) deed(r *http.Request, d web.Deed) {
	by := "browser"
	if d.API {
		by = "api"
	}
	h.audit.Deed(r.Context(), r.RemoteAddr, bridge.Deed{
		What: d.What, Who: d.Who, Tried: d.Tried, By: by, File: string(d.File), ID: d.ID, Name: d.Name, Err: d.Err,
	})
}

// davDeed writes what programs did at /dav/.
func (h *house) davDeed(r *http.Request, d bridge.Deed) { h.audit.Deed(r.Context(), r.RemoteAddr, d) }

// editorDeed writes what people deleted in an editor.
func (h *house) editorDeed(ctx context.Context, l endpoint.Line) {
	if l.Status == http.StatusOK && (l.Operation == "DeleteFile" || l.Operation == "DeleteContainer") {
		h.audit.Deed(ctx, "", bridge.Deed{What: "delete", UserID: l.UserID, By: "editor", File: string(l.File)})
	}
}

// auditedCommands are those that change what people have, with the word for each.
var auditedCommands = map[string]string{
	"invite": "invite", "open": "open", "release": "release", "revoke-share": "revoke", "signout": "sign_out", "drop": "drop",
	"restore-save": "restore", "undo-save": "undo", "backup": "backup", "app-password": "app_password",
	"revoke-app-password": "app_password_revoked",
}

// audited has those commands written. Whoever gives one is the operator.
func (h *house) audited(commands map[string]bridge.Command) map[string]bridge.Command {
	for name, what := range auditedCommands {
		run, ok := commands[name]
		if !ok {
			continue
		}
		commands[name] = func(ctx context.Context, arguments json.RawMessage) (any, error) {
			out, err := run(ctx, arguments)
			// What a command is about; of each only some are there.
			var about struct{ ID, File, Name, User, Path, What string }
			_ = json.Unmarshal(arguments, &about) // the command has said what is wrong with them
			d := bridge.Deed{What: what, By: "command", Tried: cmp.Or(about.User, about.Name), File: about.File, ID: about.ID, Name: about.Path, Err: err}
			if strings.HasPrefix(about.What, "/") {
				d.Name = about.What
			} else if about.What != "" {
				d.ID = about.What
			}
			h.audit.Deed(ctx, "", d)
			return out, err
		}
	}
	return commands
}

// prefixes are networks as the rooms take them; nil if there are none.
func prefixes(list []config.Network) []netip.Prefix {
	var out []netip.Prefix
	for _, n := range list {
		out = append(out, n.Prefix)
	}
	return out
}
