#!/usr/bin/env python3
"""examples/classify.c, compiled as C11 and as C++17 against the public headers and the shared library, and run."""
import os
import pathlib
import shutil
import subprocess

import cli_support

SOURCE = cli_support.TOP / "examples/classify.c"
STRICT = ["-Wall", "-Wextra", "-Wshadow", "-Werror", "-I", str(cli_support.TOP / "include")]


class Example(cli_support.Case):
    def build(self, compiler, *flags):
        found = shutil.which(compiler)
        if not found:
            self.skipTest("no compiler %s" % compiler)
        library = pathlib.Path(cli_support.BIN).resolve().parents[1] / "lib"
        sanitizers = os.environ.get("CISTERN_TEST_SANITIZE", "")
        flags = [*flags, *(["-fsanitize=" + sanitizers] if sanitizers else [])]
        subprocess.run([found, *flags, *STRICT, str(SOURCE), "-x", "none", "-L", str(library), "-lcistern",
                        "-Wl,-rpath," + str(library), "-o", str(self.dir / "classify")], check=True)

    def check(self):
        self.publish()
        server = self.origin()
        command = [str(self.dir / "classify"), server.url + "digits.pth", "digits", self.sample("four")]
        for requests in (None, "digits:1, 0 requests"):
            result = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=cli_support.PATIENCE)
            self.assertEqual(result.returncode, 0, result.stderr)
            lines = result.stdout.splitlines()
            self.assertRegex(lines[1], r"^ *\d+\.\d\d %  four$")
            self.assertEqual(len(lines), 6)
            if requests:
                self.assertEqual(lines[0], requests)
        command[1] = server.url + "gone.pth"
        command[2] = "gone"
        result = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=cli_support.PATIENCE)
        self.assertEqual(result.returncode, 3)
        self.assertIn("404", result.stderr)

    def test_as_c11(self):
        self.build("cc", "-std=c11", "-pedantic")
        self.check()

    def test_as_cxx17(self):
        self.build("c++", "-x", "c++", "-std=c++17", "-pedantic")
        self.check()


if __name__ == "__main__":
    cli_support.main()
