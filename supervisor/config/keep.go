package config

import (
	"math"
	"net"
	"strconv"
)

// What is kept of runs unless the file says otherwise.
const (
	DefaultRunsKeepDays = 30
	DefaultRunsKeepMB   = 1024
)

// whole reads an integer of 0 or more that fits an int everywhere.
func (t *table) whole(key string, def int) int {
	n := t.integer(key, int64(def), 0)
	if n > math.MaxInt32 {
		t.problem(key, "want at most %d, got %d", math.MaxInt32, n)
		return def
	}
	return int(n)
}

// loopbackAddr reads an address to listen on that only this machine reaches.
func (t *table) loopbackAddr(key string) string {
	s := t.str(key, "")
	if s == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(s)
	n, numberErr := strconv.Atoi(port)
	ip := net.ParseIP(host)
	switch {
	case err != nil, numberErr != nil, n < 0 || n > math.MaxUint16:
		t.problem(key, `want an address and a port such as "127.0.0.1:9464", got %q`, shorten(s))
	case host != "localhost" && (ip == nil || !ip.IsLoopback()):
		t.problem(key, `want an address of this machine such as "127.0.0.1:9464", for there is no password; got %q`, shorten(s))
	}
	return s
}
