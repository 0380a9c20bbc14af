//go:build unix && !linux

package chaos_test

import "errors"

var errNotHere = errors.New("only done on Linux")

func mountDisk(string) error       { return errNotHere }
func unmountDisk(string) error     { return errNotHere }
func shrink(string, int64) error   { return errNotHere }
func widen(string) error           { return errNotHere }
func limitFiles(int, uint64) error { return errNotHere }
