package upstream

import (
	"fmt"
	"os/exec"
	"testing"

	"davwopi/davbackend"
)

const nginxDavExt = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so"

// Nginx starts nginx with dav-ext and a lock zone.
func Nginx(t testing.TB) *Server { return NginxLocking(t, "3600s") }

// NginxLocking is [Nginx] whose locks last for so long, whatever was asked for.
func NginxLocking(t testing.TB, timeout string) *Server {
	t.Helper()
	binary := program(t, "nginx")
	needs(t, nginxDavExt, "nginx with libnginx-mod-http-dav-ext")
	p := newPlace(t, "")
	p.write(t, "users", userName+":{PLAIN}"+userPassword+"\n")
	url := p.start(t, "nginx", func(port int) *exec.Cmd {
		conf := p.write(t, "nginx.conf", fmt.Sprintf(`load_module %[1]s;
daemon off;
master_process off;
pid %[2]s/nginx.pid;
error_log %[2]s/error.log;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %[2]s/tmp/body;
	proxy_temp_path %[2]s/tmp/proxy;
	fastcgi_temp_path %[2]s/tmp/fastcgi;
	uwsgi_temp_path %[2]s/tmp/uwsgi;
	scgi_temp_path %[2]s/tmp/scgi;
	client_max_body_size 0;
	dav_ext_lock_zone zone=locks:1m timeout=%[5]s;
	server {
		listen 127.0.0.1:%[4]d;
		root %[3]s;
		location / {
			auth_basic dav;
			auth_basic_user_file %[2]s/users;
			dav_methods PUT DELETE MKCOL COPY MOVE;
			dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK;
			dav_ext_lock zone=locks;
			dav_access user:rw group:rw all:rw;
		}
	}
}
`, nginxDavExt, p.home, p.root, port, timeout))
		return exec.Command(binary, "-p", p.home, "-c", conf, "-e", p.home+"/error.log")
	})
	return &Server{Name: "nginx", URL: url, User: userName, Password: userPassword, Dir: p.dir, Program: p.program,
		Profile: davbackend.Profile{Name: "nginx", InPlace: true, Form: davbackend.FormUntagged, MoveKeepsTargetLock: true}}
}
