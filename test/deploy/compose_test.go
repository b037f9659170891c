package deploy

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"davwopi/config"
)

const folder = "../../deploy"

// A file is as much of a compose file as the examples use. Whatever else stands in one is
// an error: a key that compose does not know, or one that this test must learn first.
type file struct {
	Name     string             `yaml:"name"`
	Davwopi  yaml.Node          `yaml:"x-davwopi"` // an extension, which compose leaves alone
	Services map[string]service `yaml:"services"`
	Volumes  map[string]struct {
		Driver string `yaml:"driver"`
	} `yaml:"volumes"`
	Networks map[string]struct {
		IPAM struct {
			Config []struct {
				Subnet string `yaml:"subnet"`
			} `yaml:"config"`
		} `yaml:"ipam"`
	} `yaml:"networks"`
}

type service struct {
	Image string `yaml:"image"`
	Build *struct {
		Context    string `yaml:"context"`
		Dockerfile string `yaml:"dockerfile"`
	} `yaml:"build"`
	Restart     string            `yaml:"restart"`
	User        string            `yaml:"user"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	CapAdd      []string          `yaml:"cap_add"`
	SecurityOpt []string          `yaml:"security_opt"`
	StopGrace   string            `yaml:"stop_grace_period"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck *struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Timeout  string   `yaml:"timeout"`
		Retries  int      `yaml:"retries"`
	} `yaml:"healthcheck"`
	Networks map[string]struct {
		Aliases []string `yaml:"aliases"`
		IPv4    string   `yaml:"ipv4_address"`
	} `yaml:"networks"`
}

func examples(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(folder + "/*/compose.yaml")
	if err != nil || len(found) < 4 {
		t.Fatalf("%v %v", found, err)
	}
	return found
}

func read(t *testing.T, path string) file {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f file
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

var (
	image    = regexp.MustCompile(`^[a-z0-9-]+(/[a-z0-9-]+)?(:[a-z0-9.-]+)?$`)
	port     = regexp.MustCompile(`^127\.0\.0\.1:(\d{2,5}):(\d{2,5})$`) // an example is no door to the network
	variable = regexp.MustCompile(`\$\{([A-Z_]+):\?[^}]+\}`)
)

// TestComposeFiles reads every one, and looks for what it names.
func TestComposeFiles(t *testing.T) {
	for _, path := range examples(t) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			f := read(t, path)
			if f.Name == "" || len(f.Services) == 0 {
				t.Error("no name, or no services")
			}
			published := map[string]string{}
			used := map[string]bool{}
			for name, s := range f.Services {
				s.check(t, f, name, filepath.Dir(path), used)
				for _, p := range s.Ports {
					m := port.FindStringSubmatch(p)
					if m == nil {
						t.Errorf("%s: port %q", name, p)
					} else if other := published[m[1]]; other != "" {
						t.Errorf("%s and %s publish %s", name, other, m[1])
					} else {
						published[m[1]] = name
					}
				}
			}
			for v := range f.Volumes {
				if !used[v] {
					t.Errorf("volume %s is used by nobody", v)
				}
			}
			checkEnv(t, path)
		})
	}
}

func (s service) check(t *testing.T, f file, name, dir string, used map[string]bool) {
	t.Helper()
	if !image.MatchString(s.Image) {
		t.Errorf("%s: image %q", name, s.Image)
	}
	if s.Build != nil {
		if _, err := os.Stat(filepath.Join(dir, s.Build.Context, "Dockerfile")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.Restart != "unless-stopped" {
		t.Errorf("%s: restart %q", name, s.Restart)
	}
	for _, v := range s.Volumes {
		from, to, ok := strings.Cut(v, ":")
		switch {
		case !ok || !strings.HasPrefix(to, "/"):
			t.Errorf("%s: volume %q", name, v)
		case from == "./documents": // made by who follows the first lines
		case strings.HasPrefix(from, "./"):
			if _, err := os.Stat(filepath.Join(dir, from)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		default:
			if _, declared := f.Volumes[from]; !declared {
				t.Errorf("%s: volume %s is not declared", name, from)
			}
			used[from] = true
		}
	}
	for other, d := range s.DependsOn {
		on, there := f.Services[other]
		if !there || d.Condition != "service_healthy" || on.Healthcheck == nil || on.Healthcheck.Test[0] != "CMD" {
			t.Errorf("%s waits for %s, which is not there or has no health check", name, other)
		}
	}
	for n := range s.Networks {
		if _, declared := f.Networks[n]; !declared {
			t.Errorf("%s: network %s is not declared", name, n)
		}
	}
	for _, c := range slices.Concat(s.CapAdd, s.CapDrop) {
		if !slices.Contains([]string{"ALL", "MKNOD"}, c) {
			t.Errorf("%s: capability %q", name, c)
		}
	}
}

// checkEnv: every variable that must be given is in the lines that say how.
func checkEnv(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "\nname: ")
	for _, m := range variable.FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(head, m[1]+"=") {
			t.Errorf("%s is asked for, and the first lines do not say how to make it", m[1])
		}
	}
	if rest := variable.ReplaceAllString(string(text), ""); strings.Contains(strings.Replace(rest, head, "", 1), "$") {
		t.Error("a variable that need not be given")
	}
}

// inImage is the environment that the Dockerfile gives.
func inImage(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if settings, ok := strings.CutPrefix(line, "ENV "); ok {
			for _, s := range strings.Fields(settings) {
				name, value, _ := strings.Cut(s, "=")
				found[name] = value
			}
		}
	}
	if len(found) == 0 {
		t.Fatal("no ENV in the Dockerfile")
	}
	return found
}

