package upstream

import (
	"crypto/sha1"
	"encoding/base64"
	"os"
	"testing"
)

// ChangePassword gives the server's user another password, from now on. Only for [Apache], which reads them anew with
// every request.
func (s *Server) ChangePassword(t testing.TB, password string) {
	t.Helper()
	if s.Name != "apache" {
		t.Fatalf("%s: its passwords cannot be changed", s.Name)
	}
	sum := sha1.Sum([]byte(password))
	if err := os.WriteFile(s.users, []byte(s.User+":{SHA}"+base64.StdEncoding.EncodeToString(sum[:])+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Password = password
}
