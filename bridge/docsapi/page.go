package docsapi

import "net/http"

func (d *Docs) servePage(w http.ResponseWriter, r *http.Request)      {}
func (d *Docs) serveConvert(w http.ResponseWriter, r *http.Request)   {}
func (d *Docs) serveConverted(w http.ResponseWriter, r *http.Request) {}
