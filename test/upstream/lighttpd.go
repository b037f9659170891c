package upstream

import (
	"fmt"
	"os/exec"
	"testing"

	"davwopi/davbackend"
)

const lighttpdModules = "/usr/lib/lighttpd"

// Lighttpd starts lighttpd's mod_webdav with a property and lock database.
func Lighttpd(t testing.TB) *Server {
	t.Helper()
	binary := program(t, "lighttpd")
	needs(t, lighttpdModules+"/mod_webdav.so", "lighttpd with lighttpd-mod-webdav")
	p := newPlace(t, "")
	p.write(t, "users", userName+":"+userPassword+"\n")
	url := p.start(t, "lighttpd", func(port int) *exec.Cmd {
		conf := p.write(t, "lighttpd.conf", fmt.Sprintf(`server.modules = ("mod_auth", "mod_authn_file", "mod_webdav")
server.bind = "127.0.0.1"
server.port = %[3]d
server.document-root = "%[2]s"
server.errorlog = "%[1]s/error.log"
server.upload-dirs = ("%[1]s/tmp")
auth.backend = "plain"
auth.backend.plain.userfile = "%[1]s/users"
auth.require = ("/" => ("method" => "basic", "realm" => "dav", "require" => "valid-user"))
webdav.activate = "enable"
webdav.is-readonly = "disable"
webdav.sqlite-db-name = "%[1]s/state/webdav.db"
mimetype.assign = (".txt" => "text/plain", "" => "application/octet-stream")
`, p.home, p.root, port))
		return exec.Command(binary, "-D", "-f", conf, "-m", lighttpdModules)
	})
	return &Server{Name: "lighttpd", URL: url, User: userName, Password: userPassword, Dir: p.dir, Program: p.program,
		Profile: davbackend.Profile{Name: "lighttpd", InPlace: true, Conditions: true, Form: davbackend.FormTagged}}
}
