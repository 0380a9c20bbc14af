package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var embedded embed.FS

// assets are the files of the page. They share one hash, which is a folder in
// their addresses, so that modules find each other by relative names and a new
// binary never mixes with files of an old one.
type assets struct {
	index asset
	hash  string
	files map[string]asset // :: name below assets → file
}

type asset struct {
	body []byte
	mime string
	etag string
}

// mimes are the types of the files we have; the system's table may lack them or
// say something else.
var mimes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

// loadAssets panics when the embedded files are not what they were when the
// binary was built and tested.
func loadAssets(version string) *assets {
	a := &assets{files: make(map[string]asset)}
	sum := sha256.New()
	err := fs.WalkDir(embedded, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		a.files[strings.TrimPrefix(name, "assets/")] = newAsset(name, body)
		_, _ = sum.Write([]byte(name + "\x00"))
		_, err = sum.Write(body)
		return err
	})
	if err != nil {
		panic(err)
	}
	a.hash = hex.EncodeToString(sum.Sum(nil)[:8])
	a.index = newAsset("index.html", a.render(version))
	delete(a.files, "index.html")
	return a
}

func (a *assets) render(version string) []byte {
	var page bytes.Buffer
	t := template.Must(template.New("index").Parse(string(a.files["index.html"].body)))
	err := t.Execute(&page, struct{ Base, Version string }{"/assets/" + a.hash, version})
	if err != nil {
		panic(err)
	}
	return page.Bytes()
}

func newAsset(name string, body []byte) asset {
	sum := sha256.Sum256(body)
	return asset{body: body, mime: mimes[path.Ext(name)], etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
}

func (a *assets) page(w http.ResponseWriter, r *http.Request) {
	a.index.serve(w, r, "no-cache")
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	name, cache := r.PathValue("path"), "no-cache"
	if file, ok := strings.CutPrefix(name, a.hash+"/"); ok {
		name, cache = file, "public, max-age=31536000, immutable"
	}
	f, ok := a.files[name]
	if !ok {
		writeError(w, http.StatusNotFound, "", "there is no such file")
		return
	}
	f.serve(w, r, cache)
}

func (f asset) serve(w http.ResponseWriter, r *http.Request, cache string) {
	w.Header().Set("Content-Type", f.mime)
	w.Header().Set("Cache-Control", cache)
	w.Header().Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
