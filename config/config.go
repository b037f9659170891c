package config

import (
	"net/netip"
	"net/url"
	"time"
)

// Config is the operator's page. Its comments are the manual: each key, its
// unit, its default. Every scalar key can also be given as an environment
// variable: DAVWOPI_ and the key path in capitals joined by underscores, for
// example DAVWOPI_UPSTREAM_URL. A flag wins over the environment, the
// environment over the file, the file over the default.
type Config struct {
	// Listen is the address of the web server. On plain http only loopback
	// addresses are accepted unless insecure_http is true.
	// Default 127.0.0.1:8880.
	Listen string `yaml:"listen" example:"0.0.0.0:8880"`

	// PublicURL is the address that people's browsers use. Default: http (or
	// https with tls) and the listen address.
	PublicURL URL `yaml:"public_url" example:"https://docs.home.example"`

	// WOPIURL is the address that the editors' servers use to reach the bridge,
	// where it differs (container networks). Default: public_url.
	WOPIURL URL `yaml:"wopi_url" example:"http://davwopi:8880"`

	// AllowedHosts are further names under which requests may arrive. Any other
	// Host is answered 421. The hosts of public_url and wopi_url are always
	// allowed, and so are loopback names while listen is a loopback address.
	AllowedHosts []string `yaml:"allowed_hosts" example:"[docs.lan]"`

	// InsecureHTTP allows plain http on other than loopback addresses. Every
	// page then shows a banner. Default false.
	InsecureHTTP bool `yaml:"insecure_http" example:"true"`

	// TLS makes the bridge serve https itself, with files or with certificates that it
	// fetches.
	TLS TLS `yaml:"tls"`

	// TrustedProxies are the addresses or networks of reverse proxies whose
	// X-Forwarded-For and X-Forwarded-Proto are believed. Default none.
	TrustedProxies []Network `yaml:"trusted_proxies" example:"[127.0.0.1, 172.16.0.0/12]"`

	// State is where everything lies that must survive a restart. "state: DIR" is
	// the same as "state: {dir: DIR}", and DAVWOPI_STATE as DAVWOPI_STATE_DIR.
	State State `yaml:"state"`

	// Replicas allows several bridges on one state, which state.url names; each has a
	// directory of its own. Without it a second one refuses to start. Default false.
	Replicas bool `yaml:"replicas" example:"true"`

	// SecretKeyFile holds the one true secret: 32 bytes as hex or base64, mode
	// 0600. It is created when absent. Default: secret.key in the state
	// directory. The variable DAVWOPI_SECRET_KEY may hold the key itself.
	SecretKeyFile string `yaml:"secret_key_file" example:"/etc/davwopi/secret.key"`

	// IDRetention is how long the ID of a file that cannot be found is kept for its
	// return. Default 2160h (90 days).
	IDRetention time.Duration `yaml:"id_retention" example:"4320h"`

	// Dir is the folder that is served when no upstream is configured. It is
	// created with a few sample files when absent. Default documents.
	Dir string `yaml:"dir" example:"/srv/documents"`

	// Upstream is the WebDAV server whose files are opened. Without a URL the
	// folder dir is served by the embedded server.
	Upstream Upstream `yaml:"upstream"`

	// Upstreams are several WebDAV servers side by side instead of one; each
	// needs a name.
	Upstreams []Upstream `yaml:"upstreams"`

	// Editors are the editors' servers: a list of URLs, or of entries with the
	// keys url, name, unsigned, api, jwt_secret_file, jwt_header. What each can do is
	// read from its discovery. The built-in text editor needs no entry.
	Editors []Editor `yaml:"editors"`

	// Prefer names, for an extension without its dot, the URL of the editor that
	// opens it, where several could. Default: the first in the list.
	Prefer map[string]string `yaml:"prefer" example:"{odt: https://office.home.example}"`

	// SignIn says how people sign in.
	SignIn SignIn `yaml:"sign_in"`

	// PrivacyURL is the address of your privacy statement, for the pages at which people
	// sign in. Default none.
	PrivacyURL URL `yaml:"privacy_url" example:"https://home.example/privacy"`

	// FrameAncestors are the origins (scheme, host, port) of pages that may show a document's
	// page in a frame, besides our own. Others see an empty frame. Default none.
	FrameAncestors []URL `yaml:"frame_ancestors" example:"[https://intranet.home.example]"`

	// OAuth lets the Office apps on phones in, through the bootstrapper.
	OAuth OAuth `yaml:"oauth"`

	// Admins are the sign-in names of those who see /doctor and everybody's links to files
	// in the browser, and may release the locks of others there: with sign-in links, the
	// names that they were invited by. Whoever holds the first link, which serve prints,
	// is always one. Default none.
	Admins []string `yaml:"admins" example:"[anna]"`

	// Access are rules that limit people to a subtree or to reading. Without
	// rules everybody who is signed in may do what the upstream lets them do.
	Access []AccessRule `yaml:"access"`

	// Sharing says who can be let in by links to files and folders.
	Sharing Sharing `yaml:"sharing"`

	// APIKeys let other programs ask for editing links at /api/v1/open.
	APIKeys []APIKey `yaml:"api_keys"`

	// WOPI switches capabilities that editors are told of.
	WOPI WOPI `yaml:"wopi"`

	// Locks says how the locks of other programs are treated.
	Locks Locks `yaml:"locks"`

	// Saves sets the limits of saving.
	Saves Saves `yaml:"saves"`

	// Walk says how the bridge looks for what others have renamed or moved.
	Walk Walk `yaml:"walk"`

	// Metrics are figures for Prometheus.
	Metrics Metrics `yaml:"metrics"`

	// Log says what is logged, to standard error.
	Log Log `yaml:"log"`
}

