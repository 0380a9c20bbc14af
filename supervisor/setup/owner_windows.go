package setup

import (
	"io/fs"
	"os"
)

// keepOwner does nothing: a file belongs to whoever made it.
func keepOwner(*os.File, fs.FileInfo) {}