// TestComposeConfigurations loads what each davwopi would load, as davwopi does.
func TestComposeConfigurations(t *testing.T) {
	for _, path := range examples(t) {
		f := read(t, path)
		names := slices.Sorted(maps.Keys(f.Services))
		bridges := 0
		for _, name := range names {
			s := f.Services[name]
			if s.Image != "davwopi" {
				continue
			}
			bridges++
			t.Run(filepath.Base(filepath.Dir(path))+" "+name, func(t *testing.T) {
				environment := inImage(t)
				for key, value := range s.Environment {
					environment[key] = variable.ReplaceAllString(value, "0123456789abcdef0123456789abcdef")
				}
				yamlFile := environment["DAVWOPI_CONFIG"]
				mounted := ""
				for _, v := range s.Volumes {
					if from, to, _ := strings.Cut(v, ":"); strings.TrimSuffix(to, ":ro") == yamlFile {
						mounted = filepath.Join(filepath.Dir(path), from)
					}
				}
				if mounted == "" {
					t.Fatalf("%s is not mounted", yamlFile)
				}
				var environ []string
				for key, value := range environment {
					if key != "DAVWOPI_CONFIG" {
						environ = append(environ, key+"="+value)
					}
				}
				c, err := config.Load(mounted, environ, nil)
				if err != nil {
					t.Fatal(err)
				}
				s.agrees(t, f, c)
			})
		}
		if bridges == 0 {
			t.Errorf("%s has no davwopi", path)
		}
	}
}

// agrees: the names in davwopi's configuration lead somewhere in this file.
func (s service) agrees(t *testing.T, f file, c *config.Config) {
	t.Helper()
	leads := map[string]bool{}
	addresses := map[string]bool{}
	for name, other := range f.Services {
		leads[name] = true
		for _, n := range other.Networks {
			addresses[n.IPv4] = true
			for _, alias := range n.Aliases {
				leads[alias] = true
			}
		}
	}
	urls := []string{c.PublicURL.Hostname()}
	for _, e := range c.Editors {
		urls = append(urls, e.URL.Hostname())
	}
	for _, u := range c.Upstreams {
		if u.URL.URL != nil {
			urls = append(urls, u.URL.Hostname())
		}
	}
	for _, host := range urls {
		if !leads[host] {
			t.Errorf("nothing here is called %s", host)
		}
	}
	for _, p := range c.TrustedProxies {
		if !addresses[p.Addr().String()] {
			t.Errorf("nobody here has the address %s", p)
		}
	}
	if !slices.ContainsFunc(s.Volumes, func(v string) bool { return strings.HasSuffix(v, ":/data") }) || c.State.Dir != "/data" {
		t.Errorf("the state, %s, is not on a volume: %v", c.State.Dir, s.Volumes)
	}
	if c.Replicas != (len(f.Volumes) > 2) {
		t.Errorf("replicas: %v", c.Replicas)
	}
}

// TestCaddyfiles: what a proxy leads to is there.
func TestCaddyfiles(t *testing.T) {
	found, err := filepath.Glob(folder + "/*/Caddyfile")
	if err != nil || len(found) < 2 {
		t.Fatal(found, err)
	}
	target := regexp.MustCompile(`([a-z0-9-]+):(\d+)`)
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), "{") != strings.Count(string(text), "}") {
			t.Errorf("%s: braces", path)
		}
		f := read(t, filepath.Join(filepath.Dir(path), "compose.yaml"))
		for _, line := range strings.Split(string(text), "\n") {
			rest, ok := strings.CutPrefix(strings.TrimSpace(line), "reverse_proxy ")
			if !ok {
				continue
			}
			for _, m := range target.FindAllStringSubmatch(rest, -1) {
				s, there := f.Services[m[1]]
				if !there || s.Image == "davwopi" && m[2] != "8880" {
					t.Errorf("%s: %s leads nowhere", path, m[0])
				}
			}
		}
	}
}
