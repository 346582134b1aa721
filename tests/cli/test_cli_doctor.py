"""What doctor finds, and what it leaves behind: nothing."""
import ctypes
import os
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
