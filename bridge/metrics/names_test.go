package metrics

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// figures are all names that the page can have, with those that histograms add.
func figures(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{"davwopi_build_info": true, "davwopi_scrape_errors_total": true} // made by Handler
	all := append(NewCounters().collectors(), &rooms{Metrics: &Metrics{}},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	described := regexp.MustCompile(`fqName: "([a-z_]+)"`)
	for _, c := range all {
		ch := make(chan *prometheus.Desc, 100)
		c.Describe(ch)
		close(ch)
		for d := range ch {
			names[described.FindStringSubmatch(d.String())[1]] = true
		}
	}
	return names
}

// TestWatchersNameFiguresThatExist: alerts and dashboard, and that the page on them leaves nothing out.
func TestWatchersNameFiguresThatExist(t *testing.T) {
	have := figures(t)
	word := regexp.MustCompile(`\b(davwopi|go|process)_[a-z_]+`)
	told := map[string]bool{}
	for _, file := range []string{"alerts.yaml", "grafana.json", "README.md"} {
		text, err := os.ReadFile("../../deploy/monitoring/" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := word.FindAllString(string(text), -1)
		if len(found) < 10 {
			t.Errorf("%s names %d figures", file, len(found))
		}
		for _, name := range found {
			base := name
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if base != "go_" && base != "process_" && !have[base] {
				t.Errorf("%s names %s, which there is not", file, name)
			}
			told[base] = told[base] || file == "README.md"
		}
	}
	for name := range have {
		if strings.HasPrefix(name, "davwopi_") && !told[name] {
			t.Errorf("deploy/monitoring/README.md says nothing of %s", name)
		}
	}
}
