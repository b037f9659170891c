package conform

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options say what to play against what.
type Options struct {
	WOPISrc  string // of a file called *.wopitest, without a query
	Token    string // its access token
	TTL      int64  // access_token_ttl to send, ms since 1970; 0 is allowed
	Category string // one of Categories; "" is All
	Cases    []byte // a suite; nil: Microsoft's
	Group    string // only that group
	Test     string // only that case

	Current, Old *rsa.PrivateKey // requests are signed if both are there

	HTTP   *http.Client     // nil: one of its own, 60 s a request. Redirects are never followed
	Now    func() time.Time // for proofs; nil: time.Now
	Report func(Outcome)    // called after each case, in order, if not nil
}

// Verdict is what became of a case.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail"
	Skip Verdict = "skip" // a prereq did not hold
)

// An Outcome is the verdict on one case, with the reasons for anything but a pass.
type Outcome struct {
	Group, Name, Category string
	Verdict               Verdict
	Reasons               []string
}

// A Result counts. Cases of groups that wait are not played and count nowhere.
type Result struct {
	Passed, Failed, Skipped int
	Delayed                 []string // names of groups that wait
	Outcomes                []Outcome
}

// String is the line that closes a run.
func (r Result) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", r.Passed, r.Failed, r.Skipped)
}

// A player plays cases against one host.
type player struct {
	options Options
	client  *http.Client
	native  bool // send the user agent of native clients
}

func (p *player) now() time.Time {
	if p.options.Now != nil {
		return p.options.Now()
	}
	return time.Now()
}

// Run plays a suite. An error means that it could not be played: the suite or an
// option is wrong, or ctx ended. That a host fails is in the result.
func Run(ctx context.Context, o Options) (Result, error) {
	var result Result
	if o.Category == "" {
		o.Category = "All"
	}
	if o.Cases == nil {
		o.Cases = MicrosoftCases()
	}
	suite, err := ParseSuite(o.Cases)
	if err != nil {
		return result, err
	}
	if err := o.check(suite); err != nil {
		return result, err
	}
	p := newPlayer(o)
	defer p.client.CloseIdleConnections()
	for _, g := range suite.Groups {
		cases := o.selection(g)
		if len(cases) == 0 {
			continue
		}
		if g.Delays {
			result.Delayed = append(result.Delayed, g.Name)
			continue
		}
		for _, c := range cases {
			outcome := p.judge(ctx, suite, g, c)
			if err := ctx.Err(); err != nil {
				return result, fmt.Errorf("conform: %w", err)
			}
			result.add(outcome)
			if o.Report != nil {
				o.Report(outcome)
			}
		}
	}
	return result, nil
}

func (r *Result) add(o Outcome) {
	r.Outcomes = append(r.Outcomes, o)
	switch o.Verdict {
	case Pass:
		r.Passed++
	case Fail:
		r.Failed++
	case Skip:
		r.Skipped++
	}
}

func (o Options) check(s *Suite) error {
	var wrong []error
	if o.Token == "" || !absolute(o.WOPISrc) || strings.Contains(o.WOPISrc, "?") {
		wrong = append(wrong, errors.New("WOPISrc must be an absolute URL without a query, with an access token"))
	}
	if !slices.Contains(Categories(), o.Category) {
		wrong = append(wrong, fmt.Errorf("category must be one of %s", strings.Join(Categories(), ", ")))
	}
	if (o.Current == nil) != (o.Old == nil) {
		wrong = append(wrong, errors.New("either both keys or none"))
	}
	found := 0
	for _, g := range s.Groups {
		found += len(o.selection(g))
	}
	if found == 0 {
		wrong = append(wrong, errors.New("no case is called so, in that group and category"))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("conform: %w", errors.Join(wrong...))
	}
	return nil
}

// selection returns the cases of a group that are asked for.
func (o Options) selection(g Group) []*testCase {
	if o.Group != "" && o.Group != g.Name {
		return nil
	}
	var cases []*testCase
	for _, c := range g.cases {
		if c.selected(o.Category) && (o.Test == "" || o.Test == c.name) {
			cases = append(cases, c)
		}
	}
	return cases
}

func newPlayer(o Options) *player {
	client := &http.Client{Timeout: time.Minute}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		own := t.Clone()
		own.DisableCompression = true // Content-Length is checked against the bytes
		client.Transport = own
	}
	if o.HTTP != nil {
		copied := *o.HTTP
		client = &copied
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar = nil
	return &player{options: o, client: client}
}

// judge plays the prereqs of the group, every time anew, and then the case.
func (p *player) judge(ctx context.Context, s *Suite, g Group, c *testCase) Outcome {
	o := Outcome{Group: g.Name, Name: c.name, Category: c.category, Verdict: Pass}
	for _, name := range g.prereqs {
		if reasons := p.play(ctx, s.prereqs[name]); len(reasons) > 0 {
			o.Verdict = Skip
			for _, reason := range reasons {
				o.Reasons = append(o.Reasons, name+": "+reason)
			}
			return o
		}
	}
	if o.Reasons = p.play(ctx, c); len(o.Reasons) > 0 {
		o.Verdict = Fail
		if c.failMessage != "" {
			o.Reasons = append(o.Reasons, c.failMessage)
		}
	}
	return o
}

// play sends the requests of a case until one is answered wrongly, and cleans up.
// It returns why the case does not hold.
func (p *player) play(ctx context.Context, c *testCase) (reasons []string) {
	p.native = p.options.Category == "OfficeNativeClient" || c.category == "OfficeNativeClient"
	saved := state{"OriginalAccessToken": &p.options.Token, "OriginalWopiSrc": &p.options.WOPISrc}
	for i, q := range c.requests {
		for _, reason := range p.request(ctx, q, saved) {
			reasons = append(reasons, fmt.Sprintf("request %d, %s: %s", i+1, q.kind, reason))
		}
		if len(reasons) > 0 {
			break
		}
	}
	for _, q := range c.cleanup {
		if _, ok := verbs()[q.kind]; ok {
			// what goes wrong here says nothing about the case
			_, _ = p.send(ctx, q, saved)
		}
	}
	return reasons
}

func (p *player) request(ctx context.Context, q *request, saved state) []string {
	switch {
	case q.kind == "Delay":
		return p.delay(ctx, q)
	case slices.Contains(coauthKinds(), q.kind):
		return []string{"requests of CSPP Plus are not played"}
	}
	x, err := p.send(ctx, q, saved)
	if err != nil {
		return []string{err.Error()}
	}
	reasons := q.judge(x, saved)
	if len(reasons) == 0 {
		q.save(x, saved)
	}
	return reasons
}

func (p *player) delay(ctx context.Context, q *request) []string {
	seconds, err := strconv.Atoi(q.attrs["DelayTimeInSeconds"])
	if err != nil || seconds < 0 {
		return []string{"delay without a number of seconds"}
	}
	select {
	case <-ctx.Done():
		return []string{ctx.Err().Error()}
	case <-time.After(time.Duration(seconds) * time.Second):
		return nil
	}
}
