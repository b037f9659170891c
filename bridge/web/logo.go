package web

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strconv"
)

// LogoSizes are the widths and heights, in pixels, in which Microsoft wants a place's icon, largest last.
var LogoSizes = []int{16, 32, 48, 64, 80, 96}

// The colours of icon.svg.
var (
	logoBlue  = color.RGBA{0x25, 0x54, 0xc7, 0xff}
	logoFold  = color.RGBA{0xb9, 0xcc, 0xff, 0xff}
	logoWhite = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

// Logo is our icon as a PNG of px times px pixels on white, with a white border of at least a pixel, as Microsoft wants
// it. px is at least 4.
func Logo(px int) []byte {
	const samples = 8 // in each direction, of each pixel
	border := max(1, px/16)
	scale := 32 / float64(px-2*border) // the drawing is 32 wide
	m := image.NewRGBA(image.Rect(0, 0, px, px))
	for y := range px {
		for x := range px {
			var r, g, b int
			for i := range samples * samples {
				u := (float64(x-border) + (float64(i%samples)+.5)/samples) * scale
				v := (float64(y-border) + (float64(i/samples)+.5)/samples) * scale
				c := logoAt(u, v)
				r, g, b = r+int(c.R), g+int(c.G), b+int(c.B)
			}
			const n = samples * samples
			m.SetRGBA(x, y, color.RGBA{uint8(r / n), uint8(g / n), uint8(b / n), 0xff})
		}
	}
	var out bytes.Buffer
	_ = png.Encode(&out, m) // a buffer takes everything
	return out.Bytes()
}

// logoAt is the colour of icon.svg at a point: a sheet with a folded corner and two lines, on a square with round corners.
func logoAt(x, y float64) color.RGBA {
	switch {
	case !inRound(x, y, 0, 0, 32, 32, 8):
		return logoWhite
	case x < 9 || x > 24 || y < 7.5 || y > 24.5 || x-y > 11: // the fold goes from 18.5,7.5 to 24,13
		return logoBlue
	case x > 18.5 && y < 13:
		return logoFold
	case inRound(x, y, 11.5, 16, 21.5, 18, 1), inRound(x, y, 11.5, 19.5, 18.5, 21.5, 1):
		return logoBlue
	}
	return logoWhite
}

// inRound reports whether a point is in a rectangle whose corners are rounded with a radius.
func inRound(x, y, left, top, right, bottom, radius float64) bool {
	if x < left || x > right || y < top || y > bottom {
		return false
	}
	dx := max(left+radius-x, x-right+radius, 0)
	dy := max(top+radius-y, y-bottom+radius, 0)
	return dx*dx+dy*dy <= radius*radius
}

// LogoURL is where a logo of that size is served, below the public address.
func (p *Pages) LogoURL(px int) string {
	return p.URLs.Public.JoinPath("static", "logo-"+strconv.Itoa(px)+".png").String()
}

// serveLogo answers for logo-48.png and its like; false if name is none.
func serveLogo(w http.ResponseWriter, name string) bool {
	for _, px := range LogoSizes {
		if name != "logo-"+strconv.Itoa(px)+".png" {
			continue
		}
		h := w.Header()
		h.Set("Content-Type", "image/png")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		h.Set("Cache-Control", "public, max-age=86400")
		_, _ = w.Write(Logo(px)) // a browser that went away needs no answer
		return true
	}
	return false
}
