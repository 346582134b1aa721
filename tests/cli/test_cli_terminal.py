#!/usr/bin/env python3
"""What a terminal gets and what a pipe gets: progress, colours, hostile text."""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import cli_support
from cli_support import MODEL, PATIENCE, big_file


class Terminal(cli_support.Case):
    def on_terminal(self, *arguments, columns=100, signal_after=None):
        """Run it with standard output and error on a terminal; what it wrote, and its exit code."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        process = subprocess.Popen([cli_support.BIN, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave,
                                   env=self.env, cwd=self.dir)
        os.close(slave)
        text = b""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.05)[0]:
                try:
                    piece = os.read(master, 65536)
                except OSError:
                    break
                if not piece:
                    break
                text += piece
                if signal_after and signal_after in text:
                    process.send_signal(signal.SIGINT)
                    signal_after = None
        os.close(master)
        return text.decode(), process.wait(timeout=PATIENCE)

    def serve_big(self, rate=16 << 20):
        big_file(self.root / "big.safetensors", 12)
        server = self.origin()
        server.fault("/big.safetensors", rate=rate)
        return ["pull", server.url + "big.safetensors", "--as", "big", "--config", "none", "--parallel", "1"]

    def test_progress_on_a_terminal_only(self):
        arguments = self.serve_big()
        text, code = self.on_terminal(*arguments)
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"big .*\d+ %  [0-9.]+/12\.6 MB")
        self.assertRegex(text, r"[0-9.]+ MB/s")
        self.assertRegex(text, r"\d(?:\.\d)? m?s left")
        shutil.rmtree(self.store)
        self.ok(*arguments)
        self.assertNotRegex(self.notes, r"[\r\x1b%]")
        self.assertRegex(self.notes.splitlines()[-1], r"big:1 fetched, 12\.6 MB in ")

    def test_progress_line_never_wraps(self):
        arguments = self.serve_big()
        text, _ = self.on_terminal(*arguments, columns=40)
        for line in re.split(r"[\r\n]+", text):
            shown = re.sub(r"\x1b\[[0-9;]*[mK]", "", line)
            if "%" in shown:
                self.assertLess(len(shown), 40, shown)

    def test_quiet_and_dumb_terminals_show_no_progress(self):
        arguments = self.serve_big()
        text, _ = self.on_terminal(*arguments, "--quiet")
        self.assertRegex(text, r"\Abig:1@sha256:[0-9a-f]{64}\r\n\Z")
        shutil.rmtree(self.store)
        self.env["TERM"] = "dumb"
        text, _ = self.on_terminal(*arguments)
        self.assertNotIn("\x1b", text)
        self.assertNotIn("%", text)

    def test_interrupt_leaves_a_clean_line(self):
        arguments = self.serve_big(rate=4 << 20)
        text, code = self.on_terminal(*arguments, signal_after=b" MB/s")
        self.assertEqual(code, 130)
        self.assertRegex(text, r"\r\x1b\[K(\x1b\[31m)?cistern: (\x1b\[0m)?[^\r\n]*interrupted[^\r\n]*\r\n\Z")

    def test_colours_on_a_terminal_unless_refused(self):
        self.add()
        text, _ = self.on_terminal("ls")
        self.assertIn("\x1b[1mMODEL\x1b[0m", text)
        text, _ = self.on_terminal("ls", "--no-color")
        self.assertNotIn("\x1b", text)
        self.env["NO_COLOR"] = "1"
        text, _ = self.on_terminal("ls")
        self.assertNotIn("\x1b", text)
        del self.env["NO_COLOR"]
        self.assertNotIn("\x1b", self.ok("ls"))

    def test_error_is_coloured_on_a_terminal(self):
        text, code = self.on_terminal("show", "nothing")
        self.assertEqual(code, 3)
        self.assertTrue(text.startswith("\x1b[31mcistern: \x1b[0m"), text)

    def test_hostile_names_cannot_reach_the_terminal(self):
        name = "a\x1b[2J\x07\u202e.pth"
        (self.dir / name).write_bytes(b"no weights")
        result = self.run_raw("add", "./" + name, "--as", "x")
        self.assertIn(result.returncode, (2, 66))
        self.assertNotRegex(result.stderr, "[\x1b\x07\u202e]")
        (self.dir / "names.txt").write_text("".join("%d\x1b[2J\u202e\n" % i for i in range(10)))
        result = self.run_raw("classify", MODEL / "digits-vgg11_bn.pth", self.sample(), "--labels", "names.txt")
        self.assertNotRegex(result.stdout + result.stderr, "[\x1b\x07\u202e]")
        self.fails(2, "add", MODEL / "digits-vgg11_bn.pth", "--as", "x", "--why", "first\nsecond\x1b[31m", parts=("models",))


if __name__ == "__main__":
    cli_support.main()
