package config

import "time"

// Upstream is one WebDAV server.
type Upstream struct {
	// Name is the key under which its files are remembered; it must never
	// change. Letters, digits, - and _. Default main.
	Name string `yaml:"name" example:"nas"`
	// DisplayName is what people see. Default: Documents, or the name.
	DisplayName string `yaml:"display_name" example:"Home NAS"`
	// URL is the collection that becomes the root folder, http or https, without
	// user name or password. Empty: the embedded server over dir.
	URL URL `yaml:"url" example:"https://nas.home.example/dav/"`
	// Auth says what the upstream sees. service: one account for everybody (user
	// and password below). user: each person's own name and password, as given
	// at sign-in. bearer: each person's own access token of the OpenID Connect
	// provider, renewed as needed. Default service.
	Auth string `yaml:"auth" values:"service,user,bearer" example:"user"`
	// User is the service account's name.
	User string `yaml:"user" example:"davwopi"`
	// Password is the service account's password; better use password_file.
	Password Secret `yaml:"password" example:"geheim"`
	// PasswordFile holds it on its first line.
	PasswordFile string `yaml:"password_file" example:"/etc/davwopi/nas.password"`
	// Roots says whether all accounts see the same tree under URL (shared) or
	// each its own (per_user). Required with auth: user and bearer. Default shared.
	Roots string `yaml:"roots" values:"shared,per_user" example:"shared"`
	// CAFile is a PEM file of certificate authorities that are trusted for this
	// upstream besides the system's.
	CAFile string `yaml:"ca_file" example:"/etc/davwopi/nas-ca.pem"`
	// Idle ends a request to the upstream on which no byte has moved for so
	// long. Default 60s.
	Idle time.Duration `yaml:"idle" example:"5m"`
	// Connections is how many connections to this upstream may be open at once;
	// more requests wait. For servers that refuse the eleventh, say (Hetzner Storage
	// Box). 0 to 1000. Default 0: no limit.
	Connections int `yaml:"connections" example:"8"`
	// LocalPath is the folder that URL serves, where it is mounted on this host too (the
	// share of a NAS, the disk itself). Files are known by their inodes then, also after
	// they were changed and moved by others. It is only looked at: everything is read and
	// written through URL. The daemon does not start if it is another folder. Not for FAT,
	// FUSE and SMB. Default none.
	LocalPath string `yaml:"local_path" example:"/mnt/nas/documents"`
	// Expose serves the embedded server at /dav/ too, for app passwords made
	// with davwopi app-password. The access rules hold there as well; a folder in
	// which they hide something cannot be listed, only what lies beside it. Only
	// without url. Default false.
	Expose bool `yaml:"expose" example:"true"`
	// Templates is a folder on this upstream, as a path that begins with a slash, whose
	// files people are offered to begin new ones from: a letterhead, say. Each person is
	// offered those that they can read. Default none.
	Templates string `yaml:"templates" example:"/Templates"`
	// DesktopURL is the address at which people's own computers reach the folder that
	// URL serves, on https, for links that open documents in their Word, Excel or
	// PowerPoint. They sign in there with what that server wants of them. Default none:
	// no such links, but where the embedded server is exposed on https.
	DesktopURL URL `yaml:"desktop_url" example:"https://nas.home.example/dav/"`
}
