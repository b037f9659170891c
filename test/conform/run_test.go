package conform_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
	"davwopi/test/conform"
)

func TestTheSuiteIsWhole(t *testing.T) {
	suite, err := conform.ParseSuite(conform.MicrosoftCases())
	if err != nil {
		t.Fatal(err)
	}
	if len(suite.Groups) != 33 {
		t.Errorf("%d groups", len(suite.Groups))
	}
	h := newHost(t)
	for _, tt := range []struct {
		category string
		cases    int
		delayed  int
	}{{"", 219, 1}, {"All", 219, 1}, {"WopiCore", 121, 0}, {"OfficeOnline", 130, 0}, {"OfficeNativeClient", 123, 0}, {"WopiCoauth", 208, 1}} {
		result, err := conform.Run(t.Context(), conform.Options{WOPISrc: h.src(), Token: token, Category: tt.category})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(result.Outcomes); n != tt.cases || len(result.Delayed) != tt.delayed || result.Passed+result.Failed+result.Skipped != n {
			t.Errorf("%q: %d cases, %v", tt.category, n, result)
		}
	}
}

// inGroup returns the outcomes of a group by the name of the case.
func inGroup(r conform.Result, group string) map[string]conform.Outcome {
	found := map[string]conform.Outcome{}
	for _, o := range r.Outcomes {
		if o.Group == group {
			found[o.Name] = o
		}
	}
	return found
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The groups of the files endpoint pass on a host that is right, in the two runs
// that exclude each other, and with proof keys checked.
func TestAHostThatIsRightPasses(t *testing.T) {
	h := newHost(t)
	o := conform.Options{WOPISrc: h.src(), Token: token, Category: "OfficeOnline", Current: newKey(t), Old: newKey(t)}
	h.keys = proof.Keys{Current: &o.Current.PublicKey, Old: &o.Old.PublicKey}
	able := strings.Fields("CheckFileInfoSchema BaseWopiViewing Locks GetLock ExtendedLockLength EditFlows FileVersion PutUserInfo " +
		"PutRelativeFile RenameFileIfCreateChildFileIsNotSupported ProofKeys")
	for _, run := range []struct {
		unable bool
		groups []string
	}{{false, able}, {true, append(slices.Clone(able[:8]), "PutRelativeFileUnsupported", "ProofKeys")}} {
		h.unable = run.unable
		result, err := conform.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if result.Failed > 0 {
			t.Errorf("%v", result)
		}
		for _, group := range run.groups {
			outcomes := inGroup(result, group)
			if len(outcomes) == 0 {
				t.Errorf("no cases in %s", group)
			}
			for name, outcome := range outcomes {
				if outcome.Verdict != conform.Pass {
					t.Errorf("%s / %s: %s %q", group, name, outcome.Verdict, outcome.Reasons)
				}
			}
		}
		for name, outcome := range inGroup(result, "Container") {
			if outcome.Verdict != conform.Skip || len(outcome.Reasons) == 0 || !strings.HasPrefix(outcome.Reasons[0], "ContainersPrereq") {
				t.Errorf("%s on a host without containers: %+v", name, outcome)
			}
		}
	}
	if len(h.files) != 1 {
		t.Errorf("%d files are left over: cases do not clean up", len(h.files))
	}
}

// Each fault must be seen, in a case that is about it.
func TestAHostThatIsWrongFails(t *testing.T) {
	for _, tt := range []struct {
		name, group, test, says string
		fault                   func(op wopi.Operation, a *answer, r *http.Request)
	}{
		{"409 without the current lock", "Locks", "LockMismatch", "X-WOPI-Lock", func(_ wopi.Operation, a *answer, _ *http.Request) {
			if a.status == 409 {
				delete(a.header, wopi.HeaderLock)
			}
		}},
		{"a lock that is given to everybody", "Locks", "", "want 409", func(_ wopi.Operation, a *answer, _ *http.Request) {
			if a.status == 409 {
				a.status = 200
			}
		}},
		{"201 for a success", "EditFlows", "", "want 200", func(op wopi.Operation, a *answer, _ *http.Request) {
			if op == wopi.OpPutFile && a.status == 200 {
				a.status = 201
			}
		}},
		{"a version that stays", "FileVersion", "PutFileReturnsDifferentVersion", "want anything but", func(_ wopi.Operation, a *answer, _ *http.Request) {
			a.header[wopi.HeaderItemVersion] = "v0"
		}},
		{"other bytes than were put", "EditFlows", "", "ResponseContentValidator", func(op wopi.Operation, a *answer, _ *http.Request) {
			if op == wopi.OpGetFile {
				a.body = "other"
			}
		}},
		{"UserInfo that is not kept", "PutUserInfo", "", "UserInfo", func(_ wopi.Operation, a *answer, _ *http.Request) {
			if info, ok := a.body.(wopi.CheckFileInfo); ok {
				info.UserInfo = ""
				a.body = info
			}
		}},
		{"a URL without a token", "PutRelativeFile", "", "has no access_token", func(op wopi.Operation, a *answer, _ *http.Request) {
			if info, ok := a.body.(wopi.PutRelativeFileInfo); ok {
				info.Url, _, _ = strings.Cut(info.Url, "?")
				a.body = info
			}
		}},
		{"no URL at all, which crashes the other runner", "PutRelativeFile", "", "Url: is missing or empty", func(op wopi.Operation, a *answer, _ *http.Request) {
			if op == wopi.OpPutRelativeFile && a.status == 200 {
				a.body = map[string]any{"Name": "x"}
			}
		}},
		{"no signature is checked", "ProofKeys", "ProofKeys.CurrentInvalid.OldInvalid", "got status 200, want 500", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			h.fault = tt.fault
			result, err := conform.Run(t.Context(), conform.Options{WOPISrc: h.src(), Token: token, Group: tt.group, Current: newKey(t), Old: newKey(t)})
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, o := range result.Outcomes {
				if o.Verdict == conform.Fail && (tt.test == "" || strings.Contains(o.Name, tt.test)) {
					said = append(said, o.Reasons...)
				}
			}
			if !strings.Contains(strings.Join(said, "\n"), tt.says) || len(said) == 0 {
				t.Errorf("said %q, want %q; %v", said, tt.says, result)
			}
		})
	}
}

