package doctor

import (
	"os"

	"golang.org/x/sys/windows"
)

// freeBytes is the space that this user may still fill.
func freeBytes(dir string) (uint64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	err = windows.GetDiskFreeSpaceEx(path, &free, nil, nil)
	return free, err
}

// writable only says whether a folder is there: who may do what in it is not
// known before it is tried.
func writable(dir string) error {
	_, err := os.Stat(dir)
	return err
}
