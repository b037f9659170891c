package config

import (
	"strings"
	"testing"
	"time"
)

func TestMetricsAddress(t *testing.T) {
	for value, want := range map[string]string{
		"127.0.0.1:9464": "", "127.0.0.1:0": "", ":9464": "", "9464": "is not an address", "127.0.0.1:8880": "another address than listen",
	} {
		_, err := Load("", []string{"DAVWOPI_METRICS_LISTEN=" + value}, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), "metrics.listen") || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
	}
}

func TestUndoKeys(t *testing.T) {
	c, err := Load("", nil, nil)
	if err != nil || !c.Saves.Undo || c.Saves.UndoAge != 7*24*time.Hour || c.Saves.UndoSize != 1<<30 {
		t.Errorf("by default: %+v, %v", c, err)
	}
	c, err = Load("", []string{"DAVWOPI_SAVES_UNDO=false", "DAVWOPI_SAVES_UNDO_AGE=1h", "DAVWOPI_SAVES_UNDO_SIZE=10M"}, nil)
	if err != nil || c.Saves.Undo || c.Saves.UndoAge != time.Hour || c.Saves.UndoSize != 10<<20 {
		t.Errorf("as given: %+v, %v", c, err)
	}
}
