package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"davwopi/bridge"
	"davwopi/bridge/web"
)

// What Microsoft asks of a host before its apps for phones are let in, and a rehearsal of what its testers do.

type onboardingArguments struct{ Name, User string }

// A sheetRow is one line of Microsoft's form.
type sheetRow struct {
	Property string   `json:"property"`
	Values   []string `json:"values"`
	Fault    string   `json:"fault,omitempty"` // why Microsoft would not take that
}

// A trial is something of a check that was tried.
type trial struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"` // "ok", "wrong" or "not tried"
	Words   string `json:"words"`
}

// The outcomes of a trial.
const (
	trialOK    = "ok"
	trialWrong = "wrong"
	notTried   = "not tried"
)

// A manualCheck is one of the ten that Microsoft wants done by hand.
type manualCheck struct {
	Number int     `json:"number"`
	Title  string  `json:"title"`
	Shows  string  `json:"shows"`   // what people see of davwopi in it
	ByHand string  `json:"by_hand"` // what only a person with a phone can see
	Tried  []trial `json:"tried"`
}

type onboardingResult struct {
	Sheet  []sheetRow    `json:"sheet"`
	Checks []manualCheck `json:"checks"`
	Alone  bool          `json:"alone"` // no daemon ran, so that nothing was tried
}

var errPhonesOff = errors.New("oauth.mode is off: configure oauth.clients first, with the secret that you are going to give to Microsoft")

// onboarding is the daemon's side: the sheet of the running configuration, and the trials, which go over the public
// address as a phone would.
func (h *house) onboarding(ctx context.Context, in onboardingArguments) (onboardingResult, error) {
	if h.config.OAuth.Mode == "off" {
		return onboardingResult{}, errPhonesOff
	}
	tried := h.tryPhone(ctx, in.User)
	return onboardingResult{Sheet: sheetOf(h.config, in.Name), Checks: tenChecks(h.config, tried)}, nil
}

// onboardingCommand is davwopi onboarding.
func onboardingCommand(ctx context.Context, k *call) error {
	var in onboardingArguments
	asJSON := k.flags.Bool("json", false, "print JSON")
	dir := k.flags.String("out", "onboarding", "`DIR` for the icons and both sheets")
	k.flags.StringVar(&in.Name, "name", "", "`NAME` that people see among the places of Office; default: the host of public_url")
	k.flags.StringVar(&in.User, "user", "", "`NAME` of somebody who is signed in: the way of a phone is tried as them; default: the owner")
	if _, err := k.parse(0, 0); err != nil {
		return err
	}
	var out onboardingResult
	err := k.ask(ctx, "onboarding", in, &out)
	if errors.Is(err, bridge.ErrNoDaemon) {
		out, err = k.onboardAlone(in)
	}
	if err != nil {
		return err
	}
	if err := writeOnboarding(*dir, out); err != nil {
		return err
	}
	if *asJSON {
		err = k.printJSON(out)
	} else {
		err = out.print(k.stdout)
		fmt.Fprintf(k.stdout, "\nThese sheets and the icons are in %s.\n", *dir)
	}
	if err != nil {
		return err
	}
	if n := out.faults(); n > 0 {
		return fmt.Errorf("wrong or missing: %d", n)
	}
	return nil
}

// onboardAlone makes the sheets without a daemon, with which nothing can be tried.
func (k *call) onboardAlone(in onboardingArguments) (onboardingResult, error) {
	c, err := k.load()
	if err != nil {
		return onboardingResult{}, err
	}
	c.Listening(c.Listen)
	if c.OAuth.Mode == "off" {
		return onboardingResult{}, errPhonesOff
	}
	return onboardingResult{Sheet: sheetOf(c, in.Name), Checks: tenChecks(c, nil), Alone: true}, nil
}

// writeOnboarding writes the icons, and both sheets as text.
func writeOnboarding(dir string, out onboardingResult) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, px := range web.LogoSizes {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("icon-%d.png", px)), web.Logo(px), 0o644); err != nil {
			return err
		}
	}
	for name, write := range map[string]func(io.Writer) error{"onboarding.txt": out.printSheet, "manual-validation.txt": out.printChecks} {
		var text strings.Builder
		if err := write(&text); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// faults is how much is wrong or missing.
func (r onboardingResult) faults() (n int) {
	for _, row := range r.Sheet {
		if row.Fault != "" {
			n++
		}
	}
	seen := map[string]bool{}
	for _, c := range r.Checks {
		for _, t := range c.Tried {
			if t.Outcome == trialWrong && !seen[t.Name] {
				seen[t.Name] = true
				n++
			}
		}
	}
	return n
}

func (r onboardingResult) print(w io.Writer) error {
	fmt.Fprintln(w, "What Microsoft asks for")
	fmt.Fprintln(w)
	if err := r.printSheet(w); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nManual validation")
	fmt.Fprintln(w)
	return r.printChecks(w)
}

func (r onboardingResult) printSheet(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range r.Sheet {
		name := row.Property
		for _, v := range row.Values {
			fmt.Fprintf(t, "%s\t%s\n", name, v)
			name = ""
		}
		if row.Fault != "" {
			fmt.Fprintf(t, "%s\t!! %s\n", name, row.Fault)
		}
	}
	return t.Flush()
}

func (r onboardingResult) printChecks(w io.Writer) error {
	if r.Alone {
		fmt.Fprint(w, "davwopi does not run on this state directory, so nothing was tried.\n\n")
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(t, "%2d  %s\n    here:\t%s\n", c.Number, c.Title, c.Shows)
		for _, tried := range c.Tried {
			fmt.Fprintf(t, "    %s:\t%s: %s\n", tried.Outcome, tried.Name, tried.Words)
		}
		fmt.Fprintf(t, "    by hand:\t%s\n    result:\t[ ] passed   app and version:\n\n", c.ByHand)
	}
	return t.Flush()
}
