package wopi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
)

func TestCheckFileInfoSendsNoEmptyProperties(t *testing.T) {
	got, err := json.Marshal(wopi.CheckFileInfo{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"BaseFileName":"","OwnerId":"","Size":0,"UserId":"","Version":"",` +
		`"ReadOnly":false,"UserCanWrite":false,"UserCanNotWriteRelative":false,"UserCanRename":false,` +
		`"IsEduUser":false,"LicenseCheckForEditIsEnabled":false}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// fill sets every field under v to something that is not its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"x": "x"}))
	}
}

// Microsoft's schema names every property it knows and forbids eight. Each of
// the first is a property here, of the same type, and none of the second.
func TestCheckFileInfoHasThePropertiesOfTheSchema(t *testing.T) {
	data, err := os.ReadFile("../../test/conform/testdata/CsppCheckFileInfoSchema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]map[string]any `json:"properties"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &schema); err != nil {
		t.Fatal(err)
	}
	var info wopi.CheckFileInfo
	fill(reflect.ValueOf(&info).Elem())
	body, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	var have map[string]any
	if err := json.Unmarshal(body, &have); err != nil {
		t.Fatal(err)
	}
	if len(schema.Properties) < 100 {
		t.Fatalf("only %d properties in the schema", len(schema.Properties))
	}
	for name, rule := range schema.Properties {
		value, ok := have[name]
		if _, forbidden := rule["not"]; forbidden {
			if ok {
				t.Errorf("%s must never be sent", name)
			}
			continue
		}
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		if _, isBool := value.(bool); (rule["type"] == "boolean") != isBool {
			t.Errorf("%s has the wrong type", name)
		}
	}
}

func TestCollaboraPropertiesAreSpelled(t *testing.T) {
	var info wopi.CheckFileInfo
	fill(reflect.ValueOf(&info).Elem())
	body, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(`TemplateSource TemplateSaveAs ObfuscatedUserId UserExtraInfo UserPrivateInfo
		ServerPrivateInfo UserSettings SharedSettings WatermarkText HidePrintOption HideSaveOption HideExportOption
		HideRepairOption DisableExport DisableCopy DisableInactiveMessages DownloadAsPostMessage EnableOwnerTermination
		EnableInsertRemoteImage EnableInsertRemoteFile DisableInsertLocalImage EnableRemoteLinkPicker
		EnableRemoteAIContent DisableAISettings EnableShare HideUserList UserCanOnlyComment IsAdminUser IsUserLocked
		IsUserRestricted DisableChangeTrackingRecord DisableChangeTrackingShow HideChangeTrackingControls
		DisablePresentation PresentationLeader CommentAvatarUrl IsOwner HasContentRange UserMentionPostMessage`) {
		if !bytes.Contains(body, []byte(`"`+name+`":`)) {
			t.Errorf("%s is missing", name)
		}
	}
	if !bytes.Contains(body, []byte(`"UserExtraInfo":{"avatar":"x","mail":"x"}`)) || !bytes.Contains(body, []byte(`"UserSettings":{"uri":"x","stamp":"x"}`)) {
		t.Errorf("objects: %s", body)
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer any
		want   string
	}{
		{"no ancestors are an empty array", wopi.Ancestors{}, `{"AncestorsWithRootFirst":[]}`},
		{"ancestors", wopi.Ancestors{AncestorsWithRootFirst: []wopi.Pointer{{Name: "Files", Url: "u"}}}, `{"AncestorsWithRootFirst":[{"Name":"Files","Url":"u"}]}`},
		{"PutFile", wopi.PutFileInfo{LastModifiedTime: "t"}, `{"LastModifiedTime":"t"}`},
		{"PutRelativeFile", wopi.PutRelativeFileInfo{Name: "n", Url: "u"}, `{"Name":"n","Url":"u"}`},
		{"RenameFile", wopi.RenameFileInfo{Name: "n"}, `{"Name":"n"}`},
		{"GetShareUrl", wopi.ShareURL{ShareUrl: "s"}, `{"ShareUrl":"s"}`},
		{"a document changed in storage", wopi.DocumentChanged(), `{"COOLStatusCode":1010,"LOOLStatusCode":1010}`},
		{"CheckContainerInfo says the licence properties", wopi.ContainerInfo{Name: "n"},
			`{"Name":"n","UserCanCreateChildContainer":false,"UserCanCreateChildFile":false,"UserCanDelete":false,"UserCanRename":false,"IsEduUser":false,"LicenseCheckForEditIsEnabled":false}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := json.Marshal(tt.answer); err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestError(t *testing.T) {
	inner := errors.New("dav: 423")
	lock := wopi.LockID("A")
	err := &wopi.Error{Status: 409, Lock: &lock, Reason: "locked by Mira", Err: inner}
	if got := err.Error(); got != "wopi: 409 Conflict: locked by Mira: dav: 423" {
		t.Errorf("got %q", got)
	}
	if !errors.Is(err, inner) {
		t.Error("the error behind it is lost")
	}
}

func TestOffice(t *testing.T) {
	for _, o := range []wopi.Office{wopi.AnyOffice, wopi.Microsoft, wopi.Collabora, wopi.OnlyOffice, wopi.TextEditor} {
		if got := wopi.ParseOffice(o.String()); got != o {
			t.Errorf("%s came back as %s", o, got)
		}
	}
	if wopi.ParseOffice("word processor") != wopi.AnyOffice || wopi.Office(99).String() != "any" {
		t.Error("an unknown office is any")
	}
}

func TestTicks(t *testing.T) {
	at := time.Date(2026, 7, 18, 19, 33, 20, 0, time.UTC)
	if got := wopi.Ticks(at); got != 639200000000000000 {
		t.Errorf("got %d", got)
	}
	for _, n := range []int64{639200000000000000, 639200000000000001, 0, -1, math.MaxInt64} {
		if got := wopi.Ticks(wopi.FromTicks(n)); got != n {
			t.Errorf("%d came back as %d", n, got)
		}
	}
	if got := wopi.FromTicks(639200000000000000).Format(wopi.TimeFormat); got != "2026-07-18T19:33:20.0000000Z" {
		t.Errorf("got %s", got)
	}
}

func TestParseMaxExpectedSize(t *testing.T) {
	for _, tt := range []struct {
		header string
		want   int64
	}{
		{"1000", 1000}, {"0", 0}, {" 104857600 ", 104857600}, {"4294967296", 4294967296},
		{"", wopi.DefaultMaxExpectedSize}, {"-1", wopi.DefaultMaxExpectedSize}, {"many", wopi.DefaultMaxExpectedSize},
		{"99999999999999999999", wopi.DefaultMaxExpectedSize},
	} {
		if got := wopi.ParseMaxExpectedSize(tt.header); got != tt.want {
			t.Errorf("%q: got %d, want %d", tt.header, got, tt.want)
		}
	}
}

func TestHeaderText(t *testing.T) {
	if got := wopi.HeaderText(" locked by Größe\r\nX-Evil: 1 "); got != "locked by Gr??e??X-Evil: 1" {
		t.Errorf("got %q", got)
	}
	if got := wopi.HeaderText(strings.Repeat("a", 2000)); len(got) != wopi.MaxHeaderText {
		t.Errorf("%d bytes", len(got))
	}
}
