#!/usr/bin/env python3
"""tools/test_report.py counts what happened: no failure, crash or skip is lost. Usage: test_test_report.py SOURCE"""
import subprocess
import sys
import tempfile
from pathlib import Path

JUNIT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="x" tests="11">
 <testcase name="test_good" status="run"><system-out>[==========] Running 3 test(s).
[ RUN      ] one
[       OK ] one
[ RUN      ] two
SKIP: no locale here
[  SKIPPED ] two
[ RUN      ] three
printed by the test [       OK ] three
[==========] 3 test(s) run.
[  PASSED  ] 2 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] two
</system-out></testcase>
 <testcase name="test_bad" status="fail"><failure message="Failed"/><system-out>[ RUN      ] one
[       OK ] one
[ RUN      ] two
[  ERROR   ] --- 1 != 2
[  FAILED  ] two
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] two
</system-out></testcase>
 <testcase name="test_crash" status="fail"><failure message="SEGFAULT"/><system-out>[ RUN      ] one
[       OK ] one
[ RUN      ] two
</system-out></testcase>
 <testcase name="test_leak" status="fail"><failure message="Failed"/><system-out>[ RUN      ] one
[       OK ] one
LeakSanitizer: detected memory leaks
</system-out></testcase>
 <testcase name="cli_verbs" status="fail"><failure message="Failed"/><system-out>test_a (__main__.Verbs.test_a)
What a is about. ... ok
test_b (__main__.Verbs.test_b) ... noise
ok
test_c (__main__.Verbs.test_c) ... FAIL
test_d (__main__.Verbs.test_d) ... skipped 'no other user here'
test_e (__main__.Verbs.test_e) ... ERROR
======================================================================
FAIL: test_c (__main__.Verbs.test_c)
ERROR: test_e (__main__.Verbs.test_e)
----------------------------------------------------------------------
Ran 5 tests in 0.100s

FAILED (failures=1, errors=1, skipped=1)
</system-out></testcase>
 <testcase name="cli_all_skipped" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/><system-out>test_x (__main__.X.test_x) ... skipped "not root"
----------------------------------------------------------------------
Ran 1 test in 0.000s

OK (skipped=1)
</system-out></testcase>
 <testcase name="cli_killed" status="fail"><failure message="Timeout"/><system-out>test_x (__main__.X.test_x) ... ok
test_y (__main__.X.test_y) ... </system-out></testcase>
 <testcase name="cli_pull" status="run"><system-out>fine
</system-out></testcase>
 <testcase name="cli_disk" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/><system-out>SKIP: no tmpfs here
</system-out></testcase>
 <testcase name="cli_error" status="fail"><failure message="Failed"/><system-out></system-out></testcase>
 <testcase name="cli_missing" status="notrun"><skipped message="Unable to find executable"/><system-out></system-out></testcase>
</testsuite>
"""
EXPECTED = [
    "failed s cli_error",
    "failed s cli_killed (the program itself)",
    "failed s cli_missing (not run: Unable to find executable)",
    "failed s cli_verbs test_c",
    "failed s cli_verbs test_e",
    "failed s test_bad two",
    "failed s test_crash two",
    "failed s test_leak (the program itself)",
    "passed 9",
    "skipped s cli_all_skipped: not root",
    "skipped s cli_disk: no tmpfs here",
    "skipped s cli_verbs: no other user here",
    "skipped s test_good two: no locale here",
]
LINT = "ok a\nFAIL b\n    src/x.c:1: wrong\nSKIP c: no ctags\nok d\n"
LINT_EXPECTED = ["failed s b", "passed 2", "skipped s c: no ctags"]


def report(source, kind, text):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        out = subprocess.run([sys.executable, source / "tools" / "test_report.py", kind, "s", file.name], check=True,
                             capture_output=True, text=True).stdout
    return sorted(out.splitlines())


def main():
    source, wrong = Path(sys.argv[1]), 0
    for kind, text, expected in (("junit", JUNIT, EXPECTED), ("lint", LINT, LINT_EXPECTED)):
        found = report(source, kind, text)
        if found != expected:
            wrong = 1
            print(kind, "gives", *found, sep="\n    ")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
