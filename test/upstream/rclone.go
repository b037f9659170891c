package upstream

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"davwopi/davbackend"
)

// Rclone starts "rclone serve webdav".
func Rclone(t testing.TB) *Server {
	t.Helper()
	binary := program(t, "rclone")
	p := newPlace(t, "")
	url := p.start(t, "rclone", func(port int) *exec.Cmd {
		cmd := exec.Command(binary, "serve", "webdav", p.dir, "--addr", fmt.Sprintf("127.0.0.1:%d", port),
			"--baseurl", "/dav", "--user", userName, "--pass", userPassword, "--dir-cache-time", "0s")
		cmd.Env = append(os.Environ(), "HOME="+p.home, "RCLONE_CONFIG="+p.home+"/rclone.conf", "XDG_CACHE_HOME="+p.home+"/tmp")
		return cmd
	})
	return &Server{Name: "rclone", URL: url, User: userName, Password: userPassword, Dir: p.dir, Program: p.program,
		Profile: davbackend.Profile{Name: "rclone", Form: davbackend.FormTagged, MoveKeepsTargetLock: true}}
}
