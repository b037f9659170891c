package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const cases = `<WopiValidation><PrereqCases><TestCase Name="P" Category="WopiCore"><Requests><GetFile/></Requests></TestCase></PrereqCases>
<TestGroup Name="G"><TestCases>
<TestCase Name="Good" Category="WopiCore"><Requests><CheckFileInfo/></Requests></TestCase>
<TestCase Name="Bad" Category="OfficeOnline"><Requests><Lock Lock="A"/></Requests></TestCase>
</TestCases></TestGroup>
<TestGroup Name="H"><PrereqTests><PrereqTest>P</PrereqTest></PrereqTests><TestCases><TestCase Name="Never" Category="WopiCore"><Requests><CheckFileInfo/></Requests></TestCase></TestCases></TestGroup>
<TestGroup Name="Slow" HasDelay="true"><TestCases><TestCase Name="S" Category="WopiCore"><Requests><CheckFileInfo/></Requests></TestCase></TestCases></TestGroup>
</WopiValidation>`

func TestValidate(t *testing.T) {
	var signed int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-WOPI-Proof") != "" {
			signed++
		}
		if r.Method != "GET" || strings.HasSuffix(r.URL.Path, "/contents") {
			w.WriteHeader(http.StatusConflict)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "cases.xml")
	if err := os.WriteFile(file, []byte(cases), 0o600); err != nil {
		t.Fatal(err)
	}
	base := []string{"-wopisrc", server.URL + "/wopi/files/a", "-token", "t", "-cases", file}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want []string // lines in their order, by how they begin
	}{
		{"a failure ends with 1 and its reason", nil, 1, []string{"pass  G / Good", "fail  G / Bad", "      request 1, Lock: ResponseCodeValidator: got status 409, want 200",
			"skip  H / Never", "      P: request 1, GetFile", "All tests skipped: Slow uses delay", "1 passed, 1 failed, 1 skipped"}},
		{"no failure ends with 0", []string{"-category", "WopiCore"}, 0, []string{"pass  G / Good", "skip  H / Never", "      P: ", "All tests skipped", "1 passed, 0 failed, 1 skipped"}},
		{"quiet prints failures", []string{"-quiet"}, 1, []string{"fail  G / Bad", "      request", "All tests skipped", "1 passed, 1 failed, 1 skipped"}},
		{"one case", []string{"-test", "Good"}, 0, []string{"pass  G / Good", "1 passed, 0 failed, 0 skipped"}},
		{"keys of a folder", []string{"-group", "G", "-test", "Good", "-keys", dir}, 0, []string{"pass  G / Good", "1 passed, 0 failed, 0 skipped"}},
		{"key files", []string{"-test", "Good", "-current", filepath.Join(dir, "current.pem"), "-old", filepath.Join(dir, "old.pem")}, 0, []string{"pass", "1 passed"}},
		{"an unknown category", []string{"-category", "Odd"}, 2, nil},
		{"an unknown flag", []string{"-odd"}, 2, nil},
		{"a file that is not there", []string{"-cases", dir + "/none"}, 2, nil},
		{"a key that is not there", []string{"-current", dir + "/none"}, 2, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(t.Context(), append(base[:len(base):len(base)], tt.args...), &out, &errs); code != tt.code {
				t.Fatalf("exit %d: %s%s", code, &out, &errs)
			}
			if tt.code == 2 {
				if out.Len() > 0 || errs.Len() == 0 {
					t.Errorf("said %q and %q", &out, &errs)
				}
				return
			}
			lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("printed\n%s", &out)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("line %d is %q, want %q", i, lines[i], want)
				}
			}
		})
	}
	if signed != 2 {
		t.Errorf("%d requests were signed", signed)
	}
}
