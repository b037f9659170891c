package conform_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"davwopi/test/conform"
)

// reply is what the scripted server answers to everything.
type reply struct {
	status int
	header map[string]string
	body   string
}

func serve(t *testing.T, r reply) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range r.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, r.body)
	}))
	t.Cleanup(server.Close)
	return server
}

// suite wraps requests into a file with one case.
func suite(requests string) []byte {
	return []byte(`<WopiValidation><Resources><File Id="R" Name="r.docx" FilePath="Resources\r.docx"/></Resources><PrereqCases/>` +
		`<TestGroup Name="G"><TestCases><TestCase Name="C" Category="WopiCore"><Requests>` + requests + `</Requests></TestCase></TestCases></TestGroup></WopiValidation>`)
}

func play(t *testing.T, r reply, requests string) conform.Outcome {
	t.Helper()
	result, err := conform.Run(t.Context(), conform.Options{WOPISrc: serve(t, r).URL, Token: "t", Cases: suite(requests)})
	if err != nil {
		t.Fatal(err)
	}
	return result.Outcomes[0]
}

func header(pairs ...string) map[string]string {
	h := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = pairs[i+1]
	}
	return h
}

// Every kind of validator passes what is right and fails what is wrong. Says "" is
// a pass.
func TestValidators(t *testing.T) {
	const lock = "X-WOPI-Lock"
	for _, tt := range []struct {
		name       string
		validators string
		reply      reply
		says       string
	}{
		{"no validators: 200", "", reply{status: 200}, ""},
		{"no validators: not 201", "", reply{status: 201}, "got status 201, want 200"},
		{"a redirect is not followed", "", reply{status: 302, header: header("Location", "/")}, "got status 302"},
		{"the code that is expected", `<ResponseCodeValidator ExpectedCode="404"/>`, reply{status: 404}, ""},
		{"another code", `<ResponseCodeValidator ExpectedCode="404"/>`, reply{status: 200}, "want 404"},
		{"a list without a code takes any", `<JsonResponseContentValidator/>`, reply{status: 500, body: `{}`}, ""},

		{"a lock mismatch", `<LockMismatchValidator ExpectedLock="A"/>`, reply{status: 409, header: header(lock, "a")}, ""},
		{"a lock mismatch with another lock", `<LockMismatchValidator ExpectedLock="A"/>`, reply{status: 409, header: header(lock, "B")}, `got X-WOPI-Lock "B"`},
		{"a lock mismatch without a lock", `<LockMismatchValidator ExpectedLock="A"/>`, reply{status: 409}, "is missing"},
		{"a lock mismatch with another status", `<LockMismatchValidator ExpectedLock="A"/>`, reply{status: 412, header: header(lock, "A")}, "want 409"},
		{"no lock may be said by no header", `<LockMismatchValidator ExpectedLock=""/>`, reply{status: 409}, ""},
		{"no lock, but one is named", `<LockMismatchValidator ExpectedLock=""/>`, reply{status: 409, header: header(lock, "A")}, `want ""`},

		{"a header, whatever its case", `<ResponseHeaderValidator Header="X-A" ExpectedValue="v"/>`, reply{status: 200, header: header("x-a", "V")}, ""},
		{"a header with another value", `<ResponseHeaderValidator Header="X-A" ExpectedValue="v"/>`, reply{status: 200, header: header("X-A", "w")}, "want"},
		{"a header that need not be there", `<ResponseHeaderValidator Header="X-A" ExpectedValue="v"/>`, reply{status: 200}, ""},
		{"a header that must be there", `<ResponseHeaderValidator Header="X-A" IsRequired="true"/>`, reply{status: 200}, "X-A is missing"},
		{"a header that may have any value", `<ResponseHeaderValidator Header="X-A" IsRequired="1"/>`, reply{status: 200, header: header("X-A", "w")}, ""},
		{"a header that must be another", `<ResponseHeaderValidator Header="X-A" ExpectedValue="v" ShouldMatch="false"/>`, reply{status: 200, header: header("X-A", "v")}, "anything but"},
		{"a header that must not be empty", `<ResponseHeaderValidator Header="X-A" ExpectedValue="" ShouldMatch="false"/>`, reply{status: 200, header: header("X-A", "")}, "anything but"},
		{"a number that is greater", `<ResponseHeaderValidator Header="X-A" ExpectedValue="1" Comparator="&gt;"/>`, reply{status: 200, header: header("X-A", "2")}, ""},
		{"a number that is not greater", `<ResponseHeaderValidator Header="X-A" ExpectedValue="2" Comparator="&gt;"/>`, reply{status: 200, header: header("X-A", "2")}, "want > 2"},
		{"a number that is none", `<ResponseHeaderValidator Header="X-A" ExpectedValue="2" Comparator="&lt;"/>`, reply{status: 200, header: header("X-A", "x")}, "want < 2"},

		{"the bytes of a resource", `<ResponseContentValidator ExpectedResourceId="R"/>`, reply{status: 200, body: `RResources\r.docxr.docx`}, ""},
		{"other bytes", `<ResponseContentValidator ExpectedResourceId="R"/>`, reply{status: 200, body: `R`}, "got 1 bytes"},
		{"a text", `<ResponseContentValidator ExpectedBodyContent="abc"/>`, reply{status: 200, body: `abd`}, `"abd"`},

		{"one of two", `<Or><ResponseCodeValidator ExpectedCode="400"/><ResponseCodeValidator ExpectedCode="501"/></Or>`, reply{status: 501}, ""},
		{"neither of two", `<Or><ResponseCodeValidator ExpectedCode="400"/><ResponseCodeValidator ExpectedCode="501"/></Or>`, reply{status: 500}, "want 501"},
		{"only one of both", `<And><ResponseCodeValidator ExpectedCode="200"/><LockMismatchValidator ExpectedLock=""/></And>`, reply{status: 200}, "want 409"},
		{"both", `<And><ResponseCodeValidator ExpectedCode="409"/><LockMismatchValidator ExpectedLock=""/></And>`, reply{status: 409}, ""},

		{"a body that is cut", "", reply{status: 200, header: header("Content-Length", "10"), body: "abc"}, "no whole answer"},
		{"frames are not played", `<FramesValidator/>`, reply{status: 200}, "not played"},
		{"a schema of CSPP Plus is not played", `<JsonSchemaValidator Schema="CoauthTableSchema"/>`, reply{status: 200, body: `{}`}, "not played"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			requests := "<CheckFileInfo/>"
			if tt.validators != "" {
				requests = "<CheckFileInfo><Validators>" + tt.validators + "</Validators></CheckFileInfo>"
			}
			expect(t, play(t, tt.reply, requests), tt.says)
		})
	}
}

