package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"autoreview/relay/relaytest"
)

// BenchmarkReady measures from the start of each program to its ready line, on
// fresh folders. The floor is a start of the same binary that only prints its
// version.
func BenchmarkReady(b *testing.B) {
	bin := b.TempDir()
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "autoreview/cmd/relay", "autoreview/cmd/autoreview")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	exe := func(name string) string {
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		return filepath.Join(bin, name)
	}
	b.Run("relay", func(b *testing.B) {
		measureReady(b, "relay is ready", func() *exec.Cmd {
			return exec.Command(exe("relay"), "serve", "--port", "0", "--data", b.TempDir())
		})
	})
	b.Run("autoreview", func(b *testing.B) {
		r := relaytest.Start(b)
		measureReady(b, "autoreview: watching", func() *exec.Cmd {
			dir := b.TempDir()
			path := filepath.Join(dir, "autoreview.toml")
			text := fmt.Sprintf("relay = %q\nstate_dir = %q\n\n[[watch]]\nchannel = \"c\"\n", r.URL, filepath.Join(dir, "state"))
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
			return exec.Command(exe("autoreview"), "run", "--config", path)
		})
	})
}

func measureReady(b *testing.B, word string, command func() *exec.Cmd) {
	var ready, floor []time.Duration
	for b.Loop() {
		cmd := command()
		began := time.Now()
		if err := exec.Command(cmd.Path, "version").Run(); err != nil {
			b.Fatal(err)
		}
		floor = append(floor, time.Since(began))
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		cmd.Stderr = cmd.Stdout
		began = time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		found := false
		for !found && lines.Scan() {
			found = strings.Contains(lines.Text(), word)
		}
		ready = append(ready, time.Since(began))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if !found {
			b.Fatalf("%s did not say %q", cmd.Path, word)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ready), "ready-p50-ms")
	b.ReportMetric(median(floor), "floor-p50-ms")
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2].Microseconds()) / 1000
}
