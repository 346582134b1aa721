#!/usr/bin/env python3
"""An installed tree: only public names leave the libraries; C11 and C++17 programs are built from it, with pkg-config and
with CMake, against the shared and the static library, after it was moved; they run, report, and can be interrupted."""
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
import cli_support  # noqa: E402
from cli_support import PATIENCE, TOP  # noqa: E402

BUILD = pathlib.Path(cli_support.BIN).resolve().parents[1]
CMAKE = os.environ.get("CISTERN_CMAKE", "cmake")
SANITIZE = ["-fsanitize=" + os.environ["CISTERN_TEST_SANITIZE"]] if os.environ.get("CISTERN_TEST_SANITIZE") else []
STRICT = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-pedantic", "-Werror"]


def call(*command, **options):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=PATIENCE, **options)
    if done.returncode:
        raise AssertionError("%s: %d\n%s" % (command, done.returncode, done.stdout))
    return done.stdout


class Installed(cli_support.Case):
    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="cistern-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        call(CMAKE, "--install", BUILD, "--prefix", cls.scratch / "first")
        cls.prefix = cls.scratch / "moved here"
        (cls.scratch / "first").rename(cls.prefix)
        cls.pc = next(cls.prefix.rglob("cistern.pc"))
        cls.lib = cls.pc.parents[1]

    def names(self, path, *options):
        return [line.split()[0] for line in call("nm", "-g", "--defined-only", "-P", *options, path).splitlines()
                if len(line.split()) > 1 and not line.endswith(":")]

    def declared(self):
        text = "\n".join(p.read_text() for p in (self.prefix / "include/cistern").glob("*.h"))
        return set(re.findall(r"\b(cistern_\w+)\(", "\n".join(re.findall(r"CISTERN_API[^;]*;", text))))

    def test_both_libraries_show_what_the_headers_declare_and_nothing_else(self):
        declared = self.declared()
        self.assertGreater(len(declared), 50)
        shared = {n.partition("@")[0] for n in self.names(next(self.lib.glob("libcistern.so.0")), "-D")} - {"CISTERN_0"}
        self.assertEqual(shared, declared)
        static = self.names(self.lib / "libcistern.a")
        self.assertEqual([n for n in static if not n.startswith(("cistern_", "__odr_asan"))], [])
        self.assertEqual({n for n in static if n.startswith("cistern_")}, declared)

    def pkg_config(self, *options):
        if not shutil.which("pkg-config"):
            self.skipTest("no pkg-config")
        text = call("pkg-config", *options, "cistern", env={**os.environ, "PKG_CONFIG_PATH": str(self.pc.parent)})
        return shlex.split(text)

    def compile(self, compiler, standard, source, *libraries):
        out = self.dir / "program"
        flags = [*STRICT, "-std=" + standard, *SANITIZE, *self.pkg_config("--cflags")]
        call(compiler, *flags, TOP / "examples" / source, "-o", out, *libraries)
        return out

    def run_example(self, program, *arguments, **more):
        env = {**self.env, "LD_LIBRARY_PATH": str(self.lib),
               "CISTERN_IMPORT_PROGRAM": str(self.prefix / "libexec/cistern/cistern-import")}
        return subprocess.run([str(program), *map(str, arguments)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=PATIENCE, **more)

    def check_logits(self, program):
        """A first run that fetches, a second that asks for nothing, the same logits as the command line's."""
        self.publish()
        server = self.origin()
        first = self.run_example(program, server.url + "digits.pth", "digits", self.sample("two"))
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertIn("fetch: 1425579 bytes", first.stderr)  # progress
        server.reset()
        second = self.run_example(program, server.url + "digits.pth", "digits", self.sample("two"))
        self.assertEqual(second.returncode, 0, second.stderr)
        self.assertIn(": 0 requests", second.stderr)
        self.assertEqual(server.stats()["requests"], 0)
        self.assertEqual(first.stdout, second.stdout)
        ours = [float(line) for line in first.stdout.splitlines()]
        [result] = self.json("classify", "digits", self.sample("two"), "--top", "10")["results"]
        for theirs in result["top"]:
            self.assertAlmostEqual(ours[theirs["class"]], theirs["logit"], delta=1e-5)
        gone = self.run_example(program, server.url + "gone.pth", "gone", self.sample("two"))
        self.assertEqual(gone.returncode, 3, gone.stderr)
        self.assertRegex(gone.stderr, r"(\n|\A)logits: .*404")
        return server.url + "digits.pth"

    def test_c11_with_pkg_config(self):
        self.check_logits(self.compile("cc", "c11", "logits.c", *self.pkg_config("--libs")))

    def test_c11_static(self):
        libraries = self.pkg_config("--libs", "--static")
        at = libraries.index("-lcistern")
        libraries[at] = str(self.lib / "libcistern.a")
        program = self.compile("cc", "c11", "logits.c", *libraries)
        self.assertNotIn("libcistern.so", call("ldd", program))
        self.check_logits(program)

    def test_cxx17_with_pkg_config(self):
        if not shutil.which("c++"):
            self.skipTest("no C++ compiler")
        self.check_logits(self.compile("c++", "c++17", "logits.cpp", *self.pkg_config("--libs")))

    def test_all_examples_with_cmake(self):
        flags = " ".join(SANITIZE)
        call(CMAKE, "-S", TOP / "examples", "-B", self.dir / "build", "-DCMAKE_PREFIX_PATH=%s" % self.prefix,
             "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS=" + flags, "-DCMAKE_CXX_FLAGS=" + flags)
        call(CMAKE, "--build", self.dir / "build")
        names = {p.name for p in (self.dir / "build").iterdir() if p.is_file() and os.access(p, os.X_OK)}
        self.assertEqual(names, {"classify", "logits_c", "logits_cxx", "logits_static"})
        url = self.check_logits(self.dir / "build/logits_static")
        outs = {self.run_example(self.dir / "build" / n, url, "digits", self.sample("two")).stdout
                for n in ("logits_c", "logits_cxx", "logits_static")}
        self.assertEqual(len(outs), 1)
        self.assertNotEqual(outs, {""})

    def test_an_interrupted_pull_is_resumed(self):
        program = self.compile("cc", "c11", "logits.c", *self.pkg_config("--libs"))
        cli_support.big_file(self.root / "big.safetensors", 24)
        server = self.origin()
        server.fault("*", rate=6_000_000)
        env = {**self.env, "LD_LIBRARY_PATH": str(self.lib)}
        process = subprocess.Popen([program, server.url + "big.safetensors", "big", self.sample()], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        cli_support.wait_until(lambda: server.stats()["bytes"] > 4 << 20, "4 MiB")
        process.send_signal(signal.SIGINT)
        _, notes = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130, notes)
        self.assertIn("interrupted", notes)
        server.faults()
        report = self.json("pull", server.url + "big.safetensors", "--as", "big")
        self.assertGreater(report["bytes_resumed"], 0)

    def test_the_installed_program_needs_no_environment(self):
        self.assertIn("add", call(self.prefix / "bin/cistern", "help", env=self.env))
        done = subprocess.run([self.prefix / "bin/cistern", "classify", cli_support.MODEL / "digits-vgg11_bn.pth",
                               self.sample("nine")], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("nine", done.stdout)


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    cli_support.main()
