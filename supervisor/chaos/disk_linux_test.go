package chaos_test

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const mountFlags = unix.MS_NOSUID | unix.MS_NODEV

// mountDisk needs the rights of root, also in a container.
func mountDisk(dir string) error { return resize(dir, 0, plenty) }

func unmountDisk(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }

// plenty is not taken before it is used.
const plenty = 4 << 30

func resize(dir string, flags uintptr, size int64) error {
	return unix.Mount("chaos", dir, "tmpfs", flags|mountFlags, fmt.Sprintf("size=%d,mode=700", size))
}

// shrink makes the file system so small that only a little is left of it.
func shrink(dir string, left int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return err
	}
	used := int64(st.Blocks-st.Bfree) * st.Bsize
	return resize(dir, unix.MS_REMOUNT, max(used+left, st.Bsize))
}

func widen(dir string) error { return resize(dir, unix.MS_REMOUNT, plenty) }

// limitFiles makes writes of a process beyond a size fail. Only the soft limit
// changes, so that it can be taken back.
func limitFiles(pid int, size uint64) error {
	var now unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &now); err != nil {
		return err
	}
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: min(size, now.Max), Max: now.Max}, nil)
}