func expect(t *testing.T, o conform.Outcome, says string) {
	t.Helper()
	switch {
	case says == "" && o.Verdict != conform.Pass:
		t.Errorf("%s %q; want a pass", o.Verdict, o.Reasons)
	case says != "" && (o.Verdict != conform.Fail || !strings.Contains(strings.Join(o.Reasons, "\n"), says)):
		t.Errorf("%s %q; want %q", o.Verdict, o.Reasons, says)
	}
}

func TestProperties(t *testing.T) {
	for _, tt := range []struct{ name, property, body, says string }{
		{"a Boolean", `<BooleanProperty Name="p" ExpectedValue="true"/>`, `{"p":true}`, ""},
		{"a Boolean as .NET takes it", `<BooleanProperty Name="p" ExpectedValue="true"/>`, `{"p":"True"}`, ""},
		{"another Boolean", `<BooleanProperty Name="p" ExpectedValue="true"/>`, `{"p":false}`, "got false, want true"},
		{"a missing Boolean", `<BooleanProperty Name="p" ExpectedValue="true" IsRequired="true"/>`, `{}`, "is missing or empty"},
		{"a missing Boolean that need not be there", `<BooleanProperty Name="p" ExpectedValue="true"/>`, `{}`, ""},
		{"null is missing", `<BooleanProperty Name="p" IsRequired="true"/>`, `{"p":null}`, "is missing or empty"},
		{"not a Boolean", `<BooleanProperty Name="p" ExpectedValue="true"/>`, `{"p":"maybe"}`, "not a Boolean"},
		{"an object where a Boolean is compared", `<BooleanProperty Name="p" ExpectedValue="true"/>`, `{"p":{"a":1}}`, "not a Boolean"},
		{"anything if nothing is expected", `<BooleanProperty Name="p" IsRequired="true"/>`, `{"p":"maybe"}`, ""},

		{"an integer", `<IntegerProperty Name="p" ExpectedValue="0"/>`, `{"p":0}`, ""},
		{"an integer as text", `<IntegerProperty Name="p" ExpectedValue="7"/>`, `{"p":"7"}`, ""},
		{"another integer", `<IntegerProperty Name="p" ExpectedValue="0"/>`, `{"p":3}`, "got 3, want 0"},
		{"an integer that is too large", `<IntegerProperty Name="p" ExpectedValue="0"/>`, `{"p":4294967296}`, "32 bits"},
		{"a long integer", `<LongProperty Name="p" ExpectedValue="4294967296"/>`, `{"p":4294967296}`, ""},
		{"a size of 0 is there", `<LongProperty Name="p" IsRequired="true"/>`, `{"p":0}`, ""},
		{"a time that nobody can believe", `<LongProperty Name="ServerTime"/>`, `{"ServerTime":1785621600}`, "not a time in milliseconds"},

		{"a string", `<StringProperty Name="p" ExpectedValue="a"/>`, `{"p":"a"}`, ""},
		{"strings have case", `<StringProperty Name="p" ExpectedValue="a"/>`, `{"p":"A"}`, `got "A"`},
		{"strings without case", `<StringProperty Name="p" ExpectedValue="a" IgnoreCase="true"/>`, `{"p":"A"}`, ""},
		{"an empty string is missing", `<StringProperty Name="p" IsRequired="true"/>`, `{"p":""}`, "is missing or empty"},
		{"the end of a string", `<StringProperty Name="p" EndsWith=".x"/>`, `{"p":"a.X"}`, "does not end"},
		{"the end of a string without case", `<StringProperty Name="p" EndsWith=".x" IgnoreCase="true"/>`, `{"p":"a.X"}`, ""},
		{"an array for a string", `<StringProperty Name="p" ExpectedValue="a"/>`, `{"p":["a"]}`, "not a string"},

		{"a pattern", `<StringRegexProperty Name="p" ExpectedValue="^a"/>`, `{"p":"ab"}`, ""},
		{"a pattern that does not match", `<StringRegexProperty Name="p" ExpectedValue="^a"/>`, `{"p":"ba"}`, "does not match"},
		{"a pattern that must not match", `<StringRegexProperty Name="p" ExpectedValue="^\." ShouldMatch="false"/>`, `{"p":".x"}`, "must not match"},
		{"a pattern without case", `<StringRegexProperty Name="p" ExpectedValue="A" IgnoreCase="true"/>`, `{"p":"a"}`, ""},
		{"null never passes a pattern", `<StringRegexProperty Name="p" ExpectedValue="x" ShouldMatch="false"/>`, `{"p":null}`, "leave it out"},
		{"an empty string never passes a pattern", `<StringRegexProperty Name="p" ExpectedValue="x" ShouldMatch="false"/>`, `{"p":""}`, "leave it out"},
		{"a missing one does", `<StringRegexProperty Name="p" ExpectedValue="x" ShouldMatch="false"/>`, `{}`, ""},

		{"an absolute URL", `<AbsoluteUrlProperty Name="p"/>`, `{"p":"https://h.test/a"}`, ""},
		{"a relative URL", `<AbsoluteUrlProperty Name="p"/>`, `{"p":"a/b"}`, "not an absolute URL"},
		{"a URL with a token", `<AbsoluteUrlProperty Name="p" MustIncludeAccessToken="true"/>`, `{"p":"https://h.test/a?x=1&Access_Token=t"}`, ""},
		{"a URL without a token", `<AbsoluteUrlProperty Name="p" MustIncludeAccessToken="true"/>`, `{"p":"https://h.test/a?x=access_token="}`, "has no access_token"},
		{"a missing URL", `<AbsoluteUrlProperty Name="p" IsRequired="true"/>`, `{"p":""}`, "is missing or empty"},

		{"an array with a value", `<ArrayProperty Name="p" ContainsValue="ReadOnly"/>`, `{"p":["x","readonly"]}`, ""},
		{"an array without it", `<ArrayProperty Name="p" ContainsValue="ReadOnly"/>`, `{"p":["x"]}`, "does not contain"},
		{"an empty array is missing", `<ArrayProperty Name="p" IsRequired="true"/>`, `{"p":[]}`, "is missing or empty"},
		{"not an array", `<ArrayProperty Name="p" ContainsValue="x"/>`, `{"p":"x"}`, "not an array"},
		{"the length of an array", `<ArrayLengthProperty Name="p" ExpectedValue="2"/>`, `{"p":[1,2]}`, ""},
		{"another length", `<ArrayLengthProperty Name="p"/>`, `{"p":[1,2]}`, "has 2 elements, want 0"},

		{"a path", `<StringProperty Name="a.b[0].c" ExpectedValue="x"/>`, `{"a":{"b":[{"c":"x"}]}}`, ""},
		{"a path to the last element", `<StringProperty Name="a[-1:].c" ExpectedValue="x"/>`, `{"a":[{"c":"w"},{"c":"x"}]}`, ""},
		{"a path into nothing", `<StringProperty Name="a[3].c" IsRequired="true"/>`, `{"a":[{"c":"w"}]}`, "is missing or empty"},
		{"a table of CSPP Plus is not played", `<ResponseBodyProperty Name="p"/>`, `{}`, "not played"},

		{"an array is not an object", ``, `[]`, "not a JSON object"},
		{"text is not an object", ``, `<html>`, "not a JSON object"},
		{"two objects", ``, `{}{}`, "not a JSON object"},
		{"no body", ``, ``, "no body"},
		{"a byte order mark", `<StringProperty Name="p" ExpectedValue="a"/>`, "\ufeff{\"p\":\"a\"}", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, play(t, reply{status: 200, body: tt.body}, "<CheckFileInfo><Validators><JsonResponseContentValidator>"+
				tt.property+"</JsonResponseContentValidator></Validators></CheckFileInfo>"), tt.says)
		})
	}
	nobody := `<CheckFileInfo><Validators><JsonResponseContentValidator ShouldExist="false"/></Validators></CheckFileInfo>`
	expect(t, play(t, reply{status: 200}, nobody), "")
	expect(t, play(t, reply{status: 200, body: "{}"}, nobody), "want no body")
}

