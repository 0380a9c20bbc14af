package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

// docsHTML is a template; its only style sheet stands in it, see newDocs.
//
//go:embed docs.html
var docsHTML string

// openAPI describes every route, with the schema of every answer. A test holds
// real answers against it.
//
//go:embed openapi.json
var openAPI []byte

var docsTemplate = template.Must(template.New("docs").Parse(docsHTML))

// page is a document that is made once and served as it is.
type page struct {
	body   []byte
	policy string
}

func newDocs(version string) page {
	var out bytes.Buffer
	if err := docsTemplate.Execute(&out, version); err != nil {
		// The template knows only a string and a buffer takes everything.
		panic(err)
	}
	policy := "default-src 'none'; style-src 'sha256-" + styleHash(out.Bytes()) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return page{body: out.Bytes(), policy: policy}
}

// styleHash is the hash by which a policy admits the style sheet of a page.
func styleHash(html []byte) string {
	_, rest, _ := bytes.Cut(html, []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	sum := sha256.Sum256(style)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (p page) serve(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", p.policy)
	send(w, http.StatusOK, p.body)
	return nil
}

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	send(w, http.StatusOK, openAPI)
	return nil
}
