package doctor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// portOwner names the process that listens on a port, "" when it cannot be
// known: those of other users are not shown to us.
func portOwner(port int) string {
	inodes := listeners(port)
	if len(inodes) == 0 {
		return ""
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		link, err := os.Readlink(fd)
		if err != nil || !strings.HasPrefix(link, "socket:[") {
			continue
		}
		if inodes[strings.Trim(link[len("socket:"):], "[]")] {
			pid := strings.Split(fd, "/")[2]
			name, _ := os.ReadFile(filepath.Join("/proc", pid, "comm"))
			return fmt.Sprintf("%s (pid %s)", bytes.TrimSpace(name), pid)
		}
	}
	return ""
}

// listeners are the sockets that listen on a port.
func listeners(port int) map[string]bool {
	inodes := make(map[string]bool)
	suffix := ":" + fmt.Sprintf("%04X", port)
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(table) {
			// sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode
			f := strings.Fields(string(line))
			if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], suffix) {
				if _, err := strconv.ParseUint(f[9], 10, 64); err == nil {
					inodes[f[9]] = true
				}
			}
		}
	}
	return inodes
}
