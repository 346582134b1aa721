"""What doctor finds, and what it leaves behind: nothing."""
import ctypes
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support
from cli_support import Case


def landlock_version():
    return max(0, ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1))  # landlock_create_ruleset


class Doctor(Case):
    def findings(self, *arguments, code=0):
        result = self.run_raw("doctor", "--json", *arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        told = cli_support.json.loads(result.stdout)
        self.worst = told["worst"]
        return {f["name"]: f for f in told["findings"]}

    def test_without_a_store_it_makes_none(self):
        found = self.findings()
        self.assertEqual((found["store"]["level"], found["import program"]["level"]), ("note", "ok"))
        self.assertIn("none yet", found["store"]["text"])
        self.assertFalse(self.store.exists())

    def test_a_store_is_tried_and_left_as_it_was(self):
        self.add()
        before = sorted(str(p) for p in self.store.rglob("*") if p.is_file())
        found = self.findings()
        for name in ("store", "documents", "create once", "locks", "clock", "libcurl"):
            self.assertEqual(found[name]["level"], "ok", found[name])
        self.assertIn("1 versions", found["documents"]["text"])
        self.assertIn((found["huge pages"]["level"], "2 MiB" in found["huge pages"]["text"]), [("ok", True), ("note", False)])
        for name, unit in (("small write", "ms"), ("write", "MB/s"), ("read", "MB/s"), ("free space", "bytes")):
            self.assertGreater(found[name]["value"], 0)
            self.assertEqual(found[name]["unit"], unit)
        self.assertEqual(sorted(str(p) for p in self.store.rglob("*") if p.is_file()), before)
        self.assertIn("create once", self.ok("doctor"))

    def test_the_sandbox_is_what_the_kernel_offers(self):
        found = self.findings()
        self.assertEqual(found["filter"]["level"], "ok")
        if landlock_version() > 0:
            self.assertEqual((found["landlock"]["level"], found["landlock"]["value"]), ("ok", landlock_version()))
        else:
            self.assertEqual(found["landlock"]["level"], "note")
            self.assertIn("holds alone", found["landlock"]["text"])

    def test_the_program_that_is_shipped_enters_all_of_it_before_it_reads(self):
        if os.environ.get("CISTERN_TEST_SANITIZE"):
            self.skipTest("sanitizer builds have no sandbox")
        if not shutil.which("strace"):
            self.skipTest("no strace")
        trace = self.dir / "trace"
        calls = "landlock_create_ruleset,landlock_restrict_self,seccomp,prctl,prlimit64,mmap,sendto,write,open,openat"
        result = subprocess.run(["strace", "-f", "-o", trace, "-e", "trace=" + calls, cli_support.BIN, "doctor"], env=self.env,
                                cwd=self.dir, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if not trace.exists() or "exited with 0" not in trace.read_text():
            self.skipTest("strace cannot trace here: " + result.stderr[:100])
        lines = trace.read_text().splitlines()
        entered = [n for n, line in enumerate(lines) if "SECCOMP_SET_MODE_FILTER, 0, {" in line and line.endswith("= 0")]
        self.assertEqual(len(entered), 1)
        child = lines[entered[0]].split()[0]
        own = [line for line in lines[:entered[0]] if line.split()[0] == child]
        if landlock_version() > 0:
            self.assertTrue(any("landlock_restrict_self(" in line and line.endswith("= 0") for line in own), own)
        for limit in ("RLIMIT_CPU", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CORE", "RLIMIT_DATA"):
            self.assertTrue(any(f"{limit}, {{rlim_cur=" in line for line in own), limit)
        self.assertFalse(any(" write(3," in line or "sendto(3" in line for line in own))  # not a word before
        after = [line for line in lines[entered[0]:] if line.split()[0] == child]
        self.assertTrue(any(" write(3," in line for line in after), after)
        self.assertFalse(any("open" in line for line in after), after)

    def test_a_damaged_document_is_named(self):
        self.add()
        path = self.store / "models" / "digits" / "versions" / "1.json"
        path.chmod(0o600)
        path.write_text("{")
        found = self.findings(code=1)
        self.assertEqual((found["documents"]["level"], self.worst), ("failed", "failed"))
        self.assertIn("versions/1.json", found["documents"]["text"])

    def test_no_store_where_something_else_is(self):
        self.store.mkdir()
        (self.store / "notes.txt").write_text("mine")
        found = self.findings(code=1)
        self.assertEqual(found["store"]["level"], "failed")
        self.assertIn("cistern.json", found["store"]["text"])

    def test_an_import_program_that_is_not_there(self):
        found = self.findings("--import-program", self.dir / "none", code=1)
        self.assertEqual(found["import program"]["level"], "failed")

    def test_authorities_that_cannot_be_read(self):
        found = self.findings("--ca", self.dir / "none.pem", code=1)
        self.assertEqual(found["authorities"]["level"], "failed")

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_a_store_that_may_not_be_written_is_looked_at(self):
        self.add()
        self.store.chmod(0o500)
        found = self.findings()
        self.assertEqual(found["writing"]["level"], "warning")

    def test_markers_of_collectors_are_told(self):
        self.add()
        directory = self.store / "gc" / "condemned"
        directory.mkdir(parents=True)
        (directory / ("0" * 64 + "." + "1" * 32)).write_text("")
        self.assertEqual(self.findings()["collectors"]["level"], "note")


if __name__ == "__main__":
    cli_support.main()
