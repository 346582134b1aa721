#!/usr/bin/env python3
"""Run the tests of this directory with an interpreter that has pytest and NumPy, and say each case's result as the other
test programs do. "SKIP: reason" and exit 77 if there is no such interpreter."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
CANDIDATES = [os.environ.get("CISTERN_TEST_PYTHON"), sys.executable, "/usr/bin/python3"]


def interpreter():
    for candidate in filter(None, CANDIDATES):
        try:
            if subprocess.run([candidate, "-c", "import numpy, pytest"], stderr=subprocess.DEVNULL).returncode == 0:
                return candidate
        except OSError:
            continue
    print("SKIP: no Python with NumPy and pytest (Debian: apt install python3-numpy python3-pytest)")
    sys.exit(77)


def report(path):
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name = re.sub(r"\W+", "_", case.get("name")).strip("_")
        skipped = case.find("skipped")
        failed = case.find("failure") is not None or case.find("error") is not None
        print("[ RUN      ] " + name)
        if skipped is not None:
            print("SKIP: " + (skipped.get("message") or "no reason given"))
        print("[  %s ] %s" % ("FAILED" if failed else "SKIPPED" if skipped is not None else "     OK", name))


def main():
    python = interpreter()
    with tempfile.TemporaryDirectory() as scratch:
        xml_file = os.path.join(scratch, "result.xml")
        done = subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", xml_file, str(HERE),
                               *sys.argv[1:]], cwd=scratch)
        if os.path.exists(xml_file):
            report(xml_file)
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