// State is a directory, and the address of a database where several bridges share
// what they know.
type State struct {
	// Dir is a directory of this bridge alone: the SQLite database of IDs, locks and
	// tokens, the save journal, the secret key, the socket of the commands. It is
	// created with mode 0700. Back it up. Default davwopi-data.
	Dir string `yaml:"dir" example:"/var/lib/davwopi"`
	// URL is a PostgreSQL database instead of the SQLite one: postgres://USER@HOST/NAME,
	// or with host=/run/postgresql in the query for a unix socket. The password may
	// stand in it, in the file that PGPASSFILE names or in PGPASSWORD. It is never shown.
	URL Secret `yaml:"url" example:"postgres://davwopi@db.home.example/davwopi"`
	// URLFile holds the URL on its first line.
	URLFile string `yaml:"url_file" example:"/etc/davwopi/postgres"`
}

// Shared tells whether the state is in a database that several bridges can share.
func (s State) Shared() bool { return s.URL.Reveal() != "" || s.URLFile != "" }

// Editor is one editor's server.
type Editor struct {
	// URL is the editor's address, or that of its discovery document. Required.
	URL URL `yaml:"url" example:"https://office.home.example"`
	// Name is what people see. Default: its kind and host.
	Name string `yaml:"name" example:"Office" beside:"url: https://office.home.example"`
	// Unsigned accepts unsigned requests although this editor has published
	// proof keys before. Default false.
	Unsigned bool `yaml:"unsigned" example:"true" beside:"url: https://office.home.example"`
	// API is how it is spoken to: wopi, docs (ONLYOFFICE's Docs API), or auto: WOPI where
	// the editor offers it, else the Docs API. Default auto.
	API string `yaml:"api" values:"auto,wopi,docs" example:"docs" beside:"url: https://office.home.example, jwt_secret_file: /etc/davwopi/onlyoffice.secret"`
	// JWTSecretFile holds on its first line the secret that ONLYOFFICE Docs has as
	// JWT_SECRET, at least 8 characters. Without it the Docs API is not spoken.
	JWTSecretFile string `yaml:"jwt_secret_file" example:"/etc/davwopi/onlyoffice.secret" beside:"url: https://office.home.example"`
	// JWTHeader is the header in which ONLYOFFICE Docs sends its tokens, as JWT_HEADER there.
	// Default Authorization.
	JWTHeader string `yaml:"jwt_header" example:"AuthorizationJwt" beside:"url: https://office.home.example, jwt_secret_file: /etc/davwopi/onlyoffice.secret"`
}

