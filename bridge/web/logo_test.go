package web

import (
	"bytes"
	"image/color"
	"image/png"
	"net/http/httptest"
	"testing"
)

// TestLogo: the sizes and the white border that Microsoft asks for, and our own icon within.
func TestLogo(t *testing.T) {
	for _, px := range LogoSizes {
		m, err := png.Decode(bytes.NewReader(Logo(px)))
		if err != nil || m.Bounds().Dx() != px || m.Bounds().Dy() != px {
			t.Fatalf("%d: %v, %v", px, m.Bounds(), err)
		}
		for i := range px {
			for _, at := range [][2]int{{i, 0}, {i, px - 1}, {0, i}, {px - 1, i}} {
				if m.At(at[0], at[1]) != (color.RGBA{0xff, 0xff, 0xff, 0xff}) {
					t.Fatalf("%d: the border is not white at %v", px, at)
				}
			}
		}
		for name, c := range map[string]struct {
			x, y int // of 32
			want color.RGBA
		}{"ground": {4, 16, logoBlue}, "sheet": {11, 10, logoWhite}, "fold": {20, 12, logoFold}} {
			border := max(1, px/16)
			at := func(v int) int { return border + v*(px-2*border)/32 }
			if got := m.At(at(c.x), at(c.y)); px >= 48 && got != c.want {
				t.Errorf("%d: %s is %v", px, name, got)
			}
		}
	}
}

func TestLogosAreServed(t *testing.T) {
	w := httptest.NewRecorder()
	serveAsset(w, httptest.NewRequest("GET", "/static/logo-48.png", nil), "logo-48.png")
	if m, err := png.DecodeConfig(w.Body); err != nil || m.Width != 48 || w.Header().Get("Content-Type") != "image/png" {
		t.Errorf("%+v, %v", m, err)
	}
	w = httptest.NewRecorder()
	serveAsset(w, httptest.NewRequest("GET", "/static/logo-4000.png", nil), "logo-4000.png")
	if w.Code != 404 {
		t.Errorf("a size that nobody asked for: %d", w.Code)
	}
}
