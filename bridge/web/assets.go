package web

import (
	"net/http"
	"path"
	"sync"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/words"
)

// assetKinds are the types of embedded files.
var assetKinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// embedded are the files of assets by name. (Pages are compressed elsewhere: [site.maySqueeze].)
var embedded = sync.OnceValue(func() map[string]endpoint.Asset {
	out := map[string]endpoint.Asset{"words.js": endpoint.NewAsset("words.js", assetKinds[".js"], words.Script)}
	list, _ := assets.ReadDir("assets") // it is embedded
	for _, e := range list {
		if b, err := assets.ReadFile("assets/" + e.Name()); err == nil {
			out[e.Name()] = endpoint.NewAsset(e.Name(), assetKinds[path.Ext(e.Name())], b)
		}
	}
	return out
})

// serveAsset sends one embedded file.
func serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	if serveLogo(w, name) {
		return
	}
	part, ok := embedded()[path.Base(name)]
	if !ok {
		http.Error(w, words.For(r).Say("unknown.title"), http.StatusNotFound)
		return
	}
	part.Serve(w, r)
}
