package control

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
)

// The files of the door in the state folder. There is one of them at a time.
const (
	socketFile = "control.sock"
	portFile   = "control.json"
)

// maxSocketPath is what fits into the address of a Unix socket on macOS, with
// the zero at its end; Linux takes four bytes more.
const maxSocketPath = 103

// door is what is listened on.
type door struct {
	listener net.Listener
	token    string   // "" for a socket
	files    []string // to be taken away at the end
}

// place is the content of portFile.
type place struct {
	Addr  string `json:"addr"`
	Token string `json:"token"`
}

// openDoor listens on a socket, or else on a port. The lock of the folder is
// ours, so what an earlier life has left there can go.
func openDoor(ctx context.Context, dir string) (*door, error) {
	socket, port := filepath.Join(dir, socketFile), filepath.Join(dir, portFile)
	for _, path := range []string{socket, port} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if runtime.GOOS != "windows" && len(socket) <= maxSocketPath {
		if d, err := openSocket(ctx, socket); err == nil {
			return d, nil
		}
		// Not every file system can hold one.
	}
	return openPort(ctx, port)
}

func openSocket(ctx context.Context, path string) (*door, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	// The folder is private, so nobody was faster.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &door{listener: l}, nil // closing it removes the file
}

func openPort(ctx context.Context, path string) (*door, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := place{Addr: l.Addr().String(), Token: rand.Text()}
	b, err := json.Marshal(p)
	if err == nil {
		err = os.WriteFile(path+".new", append(b, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path) // nobody reads half of it
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &door{listener: l, token: p.Token, files: []string{path}}, nil
}

// admit lets those in who have the token. A socket needs none: who may open it
// is the user.
func (d *door) admit(next http.Handler) http.Handler {
	if d.token == "" {
		return next
	}
	want := []byte("Bearer " + d.token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// close takes away what says where to find the door. The listener is closed by
// the server.
func (d *door) close() error {
	var errs []error
	for _, path := range d.files {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

// ErrNotRunning says that no supervisor listens in a state folder.
var ErrNotRunning = errors.New("no autoreview runs for this configuration")

// find returns how to reach the supervisor of a state folder.
func find(dir string) (network string, p place, err error) {
	b, err := os.ReadFile(filepath.Join(dir, portFile))
	switch {
	case err == nil:
		if err := json.Unmarshal(b, &p); err != nil {
			return "", p, fmt.Errorf("reading %s: %w", portFile, err)
		}
		return "tcp", p, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", p, err
	}
	path := filepath.Join(dir, socketFile)
	if _, err := os.Stat(path); err != nil {
		return "", p, ErrNotRunning
	}
	return "unix", place{Addr: path}, nil
}
