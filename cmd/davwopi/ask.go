package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"text/tabwriter"

	"davwopi/config"
)

// The commands that talk to the running daemon.

func invite(ctx context.Context, k *call) error {
	var in inviteArguments
	k.flags.StringVar(&in.Name, "name", "", "`NAME` that others see; the same name is the same person")
	k.flags.BoolVar(&in.Owner, "owner", false, "for yourself, as the link that serve prints")
	if _, err := k.parse(0, 0); err != nil {
		return err
	}
	if in.Owner && in.Name != "" {
		return fmt.Errorf("%w: -owner is yourself, -name somebody else", errUsage)
	}
	var out inviteResult
	if err := k.ask(ctx, "invite", in, &out); err != nil {
		return err
	}
	fmt.Fprintln(k.stdout, out.Link)
	return nil
}

func open(ctx context.Context, k *call) error {
	var in openArguments
	asJSON := k.flags.Bool("json", false, "print JSON")
	k.flags.StringVar(&in.User, "user", "", "`NAME` of the person who opens it; default: the owner")
	k.flags.StringVar(&in.Mode, "mode", "edit", "edit or view")
	k.flags.StringVar(&in.Editor, "editor", "", "`NAME` or URL of the editor; default: the first that can")
	k.flags.StringVar(&in.Upstream, "upstream", "", "`NAME` of the upstream; default: the first")
	rest, err := k.parse(1, 1)
	if err != nil {
		return err
	}
	in.Path = rest[0]
	var out json.RawMessage
	if err := k.ask(ctx, "open", in, &out); err != nil {
		return err
	}
	if *asJSON {
		return k.printJSON(out)
	}
	var shown struct {
		HostURL string `json:"host_url"`
	}
	if err := json.Unmarshal(out, &shown); err != nil {
		return err
	}
	fmt.Fprintln(k.stdout, shown.HostURL)
	return nil
}

func lockCommand(ctx context.Context, k *call) error {
	rest, err := k.parse(1, 2)
	if err != nil {
		return err
	}
	switch {
	case rest[0] == "list" && len(rest) == 1:
		var out []lockResult
		if err := k.ask(ctx, "locks", struct{}{}, &out); err != nil {
			return err
		}
		w := tabwriter.NewWriter(k.stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tPATH\tWHO\tSTATE\tEXPIRES")
		for _, l := range out {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.File, l.Path, l.Who, l.State, l.Expires)
		}
		return w.Flush()
	case rest[0] == "release" && len(rest) == 2:
		return k.ask(ctx, "release", releaseArguments{File: rest[1]}, new(struct{}))
	}
	return fmt.Errorf("%w: list or release ID", errUsage)
}

func appPassword(ctx context.Context, k *call) error {
	var in appPasswordArguments
	k.flags.StringVar(&in.Name, "name", "", "`NAME` by which you know it")
	k.flags.StringVar(&in.User, "user", "", "sign-in `NAME` of whoever it is for, who is signed in; default: the owner")
	rest, err := k.parse(0, 2)
	if err != nil {
		return err
	}
	switch {
	case len(rest) == 0:
		var out appPasswordResult
		if err := k.ask(ctx, "app-password", in, &out); err != nil {
			return err
		}
		fmt.Fprintf(k.stdout, "address   %s\nuser      %s\npassword  %s\n(it is not shown again)\n", out.URL, out.User, out.Password)
		return nil
	case rest[0] == "list" && len(rest) == 1:
		var out json.RawMessage
		if err := k.ask(ctx, "app-passwords", in, &out); err != nil {
			return err
		}
		return k.printJSON(out)
	case rest[0] == "revoke" && len(rest) == 2:
		return k.ask(ctx, "revoke-app-password", revokeArguments{rest[1], in.User}, new(struct{}))
	}
	return fmt.Errorf("%w: list or revoke ID", errUsage)
}

func configCommand(_ context.Context, k *call) error {
	rest, err := k.parse(1, 1)
	if err != nil {
		return err
	}
	if rest[0] != "check" {
		return fmt.Errorf("%w: only config check", errUsage)
	}
	c, err := k.load()
	if err != nil {
		return err
	}
	if err := checkFiles(c); err != nil {
		return err
	}
	if k.configFile == "" {
		fmt.Fprintln(k.stdout, "the configuration is good: no file, only variables and defaults")
		return nil
	}
	fmt.Fprintf(k.stdout, "the configuration is good: %s\n", k.configFile)
	return nil
}

// checkFiles reads what the configuration only names.
func checkFiles(c *config.Config) error {
	var faults config.Faults
	note := func(path string, err error) {
		if err != nil {
			faults = append(faults, config.Fault{Path: path, Message: err.Error()})
		}
	}
	for i := range c.Upstreams {
		_, err := newUpstream(&c.Upstreams[i])
		note(fmt.Sprintf("upstreams[%d]", i), err)
	}
	_, err := databaseOf(c)
	note("state.url_file", err)
	_, err = apiKeys(c)
	note("api_keys", err)
	note("sharing.anonymous", checkGuests(c))
	if c.TLS.CertFile != "" {
		_, err := newCertificate(c.TLS.CertFile, c.TLS.KeyFile)
		note("tls", err)
	}
	if c.TLS.ACME.Enabled {
		_, err := newCertificates(c)
		note("tls.acme", err)
	}
	var folders config.Faults
	if err := checkFolders(c); errors.As(err, &folders) {
		faults = append(faults, folders...)
	} else {
		note("dir", err)
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

func version(_ context.Context, k *call) error {
	if _, err := k.parse(0, 0); err != nil {
		return err
	}
	fmt.Fprintln(k.stdout, "davwopi", buildVersion())
	return nil
}

// buildVersion is the module's version or the commit it was built from.
func buildVersion() string {
	if released != "" {
		return released
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if revision == "" {
		return info.Main.Version
	}
	return info.Main.Version + " " + revision + dirty
}

// released is the tag of a release, which the linker puts in.
var released string