const least = `"BaseFileName":"a.wopitest","OwnerId":"o","Size":1,"UserId":"u","Version":"1"`

func TestCheckFileInfoSchema(t *testing.T) {
	for _, tt := range []struct{ name, body, says string }{
		{"the least", `{` + least + `}`, ""},
		{"what nobody knows", `{` + least + `,"EnableShare":true,"x":{"y":[]}}`, ""},
		{"a version that is a number", strings.Replace(`{`+least+`}`, `"1"`, `1`, 1), "Version: 1 is not of type string"},
		{"a size that is text", strings.Replace(`{`+least+`}`, `:1,`, `:"1",`, 1), "Size"},
		{"a size with a fraction", strings.Replace(`{`+least+`}`, `:1,`, `:1.0,`, 1), "Size"},
		{"no owner", strings.Replace(`{`+least+`}`, `OwnerId`, `Owner`, 1), "OwnerId is missing"},
		{"a Boolean that is null", `{` + least + `,"SupportsLocks":null}`, "SupportsLocks"},
		{"a string that is null", `{` + least + `,"UserFriendlyName":null}`, ""},
		{"one of the eight, even false", `{` + least + `,"SupportsCoauth":false}`, "SupportsCoauth: must not be there"},
		{"a URL that is none", `{` + least + `,"CloseUrl":"close"}`, "CloseUrl"},
		{"an empty URL", `{` + least + `,"CloseUrl":""}`, ""},
		{"every origin", `{` + least + `,"PostMessageOrigin":"*"}`, "PostMessageOrigin"},
		{"a date", `{` + least + `,"LastModifiedTime":"2026-07-30T08:15:42.0000000Z"}`, ""},
		{"a date that is none", `{` + least + `,"LastModifiedTime":"yesterday"}`, "LastModifiedTime"},
		{"a word of a list", `{` + least + `,"SupportedShareUrlTypes":["ReadOnly"]}`, ""},
		{"another word", `{` + least + `,"SupportedShareUrlTypes":["readonly"]}`, "SupportedShareUrlTypes"},
		{"not JSON", `<html>`, "not JSON"},
		{"no body", ``, "no body"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, play(t, reply{status: 200, body: tt.body},
				`<CheckFileInfo><Validators><JsonSchemaValidator Schema="CsppCheckFileInfoSchema"/></Validators></CheckFileInfo>`), tt.says)
		})
	}
	plus := `{` + least + `,"SupportsCoauth":true,"SequenceNumber":1,"AccessTokenExpiry":1,"ServerTime":-1,"OfficeCollaborationServiceEndpointUrl":"",` +
		`"RealTimeChannelEndpointUrl":"https://h.test/","SharingStatus":"Private","FileGeoLocationCode":null}`
	requests := `<CheckFileInfo><Validators><JsonSchemaValidator Schema="CsppPlusCheckFileInfoSchema"/></Validators></CheckFileInfo>`
	expect(t, play(t, reply{status: 200, body: plus}, requests), "-1 is below 0")
	expect(t, play(t, reply{status: 200, body: strings.Replace(plus, "-1", "1", 1)}, requests), "")
}

