#!/usr/bin/env python3
"""Packed weights while they are written: ^C ends that, and nothing is left."""
import os
import signal

import cli_support


class Interrupted(cli_support.Case):
    def setUp(self):
        super().setUp()
        labels = self.dir / "labels.txt"
        labels.write_text("one\ntwo\nthree\n")
        self.ok("add", cli_support.wide_vgg11(self.dir / "wide.safetensors"), "--as", "wide", "--labels", labels)

    def stop(self, process):
        """Let it rest where it is, if it has not ended."""
        process.send_signal(signal.SIGSTOP)
        if process.returncode is not None:
            return False
        return os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code == os.CLD_STOPPED

    def is_writing(self):
        """Whether there is a temporary whose first block, the last to be written, is not there yet."""
        for path in self.temporaries():
            with open(path, "rb") as file:
                return file.read(8) in (b"", bytes(8))
        return False

    def catch(self, number, arguments, answers):
        """Send it a signal while it writes; until then it stands still, so that it is caught at any speed."""
        for _ in range(40):
            process = self.start(*arguments)
            line = process.stdout.readline() if answers else ""
            while process.poll() is None and not self.temporaries() and not self.packed():
                continue
            caught = self.stop(process) and self.is_writing()
            if caught:
                process.send_signal(number)
            process.send_signal(signal.SIGCONT)
            out, notes = process.communicate(timeout=cli_support.PATIENCE)
            if caught:
                return process.returncode, line + out, notes
            self.assertEqual(process.returncode, 0, notes)
            for path in self.packed():
                path.unlink()
        self.skipTest("this machine writes faster than it can be stopped")

    def packed(self):
        return list(self.store.glob("derived/*/packed-*"))

    def check(self, number, arguments, answers=False):
        code, out, notes = self.catch(number, arguments, answers)
        self.assertEqual((code, notes), (130, "cistern: interrupted\n"))
        self.assertEqual(out != "", answers)
        self.assertEqual((self.temporaries(), self.packed()), ([], []))
        self.ok(*arguments)
        self.assertEqual(len(self.packed()), 1)

    def test_prepare_ends_and_leaves_nothing(self):
        self.check(signal.SIGINT, ["prepare", "wide"])

    def test_so_it_does_when_it_is_terminated(self):
        self.check(signal.SIGTERM, ["prepare", "wide"])

    def test_the_writing_after_a_first_run_ends_too(self):
        self.check(signal.SIGINT, ["classify", "wide", self.sample()], answers=True)


if __name__ == "__main__":
    cli_support.main()
