package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/doctor"
	"davwopi/bridge/web"
	"davwopi/bridge/words"
	"davwopi/config"
	"davwopi/davbackend"
	"davwopi/davbackend/profile"
	"davwopi/oauth"
)

// measuring bounds what davwopi doctor -probe waits for.
const measuring = 4 * time.Minute

// newDoctor is a doctor that knows what the configuration says.
func newDoctor(c *config.Config) *doctor.Doctor {
	d := &doctor.Doctor{
		Public: c.PublicURL.URL, WOPI: c.WOPIURL.URL, Listen: reached(c), State: c.State.Dir, Version: buildVersion(),
		Habits: doctor.Habits{Announce: *c.Locks.AnnounceLocks, Respect: c.Locks.RespectLockFiles},
	}
	if c.Embedded() {
		d.Folder, _ = filepath.Abs(c.Dir) // without a working directory the name must do
	}
	if c.SignIn.Kind == "oidc" {
		d.SignIn = providerToCheck(c)
	}
	for _, n := range c.TrustedProxies {
		d.TrustedProxies = append(d.TrustedProxies, n.Prefix)
	}
	d.Editors = configured(c)
	return d
}

// reached is where a reverse proxy on this machine finds us.
func reached(c *config.Config) string {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port == "0" {
		return c.PublicURL.Host
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// openDoctor makes the doctor of the running daemon.
func (h *house) openDoctor() {
	h.doctor = newDoctor(h.config)
	h.doctor.Running, h.doctor.Upstreams, h.doctor.Facts = true, h.upstreams.List, h.facts
	h.doctor.Signed = func() (urls []string) {
		for _, s := range h.editors.Status() {
			if s.Signs {
				urls = append(urls, s.Editor.URL)
			}
		}
		return urls
	}
	h.doctor.Rehearsed = func(ctx context.Context, upstream string) (time.Time, int, error) {
		report, _, err := h.rehearsal.Last(ctx, upstream)
		wrong := 0
		for _, r := range report.Results {
			if !r.Outcome.Good() {
				wrong++
			}
		}
		return report.At, wrong, err
	}
}

type doctorArguments struct {
	Probe    bool
	User     string
	Language string // of the texts, as a tag; "" English
}

// examine is the daemon's side of davwopi doctor.
func (h *house) examine(ctx context.Context, in doctorArguments) (doctor.Report, error) {
	var failed []doctor.Finding
	if in.Probe {
		failed = h.measureAll(ctx, in.User)
	}
	report, err := h.doctor.Examine(ctx)
	return report.With(failed...).In(named(in.Language)), err
}

// named is the language with that tag, English if there is none.
func named(tag string) *words.Language {
	if l, ok := words.Named(tag); ok {
		return l
	}
	return words.Choose()
}

// measureAll measures every upstream that is not our own, and reports what failed.
func (h *house) measureAll(ctx context.Context, user string) (failed []doctor.Finding) {
	ctx, cancel := context.WithTimeout(ctx, measuring)
	defer cancel()
	for _, up := range h.upstreams.List {
		if h.embedded(up) {
			continue
		}
		if _, err := h.measure(ctx, up.Name, h.person(user)); err != nil {
			failed = append(failed, doctor.Unmeasured(up.Name, up.DisplayName, err))
		}
	}
	return failed
}

// isAdmin tells who may see what the doctor finds: the names in admins, as this
// house's own sign-in knows them, and whoever runs it.
func (h *house) isAdmin(p oauth.Principal) bool {
	if h.config.SignIn.Kind == "link" {
		return p.Key() == owner().Key() || p.Issuer == "link" && slices.ContainsFunc(h.config.Admins, func(name string) bool {
			return p.Subject == "guest:"+strings.ToLower(name)
		})
	}
	named := slices.ContainsFunc(h.config.Admins, func(name string) bool {
		if group, ok := strings.CutPrefix(name, "group:"); ok {
			return slices.Contains(p.Groups, group)
		}
		return name == p.Subject || name == p.Login
	})
	return p.Issuer == h.issuer() && named
}

// issuer is that of the people whom this house signs in itself.
func (h *house) issuer() string {
	switch c := h.config.SignIn; c.Kind {
	case "oidc":
		return c.OIDC.Issuer.String()
	case "proxy":
		return web.IssuerProxy
	default:
		return "upstream:" + c.Upstream
	}
}

// checkup is the doctor's report for the page.
func (h *house) checkup(ctx context.Context) (web.Checkup, error) {
	report, err := h.doctor.Examine(ctx)
	if err != nil {
		return web.Checkup{}, err
	}
	out := web.Checkup{At: report.At, Version: report.Version}
	for _, f := range report.Findings {
		item := web.Ailment{Severity: string(f.Severity), About: h.known(f.About), Text: f.Said}
		for _, p := range f.Paste {
			item.Paste = append(item.Paste, web.Paste{Where: p.Said, Text: p.Text})
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// known is the name that people know an upstream by; others stay what they are.
func (h *house) known(about string) string {
	if up, err := h.upstreams.Get(about); err == nil {
		return up.DisplayName
	}
	return about
}

// doctorCommand asks the daemon, or looks itself at what can be seen without one.
func doctorCommand(ctx context.Context, k *call) error {
	var in doctorArguments
	asJSON := k.flags.Bool("json", false, "print JSON")
	k.flags.BoolVar(&in.Probe, "probe", false, "measure the WebDAV servers anew first; it takes a minute")
	k.flags.StringVar(&in.User, "user", "", "with -probe: `NAME` of the person whose account is used, where everybody has the own")
	if _, err := k.parse(0, 0); err != nil {
		return err
	}
	l := words.Choose()
	if !*asJSON {
		l = words.Terminal(k.environ)
	}
	in.Language = l.Tag()
	var report doctor.Report
	err := k.ask(ctx, "doctor", in, &report)
	if errors.Is(err, bridge.ErrNoDaemon) {
		report, err = k.examineAlone(ctx)
		report = report.In(l)
	}
	if err != nil {
		return err
	}
	if *asJSON {
		err = k.printJSON(report)
	} else {
		err = k.printFindings(report, l)
	}
	if err != nil {
		return err
	}
	if n := report.Count(doctor.Error); n > 0 {
		return errors.New(l.Say("terminal.errors", "n", n, "all", len(report.Findings)))
	}
	return nil
}

// examineAlone looks without a daemon. The database stays closed: opening it could
// leave files that the daemon's user may not write.
func (k *call) examineAlone(ctx context.Context) (doctor.Report, error) {
	c, err := k.load()
	if err != nil {
		return doctor.Report{}, err
	}
	c.Listening(c.Listen)
	d := newDoctor(c)
	if servers, err := docServers(c); err == nil && len(servers) > 0 {
		d.Docs = func(ctx context.Context, editor string) doctor.DocsProbe { return askDocs(ctx, servers[editor]) }
	}
	if c.Embedded() { // of which everything is known
		d.Facts = func(context.Context, string) (profile.Facts, bool, error) { return profile.Embedded(), true, nil }
	}
	for i := range c.Upstreams {
		up, err := newUpstream(&c.Upstreams[i])
		if err != nil {
			return doctor.Report{}, err
		}
		if up.Client == nil { // the embedded server, of which only the folder is looked at
			up.Client = &davbackend.Client{Base: &url.URL{Scheme: "http", Host: "embedded.invalid", Path: "/"}, Assumed: davbackend.Embedded}
		}
		d.Upstreams = append(d.Upstreams, up)
	}
	return d.Examine(ctx)
}

// printFindings shows a report on a terminal, in the language that it is in.
func (k *call) printFindings(report doctor.Report, l *words.Language) error {
	w := tabwriter.NewWriter(k.stdout, 8, 8, 1, ' ', 0)
	for _, f := range report.Findings {
		about := ""
		if f.About != "" && !strings.Contains(f.Text, f.About) {
			about = f.About + ": "
		}
		fmt.Fprintf(w, "%s\t%s%s\n", l.Say("terminal."+string(f.Severity)), about, f.Text)
		for _, p := range f.Paste {
			fmt.Fprintf(w, "\t  %s:\n", p.Where)
			for line := range strings.Lines(p.Text) {
				fmt.Fprintf(w, "\t      %s\n", strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    "))
			}
		}
	}
	return w.Flush()
}