// AccessRule limits people. Of the rules that match a person and a path, those
// with the longest path count; of these, one that names the person or a group goes
// before *; of these, the strictest.
type AccessRule struct {
	// Who are sign-in names, group:NAME, or * for everybody. Required. A display name, which
	// people choose themselves, is heard only where it takes away.
	Who []string `yaml:"who" example:"[anna, group:family]" beside:"rights: view"`
	// Upstream limits the rule to one upstream. Default all.
	Upstream string `yaml:"upstream" example:"main" beside:"who: ['*'], rights: view"`
	// Path is the subtree that the rule is about. Default /.
	Path string `yaml:"path" example:"/Letters" beside:"who: ['*'], rights: view"`
	// Rights are none, view or edit. Required.
	Rights string `yaml:"rights" values:"none,view,edit" example:"view" beside:"who: ['*'], path: /Letters"`
}

// Sharing is about the links that people make to a file or folder. Those for people
// with an account, who see there what they may see anyway, can always be made.
type Sharing struct {
	// Anonymous lets people also make links that open without an account, with a
	// password and an end if they like. Guests reach what was shared and nothing
	// else, never more than access allows to whoever made the link and to guests (who:
	// group:guests, or *), and cannot rename, delete or share. Only on upstreams with
	// auth: service. Default false.
	Anonymous bool `yaml:"anonymous" example:"true"`
}

// APIKey lets a program act for people.
type APIKey struct {
	// Name says in the log whose key it is. Required.
	Name string `yaml:"name" example:"intranet" beside:"key_file: /etc/davwopi/intranet.key, principals: ['*']"`
	// KeyFile holds the key on its first line, at least 20 characters.
	KeyFile string `yaml:"key_file" example:"/etc/davwopi/intranet.key" beside:"name: intranet, principals: ['*']"`
	// SHA256 is the key's SHA-256 in hex, instead of key_file.
	SHA256 string `yaml:"sha256" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" beside:"name: intranet, principals: ['*']"`
	// Principals are the names for which documents may be opened, or *. Required.
	Principals []string `yaml:"principals" example:"[anna, ben]" beside:"name: intranet, key_file: /etc/davwopi/intranet.key"`
	// Upstream limits the key to one upstream. Default all.
	Upstream string `yaml:"upstream" example:"main" beside:"name: intranet, key_file: /etc/davwopi/intranet.key, principals: ['*']"`
	// Subtree limits it to a folder. Default /.
	Subtree string `yaml:"subtree" example:"/Letters" beside:"name: intranet, key_file: /etc/davwopi/intranet.key, principals: ['*']"`
	// Modes are view and edit. Default both.
	Modes []string `yaml:"modes" values:"view,edit" example:"[view]" beside:"name: intranet, key_file: /etc/davwopi/intranet.key, principals: ['*']"`
}

