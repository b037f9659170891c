package main

import (
	"context"
	"errors"
	"fmt"

	"davwopi/bridge/rehearse"
	"davwopi/bridge/words"
)

type rehearseArguments struct {
	Upstream, User string
	Language       string // of the texts, as a tag; "" English
}

// rehearse is the daemon's side.
func (h *house) rehearse(ctx context.Context, in rehearseArguments) (rehearse.Report, error) {
	if in.Upstream == "" {
		in.Upstream = h.upstreams.List[0].Name
	}
	up, err := h.upstreams.Get(in.Upstream)
	if err != nil {
		return rehearse.Report{}, err
	}
	if up.Service == nil && in.User == "" {
		return rehearse.Report{}, errors.New("everybody comes with their own password here; say with whose: -user NAME (who must have signed in)")
	}
	report, err := h.rehearsal.Play(ctx, in.Upstream, h.person(in.User))
	return report.In(named(in.Language)), err
}

func rehearseCommand(ctx context.Context, k *call) error {
	var in rehearseArguments
	asJSON := k.flags.Bool("json", false, "print JSON")
	k.flags.StringVar(&in.Upstream, "upstream", "", "`NAME` of the upstream; default: the first")
	k.flags.StringVar(&in.User, "user", "", "`NAME` of the person whose account is used, where everybody has the own")
	if _, err := k.parse(0, 0); err != nil {
		return err
	}
	l := words.Terminal(k.environ)
	if !*asJSON {
		in.Language = l.Tag()
	}
	var out rehearse.Report
	if err := k.ask(ctx, "rehearse", in, &out); err != nil {
		return err
	}
	if *asJSON {
		return k.printJSON(out)
	}
	for _, r := range out.Results {
		mark := "ok"
		if !r.Outcome.Good() {
			mark = "!!"
		}
		fmt.Fprintf(k.stdout, "%s  %s: %s\n      %s\n", mark, r.Scene, l.Say("outcome."+string(r.Outcome)), r.Words)
	}
	return nil
}