func TestStates(t *testing.T) {
	const check = `<CheckFileInfo><Validators><JsonResponseContentValidator>`
	const end = `</JsonResponseContentValidator></Validators></CheckFileInfo>`
	for _, tt := range []struct{ name, save, then, says string }{
		{"a value is expected again", `<State Name="S" Source="v"/>`, check + `<StringProperty Name="w" ExpectedStateKey="S"/>` + end, `got "2", want "1"`},
		{"a Boolean is expected again", `<State Name="S" Source="b"/>`, check + `<BooleanProperty Name="b" ExpectedStateKey="S"/>` + end, ""},
		{"a header is expected again", `<State Name="S" Source="X-A" SourceType="Header"/>`,
			`<CheckFileInfo><Validators><ResponseHeaderValidator Header="X-A" ExpectedStateKey="S" ShouldMatch="false"/></Validators></CheckFileInfo>`, "anything but"},
		{"a state that is null expects nothing", `<State Name="S" Source="nothing"/>`, check + `<StringProperty Name="w" ExpectedStateKey="S"/>` + end, ""},
		{"a state that is null falls back to what is given", `<State Name="S" Source="nothing"/>`, check + `<StringProperty Name="w" ExpectedStateKey="S" ExpectedValue="3"/>` + end, `want "3"`},
		{"an object is null", `<State Name="S" Source="o"/>`, check + `<StringProperty Name="w" ExpectedStateKey="S"/>` + end, ""},
		{"an address that is null is WOPISrc", `<State Name="S" Source="nothing"/>`, `<CheckFileInfo OverrideUrl="$State:S"/>`, ""},
		{"an address to delete that is null crashes the other runner", `<State Name="S" Source="nothing"/>`, `<DeleteFile OverrideUrl="$State:S"/>`, "S, which is empty"},
		{"a state that nobody saved", `<State Name="S" Source="v"/>`, `<CheckFileInfo OverrideUrl="$State:T"/>`, "T, which was never saved"},
		{"an address that is none", `<State Name="S" Source="v"/>`, `<GetFromFileUrl OverrideUrl="$State:S"/>`, "unsupported protocol"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, play(t, reply{status: 200, header: header("X-A", "h"), body: `{"v":"1","w":2,"b":true,"o":{"a":1}}`},
				`<CheckFileInfo><SaveState>`+tt.save+`</SaveState></CheckFileInfo>`+tt.then), tt.says)
		})
	}
}