// WOPI switches capabilities.
type WOPI struct {
	// WriteRelative allows PutRelativeFile (save as). Default true.
	WriteRelative bool `yaml:"write_relative" example:"false"`
	// Containers offers the containers and ecosystem endpoints, by which editors
	// look around in folders. Default true.
	Containers bool `yaml:"containers" example:"false"`
	// FileURL gives editors a direct address of the bytes. Default false.
	FileURL bool `yaml:"file_url" example:"true"`
	// BusinessUsers asks Microsoft's editors to check for a licence. Default
	// false.
	BusinessUsers bool `yaml:"business_users" example:"true"`
	// Networks are the addresses or networks from which the servers of configured editors
	// call, besides the proof of their keys. Behind a proxy of trusted_proxies it is the
	// address that the proxy saw. Browsers with the built-in text editor and Office on
	// phones come from anywhere. Default all.
	Networks []Network `yaml:"networks" example:"[10.0.0.5, 172.16.0.0/12]"`
	// RequestsPerToken is how many requests with one access token are carried out at once.
	// As many again wait for their turn; what comes beyond is answered 503 with
	// Retry-After. 4 to 10000. Default 32, of which an editor uses a few.
	RequestsPerToken int `yaml:"requests_per_token" example:"64"`
}

// Locks is about the locks of other programs.
type Locks struct {
	// RespectLockFiles treats the lock files of desktop programs (LibreOffice,
	// Microsoft Office) as locks. Default true.
	RespectLockFiles bool `yaml:"respect_lock_files" example:"false"`
	// AnnounceLocks writes LibreOffice's lock file while a document is open, so
	// that people on a network drive see it. Default true with an upstream url,
	// false for the embedded server.
	AnnounceLocks *bool `yaml:"announce_locks" example:"false"`
}

// Saves are the limits of saving.
type Saves struct {
	// MaxFileSize is the largest document that is accepted, in bytes; k, M and G
	// multiply by 1024. Default 4G.
	MaxFileSize Size `yaml:"max_file_size" example:"500M"`
	// Patience is how long a save waits for another one of the same file and for
	// the upstream before it is answered as when_upstream_is_down says. Default 20s.
	Patience time.Duration `yaml:"patience" example:"30s"`
	// WhenUpstreamIsDown says what a save is answered while the upstream does not take
	// it. auto: editors that would not try again (ONLYOFFICE, Collabora) are told that
	// it is saved, and it waits in the state directory until the upstream is back; the
	// others are told an error, and keep their own unsaved mark. queue: every save
	// waits. refuse: none does. Nothing waits on a tmpfs or a container's own file
	// system, on a disk that is nearly full, or with state.url and files that the other
	// bridges cannot read (store). Default auto.
	WhenUpstreamIsDown string `yaml:"when_upstream_is_down" values:"auto,queue,refuse" example:"queue"`
	// Store is where the bytes of saves are kept until they are on the upstream. files:
	// below the state directory, or in dir. database: in the database of state.url, where
	// the other bridges can read them. Default database with state.url, else files.
	Store string `yaml:"store" values:"files,database" example:"files"`
	// Dir is a folder on a volume that all bridges share, for store: files. It must pass
	// a check of what a journal needs (fsync, rename). Default saves in the state directory.
	Dir string `yaml:"dir" example:"/mnt/shared/davwopi"`
	// MaxAge is how long the oldest save may have waited when another begins to. What
	// waits already goes on. Default 24h.
	MaxAge time.Duration `yaml:"max_age" example:"72h"`
	// Undo keeps what a save replaces for a while, so that the save can be undone. false:
	// nothing is kept; a save that would empty a document is refused then. Default true.
	Undo bool `yaml:"undo" example:"false"`
	// UndoAge is for how long. Default 168h.
	UndoAge time.Duration `yaml:"undo_age" example:"24h"`
	// UndoSize is how much is kept in all, the oldest goes first; a document that is
	// larger is not kept. Default 1G.
	UndoSize Size `yaml:"undo_size" example:"10G"`
}

// Metrics are figures for Prometheus.
type Metrics struct {
	// Listen is the address of a web server of its own for /metrics, such as
	// 127.0.0.1:9464. There is no sign-in: let only the machine that collects reach it.
	// Default none.
	Listen string `yaml:"listen" example:"127.0.0.1:9464"`
	// Profiles serves Go's profiles (pprof) there too, at /debug/pprof/. They show what is
	// in memory, people's documents included. Default false.
	Profiles bool `yaml:"profiles" example:"true"`
}

