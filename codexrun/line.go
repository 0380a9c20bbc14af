package codexrun

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds the memory for one event. Codex's longest lines are about
// 1 MiB: it cuts a command's output there.
const maxLine = 64 << 20

var errLineTooLong = fmt.Errorf("codex wrote a line of more than %d MiB", maxLine>>20)

// readLines calls each for every line of r, without its line end, until r ends
// or a line is longer than limit. A last line without a line end counts. Each
// line is each's to keep.
func readLines(r io.Reader, limit int, each func(line []byte)) error {
	br := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return errLineTooLong
		}
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		if len(line) > 0 {
			each(line)
			line = nil
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}