func TestABadTokenMustBeRefusedIn401Or404(t *testing.T) {
	h := newHost(t)
	h.fault = func(_ wopi.Operation, a *answer, _ *http.Request) {
		if a.status == 401 {
			a.status = 403
		}
	}
	result, err := conform.Run(t.Context(), conform.Options{WOPISrc: h.src(), Token: token, Category: "WopiCore"})
	if err != nil {
		t.Fatal(err)
	}
	if result.Failed < 4 {
		t.Errorf("%v: hardly anybody saw it", result)
	}
}

// A host that does not pass the prereqs is not judged at all, and not written to.
func TestPrereqsAreAskedForEveryCase(t *testing.T) {
	h := newHost(t)
	h.fault = func(_ wopi.Operation, a *answer, _ *http.Request) {
		if info, ok := a.body.(wopi.CheckFileInfo); ok {
			info.BaseFileName = "precious.docx"
			a.body = info
		}
	}
	result, err := conform.Run(t.Context(), conform.Options{WOPISrc: h.src(), Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if result.Skipped != 219 || h.requests != 219 || h.files["f1"].contents != "x" {
		t.Errorf("%v, %d requests", result, h.requests)
	}
	if got := result.String(); got != "0 passed, 0 failed, 219 skipped" {
		t.Errorf("closing line %q", got)
	}
}

func TestAHostThatIsNotThere(t *testing.T) {
	h := newHost(t)
	h.Close()
	result, err := conform.Run(t.Context(), conform.Options{WOPISrc: h.src(), Token: token, Group: "Locks"})
	if err != nil {
		t.Fatal(err)
	}
	if result.Skipped == 0 || result.Passed > 0 || strings.Contains(strings.Join(result.Outcomes[0].Reasons, ""), token) {
		t.Errorf("%v %q", result, result.Outcomes[0].Reasons)
	}
}

func TestRunRefusesWhatItCannotPlay(t *testing.T) {
	good := conform.Options{WOPISrc: "http://h.test/wopi/files/a", Token: "t"}
	for _, tt := range []struct {
		name   string
		change func(*conform.Options)
	}{
		{"no WOPISrc", func(o *conform.Options) { o.WOPISrc = "" }},
		{"a WOPISrc with a query", func(o *conform.Options) { o.WOPISrc += "?a=1" }},
		{"no token", func(o *conform.Options) { o.Token = "" }},
		{"an unknown category", func(o *conform.Options) { o.Category = "Everything" }},
		{"an unknown group", func(o *conform.Options) { o.Group = "Nothing" }},
		{"an unknown case", func(o *conform.Options) { o.Test = "Nothing" }},
		{"one key", func(o *conform.Options) { o.Current = newKey(t) }},
		{"a suite that is none", func(o *conform.Options) { o.Cases = []byte("<a/>") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := good
			tt.change(&o)
			if result, err := conform.Run(t.Context(), o); err == nil {
				t.Errorf("played: %v", result)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := conform.Run(ctx, good); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context: %v", err)
	}
}

// What is sent is what the other runner sends.
func TestWhatIsSent(t *testing.T) {
	h := newHost(t)
	type sent struct {
		op     wopi.Operation
		url    string
		header http.Header
	}
	var all []sent
	h.fault = func(op wopi.Operation, _ *answer, r *http.Request) {
		all = append(all, sent{op, r.URL.String(), r.Header})
	}
	o := conform.Options{WOPISrc: h.src(), Token: token, TTL: 7, Group: "RenameFileIfCreateChildFileIsNotSupported", Current: newKey(t), Old: newKey(t),
		Now: func() time.Time { return time.Date(2026, 7, 18, 19, 33, 20, 0, time.UTC) }}
	if _, err := conform.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	seen := map[wopi.Operation]sent{}
	for _, s := range all {
		if _, ok := seen[s.op]; !ok {
			seen[s.op] = s
		}
		if s.header.Get("User-Agent") != "" || s.header.Get("Accept-Encoding") != "" {
			t.Errorf("%s with %v", s.op, s.header)
		}
	}
	check := seen[wopi.OpCheckFileInfo]
	if check.url != "/wopi/files/f1?access_token=tok%2D1&access_token_ttl=7" || check.header.Get("Authorization") != "Bearer "+token {
		t.Errorf("CheckFileInfo at %s, %v", check.url, check.header)
	}
	if check.header.Get(wopi.HeaderTimeStamp) != "639200000000000000" || check.header.Get(wopi.HeaderProofOld) == check.header.Get(wopi.HeaderProof) {
		t.Errorf("proof %v", check.header)
	}
	rename := seen[wopi.OpRenameFile]
	if v, ok := rename.header[http.CanonicalHeaderKey(wopi.HeaderLock)]; !ok || v[0] != "" {
		t.Errorf("RenameFile without an empty lock: %v", rename.header)
	}
	if !strings.Contains(rename.url, "?access_token="+token) || strings.Contains(rename.url, "ttl") {
		t.Errorf("RenameFile at %s", rename.url)
	}
	relative := seen[wopi.OpPutRelativeFile]
	if relative.header.Get(wopi.HeaderSize) == "" {
		t.Errorf("PutRelativeFile with %v", relative.header)
	}
}