// Walk is the search for what others have renamed or moved, before somebody asks for
// it. A file that is asked for is looked for at once, with or without it. There is no
// walk where people come with accounts of their own (upstream.auth user).
type Walk struct {
	// Enabled has the walk. Default true.
	Enabled bool `yaml:"enabled" example:"false"`
	// Watch looks at once into the folders of open documents, and those that people have
	// used lately, when the system says that names come or go there: of the folder dir,
	// and of upstream.local_path. Default true.
	Watch bool `yaml:"watch" example:"false"`
	// Every is how often a round looks into the folders that people have used lately.
	// Default 6h.
	Every time.Duration `yaml:"every" example:"1h"`
	// RequestsPerSecond is the most that a walk asks of one upstream. 1 to 1000.
	// Default 2.
	RequestsPerSecond int `yaml:"requests_per_second" example:"10"`
	// Within is for how long a folder counts as used after somebody has seen something
	// in it. Default 720h.
	Within time.Duration `yaml:"within" example:"168h"`
	// AtAnyTime lets rounds begin while nobody uses the upstream. Else a round that is
	// due waits until somebody does, so that sleeping disks are not woken.
	// Default false.
	AtAnyTime bool `yaml:"at_any_time" example:"true"`
}

// Log says what is logged.
type Log struct {
	// Level is error, warn, info or debug. Document names appear at debug only;
	// tokens and passwords never. Default info.
	Level string `yaml:"level" values:"error,warn,info,debug" example:"warn"`
	// Format is text or json. Default text.
	Format string `yaml:"format" values:"text,json" example:"json"`
	// Requests writes a line for every request, at level info: of editors with the
	// operation, the file's ID, the person's, the time and how often the upstream was
	// asked; of browsers and programs with the part of davwopi that they asked. No names of
	// documents. Default false: only what went wrong, and the rest at debug.
	Requests bool `yaml:"requests" example:"true"`
	// Audit is a file to which a line of JSON is appended, and synced, for each sign-in
	// (good and bad), sign-out, link, release, restore, undo, drop, deletion, app password
	// and use of an API key: who, from where, when. It is opened anew at SIGHUP, for
	// logrotate. - is standard error. Default none.
	Audit string `yaml:"audit" example:"/var/log/davwopi/audit.log"`
	// AuditNames has the names of documents in those lines, too. Default false: their IDs.
	AuditNames bool `yaml:"audit_names" example:"true"`
}

// A URL is an absolute http or https URL without query, fragment and user
// information; the zero URL is unset.
type URL struct{ *url.URL }

// A Network is an address or a network in CIDR form.
type Network struct{ netip.Prefix }

// A Secret is a text that is never printed.
type Secret struct{ text string }

// Reveal returns the text.
func (s Secret) Reveal() string { return s.text }

// String hides the text.
func (Secret) String() string { return "(hidden)" }

// GoString hides the text.
func (Secret) GoString() string { return "(hidden)" }

// A Size is a number of bytes.
type Size int64

// Default returns the configuration of a bare machine.
func Default() *Config {
	return &Config{
		Listen:      "127.0.0.1:8880",
		IDRetention: 90 * 24 * time.Hour,
		State:       State{Dir: "davwopi-data"},
		Dir:         "documents",
		SignIn:      defaultSignIn(),
		WOPI:        WOPI{WriteRelative: true, Containers: true, RequestsPerToken: 32},
		Locks:       Locks{RespectLockFiles: true},
		Saves:       Saves{MaxFileSize: 4 << 30, Patience: 20 * time.Second, WhenUpstreamIsDown: "auto", MaxAge: 24 * time.Hour, Undo: true, UndoAge: 168 * time.Hour, UndoSize: 1 << 30},
		Walk:        Walk{Enabled: true, Watch: true, Every: 6 * time.Hour, RequestsPerSecond: 2, Within: 720 * time.Hour},
		Log:         Log{Level: "info", Format: "text"},
	}
}
