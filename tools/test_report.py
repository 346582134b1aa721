#!/usr/bin/env python3
"""Count what a run of the tests did, case by case.

    tools/test_report.py junit STAGE FILE     the --output-junit file of a ctest run
    tools/test_report.py lint STAGE FILE      the output of tools/lint

Prints one line each: "passed N", "failed STAGE NAME", "skipped STAGE NAME: reason". A cmocka program and a script of
Python's unittest (verbosity 2) count each of their cases; every other test counts as one. A program that ended before its
cases did has failed, whatever they said.
"""
import re
import sys
import xml.etree.ElementTree


def cmocka_cases(text):
    """name -> OK, FAILED, SKIPPED or RUN (begun and never ended), and name -> reason of a skip."""
    cases, reasons, current = {}, {}, None
    for line in text.splitlines():
        match = re.match(r".*?\[ +(RUN|OK|FAILED|SKIPPED) +\] (\w+)$", line)
        if match and (match.group(1) == "RUN" or match.group(2) in cases):
            current = match.group(2)
            cases[current] = match.group(1)
        elif line.startswith("SKIP: ") and current:
            reasons[current] = line[len("SKIP: "):]
    return cases, reasons


def count_cases(stage, test, text, ended_well):
    cases, reasons = cmocka_cases(text)
    passed = 0
    failed = []
    for name, result in cases.items():
        if result == "OK":
            passed += 1
        elif result == "SKIPPED":
            print(f"skipped {stage} {test} {name}: {reasons.get(name, 'no reason given')}")
        else:
            failed.append(name)
    for name in failed:
        print(f"failed {stage} {test} {name}")
    if not ended_well and not failed:
        print(f"failed {stage} {test} (the program itself)")
    return passed


def count_unittest(stage, test, text, ended_well):
    begun = re.findall(r"^(test\w+) \(", text, re.M)
    failed = sorted(set(re.findall(r"^(?:FAIL|ERROR): (\w+)", text, re.M)))
    reasons = re.findall(r"\.\.\. skipped ['\"](.*)['\"]$", text, re.M)
    for name in failed:
        print(f"failed {stage} {test} {name}")
    for reason in reasons:
        print(f"skipped {stage} {test}: {reason}")
    ran = re.search(r"^Ran (\d+) tests? in ", text, re.M)
    if not ended_well and not failed or not ran:
        print(f"failed {stage} {test} (the program itself)")
    total = int(ran.group(1)) if ran else len(begun) - 1
    return max(0, total - len(set(failed) & set(begun)) - len(reasons))


def junit(stage, path):
    passed = 0
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name, status = case.get("name"), case.get("status")
        output = case.findtext("system-out") or ""
        skipped = case.find("skipped")
        if skipped is not None and status != "fail" and "SKIP" not in (skipped.get("message") or ""):
            print(f"failed {stage} {name} (not run: {skipped.get('message')})")
        elif re.search(r"^test\w+ \(.*\.\.\. |^Ran \d+ tests? in ", output, re.M | re.S):
            passed += count_unittest(stage, name, output, status != "fail")
        elif skipped is not None and status != "fail":
            reasons = re.findall(r"^SKIP: (.*)$", output, re.M) or ["no reason given"]
            print(f"skipped {stage} {name}: {'; '.join(reasons)}")
        elif re.search(r"\[ +RUN +\]", output):
            passed += count_cases(stage, name, output, status == "run")
        elif status == "run":
            passed += 1
            for reason in re.findall(r"^SKIP: (.*)$", output, re.M):  # a script that skipped a part of itself
                print(f"skipped {stage} {name}: {reason}")
        else:
            print(f"failed {stage} {name}")
    print(f"passed {passed}")


def lint(stage, path):
    passed = 0
    with open(path) as file:
        for line in file:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "ok":
                passed += 1
            elif word == "FAIL":
                print(f"failed {stage} {rest}")
            elif word == "SKIP":
                print(f"skipped {stage} {rest}")
    print(f"passed {passed}")


if __name__ == "__main__":
    {"junit": junit, "lint": lint}[sys.argv[1]](*sys.argv[2:4])
