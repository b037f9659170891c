package upstream

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"davwopi/davbackend"
)

const apacheModules = "/usr/lib/apache2/modules/"

// Apache starts Apache's mod_dav with a lock database and Basic authentication. Besides
// the server's user there is bob, with the password b.
func Apache(t testing.TB) *Server { return apache(t, false) }

// ApacheDigest is Apache with Digest authentication.
func ApacheDigest(t testing.TB) *Server { return apache(t, true) }

func apache(t testing.TB, digest bool) *Server {
	t.Helper()
	binary := program(t, "apache2")
	needs(t, apacheModules+"mod_dav_fs.so", "apache2 with mod_dav_fs")
	p := newPlace(t, "www-data")
	const realm = "dav"
	sum := sha1.Sum([]byte(userPassword))
	bob := sha1.Sum([]byte("b")) // a second person, whose locks are not the first's
	p.write(t, "basic", userName+":{SHA}"+base64.StdEncoding.EncodeToString(sum[:])+"\nbob:{SHA}"+base64.StdEncoding.EncodeToString(bob[:])+"\n")
	ha1 := md5.Sum([]byte(userName + ":" + realm + ":" + userPassword))
	p.write(t, "digest", userName+":"+realm+":"+hex.EncodeToString(ha1[:])+"\n")
	auth := "AuthType Basic\nAuthBasicProvider file\nAuthUserFile \"" + p.home + "/basic\""
	if digest {
		auth = "AuthType Digest\nAuthDigestProvider file\nAuthUserFile \"" + p.home + "/digest\""
	}
	url := p.start(t, "apache2", func(port int) *exec.Cmd {
		conf := p.write(t, "apache.conf", apacheConf(p, port, auth))
		return exec.Command(binary, "-d", p.home, "-f", conf, "-D", "FOREGROUND")
	})
	name := "apache"
	if digest {
		name = "apache-digest"
	}
	return &Server{Name: name, URL: url, User: userName, Password: userPassword, Dir: p.dir, Program: p.program, owner: p.own, users: p.home + "/basic",
		Profile: davbackend.Profile{Name: name, InPlace: true, Conditions: true, Form: davbackend.FormTagged, MoveKeepsTargetLock: true}}
}

func apacheConf(p *place, port int, auth string) string {
	var b strings.Builder
	for _, m := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "authn_file",
		"auth_basic", "auth_digest", "dir", "mime", "dav", "dav_fs", "dav_lock"} {
		fmt.Fprintf(&b, "LoadModule %s_module %smod_%s.so\n", m, apacheModules, m)
	}
	fmt.Fprintf(&b, `ServerName 127.0.0.1
Listen 127.0.0.1:%d
PidFile "%[2]s/apache.pid"
ErrorLog "%[2]s/error.log"
DefaultRuntimeDir "%[2]s/tmp"
Mutex file:%[2]s/tmp default
TypesConfig /etc/mime.types
User www-data
Group www-data
StartServers 1
ServerLimit 2
DocumentRoot "%[3]s"
DavLockDB "%[2]s/state/lock"
DavMinTimeout 0
<Directory "%[3]s">
	Dav On
	DirectoryIndex disabled
	%[4]s
	AuthName "dav"
	Require valid-user
</Directory>
`, port, p.home, p.root, strings.ReplaceAll(auth, "\n", "\n\t"))
	return b.String()
}
