#!/usr/bin/env python3
"""A weight file that is cut while the program computes with it: a message and exit 65, not the end by SIGBUS."""
import os
import pathlib
import shutil
import signal
import subprocess
import unittest

import cli_support
from cli_support import MODEL, PATIENCE, wait_until


class Guard(cli_support.Case):
    def stopped_when_it_opens(self, picture, *arguments):
        """Start the program; it stands still where it opens the picture: the model is mapped by then."""
        if os.environ.get("CISTERN_TEST_SANITIZE"):
            self.skipTest("a sanitizer's leak check does not live with strace")
        if not shutil.which("strace"):
            self.skipTest("no strace")
        command = ["strace", "-f", "-o", str(self.dir / "trace"), "-P", picture, "-e", "trace=openat", "-e",
                   "inject=openat:signal=SIGSTOP:when=1", cli_support.BIN, *map(str, arguments)]
        process = subprocess.Popen(command, env=self.env, cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        trace = self.dir / "trace"
        wait_until(lambda: process.poll() is not None or trace.exists() and "stopped by SIGSTOP" in trace.read_text(), "a stop")
        if process.poll() is not None:
            notes = process.communicate()[1].strip()
            if "PTRACE" in notes or "ptrace" in notes:
                self.skipTest("strace cannot trace here: " + notes[:100])
            self.fail(notes)
        stopped = next(line for line in trace.read_text().splitlines() if "stopped by SIGSTOP" in line)
        return process, int(stopped.split()[0])

    def test_a_file_that_is_cut_while_it_is_used_is_damage(self):
        for name in ("digits-vgg11_bn.pth", "config.json"):
            shutil.copy(MODEL / name, self.dir / name)
        picture = str(pathlib.Path(shutil.copy(self.sample("two"), self.dir / "two.png")).resolve())
        process, pid = self.stopped_when_it_opens(picture, "classify", "./digits-vgg11_bn.pth", picture)
        os.truncate(self.dir / "digits-vgg11_bn.pth", 4096)
        os.kill(pid, signal.SIGCONT)
        out, notes = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, out), (65, ""), notes)
        self.assertIn("digits-vgg11_bn.pth: its file became shorter", notes)

    def test_without_a_cut_the_same_way_ends_well(self):
        picture = str(pathlib.Path(shutil.copy(self.sample("two"), self.dir / "two.png")).resolve())
        process, pid = self.stopped_when_it_opens(picture, "classify", MODEL / "digits-vgg11_bn.pth", picture)
        os.kill(pid, signal.SIGCONT)
        out, notes = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, notes)
        self.assertIn("two", out)


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    cli_support.main()