func TestRequestsThatAreNotPlayedFail(t *testing.T) {
	for _, kind := range []string{"GetCoauthLock", "RefreshCoauthLock", "UnlockCoauthLock", "GetCoauthTable", "GetChunkedFile", "PutChunkedFile"} {
		expect(t, play(t, reply{status: 200}, "<"+kind+"/>"), "not played")
	}
	expect(t, play(t, reply{status: 200}, `<Delay DelayTimeInSeconds="0"/><CheckFileInfo/>`), "")
	expect(t, play(t, reply{status: 200}, `<Delay/>`), "delay without")
}

func TestSuitesThatAreNotUnderstood(t *testing.T) {
	for _, tt := range []struct{ name, requests string }{
		{"an unknown request", `<Dance/>`},
		{"no request", ``},
		{"an unknown validator", `<Lock><Validators><Dance/></Validators></Lock>`},
		{"an unknown validator inside", `<Lock><Validators><Or><Dance/></Or></Validators></Lock>`},
		{"an unknown property", `<Lock><Validators><JsonResponseContentValidator><Dance Name="p"/></JsonResponseContentValidator></Validators></Lock>`},
		{"a property without a name", `<Lock><Validators><JsonResponseContentValidator><StringProperty/></JsonResponseContentValidator></Validators></Lock>`},
		{"an unknown schema", `<Lock><Validators><JsonSchemaValidator Schema="Dance"/></Validators></Lock>`},
		{"an unknown mutator", `<Lock><Mutators><Dance/></Mutators></Lock>`},
		{"an unknown relation of keys", `<Lock><Mutators><ProofKey KeyRelation="Far"/></Mutators></Lock>`},
		{"an unknown resource", `<PutFile ResourceId="X"/>`},
		{"an unknown resource in a validator", `<Lock><Validators><ResponseContentValidator ExpectedResourceId="X"/></Validators></Lock>`},
		{"a Boolean that is none", `<Lock><Validators><ResponseHeaderValidator Header="a" IsRequired="maybe"/></Validators></Lock>`},
		{"a pattern that is none", `<Lock><Validators><JsonResponseContentValidator><StringRegexProperty Name="p" ExpectedValue="("/></JsonResponseContentValidator></Validators></Lock>`},
		{"a state without a source", `<Lock><SaveState><State Name="S"/></SaveState></Lock>`},
		{"text that is not XML", `<Lock>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := conform.ParseSuite(suite(tt.requests)); err == nil {
				t.Error("taken")
			}
		})
	}
	for _, text := range []string{"", "<a/>", "<WopiValidation/>", "<WopiValidation></WopiValidation><b/>",
		`<WopiValidation><TestGroup Name="G"><PrereqTests><PrereqTest>P</PrereqTest></PrereqTests></TestGroup></WopiValidation>`,
		`<WopiValidation><TestGroup Name="G"><TestCases><TestCase Name="C" Category="Odd"/></TestCases></TestGroup></WopiValidation>`} {
		if _, err := conform.ParseSuite([]byte(text)); err == nil {
			t.Errorf("taken: %s", text)
		}
	}
}

func TestKeys(t *testing.T) {
	dir := t.TempDir() + "/keys"
	current, old, err := conform.Keys(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, oldAgain, err := conform.Keys(dir)
	if err != nil || !again.Equal(current) || !oldAgain.Equal(old) || current.Equal(old) {
		t.Errorf("keys do not stay: %v", err)
	}
	if _, err := conform.ReadKey(dir + "/nothing.pem"); err == nil {
		t.Error("read a key that is not there")
	}
	if _, err := conform.ReadKey("testdata/LICENSE"); err == nil {
		t.Error("read a licence as a key")
	}
}
