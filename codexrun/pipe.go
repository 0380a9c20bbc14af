package codexrun

import (
	"io"
	"os"
	"os/exec"
	"strings"
)

// pipes are our own and not exec's, since those would make Wait wait for
// whoever else holds them.
func (x *execution) pipes(cmd *exec.Cmd) error {
	var err error
	if x.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	var out, errOut *os.File
	if x.stdout, out, err = os.Pipe(); err != nil {
		return err
	}
	if x.errOut, errOut, err = os.Pipe(); err != nil {
		closeAll(x.stdout, out)
		return err
	}
	cmd.Stdout, cmd.Stderr = out, errOut
	return nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

func (x *execution) read() {
	defer close(x.lines)
	x.readErr = readLines(x.stdout, maxLine, func(line []byte) { x.lines <- line })
}

func (x *execution) readStderr() {
	defer close(x.errDone)
	_, _ = io.Copy(&x.stderr, x.errOut) // what came is kept
}

func (x *execution) wait() {
	defer close(x.exited)
	x.exit, x.signal = x.group.wait()
}

// write gives the process its prompt. It may have ended and not want it.
func (x *execution) write() {
	defer close(x.inDone)
	_, _ = io.WriteString(x.stdin, strings.ToValidUTF8(x.spec.Prompt, "\uFFFD"))
	_ = x.stdin.Close()
}
