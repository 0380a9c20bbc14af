package main

import (
	"net"
	"os"
)

// notify tells systemd about the state of this process, when it is systemd that
// started it: "READY=1" makes a unit of Type=notify started, and "STATUS=" is
// what `systemctl status` shows. It is best effort, like the interface itself.
func notify(state string) {
	addr := os.Getenv("NOTIFY_SOCKET")
	if addr == "" {
		return
	}
	conn, err := net.Dial("unixgram", addr)
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(state))
}
