#!/usr/bin/env python3
"""Disk full, no permission, no memory: with a small tmpfs and as another user. Skipped where that cannot be had."""
import os
import pathlib
import pwd
import shutil
import subprocess
import sys

import cli_support
from cli_support import MODEL, big_file


class DiskFull(cli_support.Case):
    def setUp(self):
        super().setUp()
        self.disk = self.dir / "disk"
        self.disk.mkdir()
        mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(self.disk)], capture_output=True).returncode == 0
        if not mounted:
            self.skipTest("a small file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)])
        self.store = self.disk / "store"
        self.env["CISTERN_STORE"] = str(self.store)

    def test_pull_into_a_full_disk_publishes_nothing(self):
        big_file(self.root / "big.safetensors", 12)
        server = self.origin()
        self.ok("init")
        self.fails(8, "pull", server.url + "big.safetensors", "--as", "big", "--config", "none")

    def test_add_into_a_full_disk_leaves_nothing(self):
        big_file(self.dir / "big.safetensors", 12)
        self.ok("init")
        self.fails(8, "add", "../big.safetensors", "--as", "big", cwd=self.root)
        self.assertEqual([p.name for p in (self.store / "partial").rglob("*") if p.is_file()], ["CACHEDIR.TAG"])

    def test_what_was_there_still_works(self):
        self.add()
        big_file(self.dir / "big.safetensors", 12)
        self.fails(8, "add", self.dir / "big.safetensors", "--as", "big")
        self.ok("classify", "digits", self.sample())
        self.ok("verify")


class Permission(cli_support.Case):
    """As nobody, against what root made."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("only root can run it as another user")
        self.nobody = pwd.getpwnam("nobody")
        for path in (self.dir, self.root):
            path.chmod(0o755)
        for name in ("home", "data", "state", "config"):
            (self.dir / name).mkdir()
            os.chown(self.dir / name, self.nobody.pw_uid, self.nobody.pw_gid)
        # The tree may lie where nobody cannot look: give them their own copy of what they run.
        build = pathlib.Path(cli_support.BIN).resolve().parents[1]
        for part in ("bin/cistern", "libexec/cistern/cistern-import"):
            (self.dir / "prefix" / part).parent.mkdir(parents=True)
            shutil.copy(build / part, self.dir / "prefix" / part)
        (self.dir / "prefix/lib").mkdir()
        for library in (build / "lib").glob("libcistern.so*"):
            shutil.copy(library, self.dir / "prefix/lib", follow_symlinks=False)
        self.env["LD_LIBRARY_PATH"] = str(self.dir / "prefix/lib")
        shutil.copytree(MODEL, self.dir / "model")
        subprocess.run(["chmod", "-R", "a+rX", str(self.dir / "prefix"), str(self.dir / "model")], check=True)

    def run_raw(self, *arguments, **options):
        options.setdefault("env", self.env)
        options.setdefault("cwd", self.dir)
        return subprocess.run(["setpriv", "--reuid", str(self.nobody.pw_uid), "--regid", str(self.nobody.pw_gid),
                               "--clear-groups", str(self.dir / "prefix/bin/cistern"), *map(str, arguments)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=cli_support.PATIENCE, **options)

    def test_store_of_another_user_cannot_be_looked_into(self):
        cli_support.Case.run_raw(self, "add", self.dir / "model/digits-vgg11_bn.pth", "--as", "digits")
        result = self.run_raw("ls")
        self.assertEqual(result.returncode, 77, result.stderr)
        self.assertRegex(result.stderr, r"\Acistern: [^\n]*Permission denied[^\n]*\n\Z")

    def test_no_right_to_make_a_store(self):
        self.fails(77, "add", self.dir / "model/digits-vgg11_bn.pth", "--as", "digits", says=["Permission denied"])
        self.assertFalse(self.store.exists())

    def test_file_that_may_not_be_read(self):
        (self.dir / "secret.pth").write_bytes(b"x")
        (self.dir / "secret.pth").chmod(0o600)
        self.env["CISTERN_STORE"] = str(self.dir / "data/store")
        for verb in (["classify", "./secret.pth", "x.png"], ["add", "./secret.pth", "--as", "x"]):
            result = self.run_raw(*verb)
            self.assertEqual(result.returncode, 77, result.stderr)
            self.assertRegex(result.stderr, r"\Acistern: [^\n]*secret.pth[^\n]*\n\Z")

    def test_read_only_store_still_serves(self):
        self.store = self.dir / "data/store"
        self.env["CISTERN_STORE"] = str(self.store)
        result = self.run_raw("add", self.dir / "model/digits-vgg11_bn.pth", "--as", "digits")
        self.assertEqual(result.returncode, 0, result.stderr)
        for path in [self.store, *self.store.rglob("*")]:
            if path.is_dir():
                path.chmod(0o500)
        result = self.run_raw("classify", "digits", self.dir / "model/samples/two.png")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("two", result.stdout)
        result = self.run_raw("add", self.dir / "model/v2/digits-vgg11_bn.pth", "--as", "digits")
        self.assertEqual(result.returncode, 77, result.stderr)
        result = self.run_raw("tag", "digits:1", "production")
        self.assertEqual(result.returncode, 77, result.stderr)


def own_mounts():
    """Run again with mounts of its own, which end with it however it ends."""
    marker = "CISTERN_TEST_OWN_MOUNTS"
    if os.geteuid() == 0 and marker not in os.environ and shutil.which("unshare") \
            and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0:
        os.environ[marker] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


if __name__ == "__main__":
    own_mounts()
    cli_support.main()
