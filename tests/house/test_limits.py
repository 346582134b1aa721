"""Every limit has its tests, and every attack has its tests: limits.txt and hostile.txt beside this file are true.

usage: test_limits.py SOURCE_DIRECTORY
"""
import re
import sys
import unittest
from pathlib import Path

TOP = Path(sys.argv.pop(1)) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
HOUSE = TOP / "tests/house"
# Where what is read comes from outside; of model, what such readers share.
ROOMS = ("src/formats", "src/ingest", "src/tiers")
FILES = ("src/model/model_index.h", "src/model/model_index.c", "src/model/model_tensor.h", "src/model/model_facts.h")


def constants():
    """Name of each limit -> the files that define it."""
    found = {}
    sources = [p for room in ROOMS for p in sorted((TOP / room).rglob("*.[ch]"))] + [TOP / f for f in FILES]
    for path in sources:
        for name in re.findall(r"^#define\s+(\w+_MAX)\b", path.read_text(), flags=re.M):
            found.setdefault(name, []).append(path)
    return found


def program(name):
    """A test program's text."""
    paths = list((TOP / "tests").glob(f"*/{name}.c")) + list((TOP / "tests").glob(f"*/{name}.py"))
    return paths[0].read_text() if len(paths) == 1 else None


def is_test(text, test):
    """Whether the program defines it, and runs it."""
    if f"def {test}(self" in text:
        return True
    return re.search(rf"^static void {test}\(void \*\*state\)", text, flags=re.M) is not None and \
        re.search(rf"(?:cmocka_unit_test\w*|TEST)\(\s*{test}\b", text) is not None


def rows(name):
    for number, line in enumerate((HOUSE / name).read_text().splitlines(), 1):
        line = re.sub(r"\s+#.*", "", line).rstrip()
        if line and not line.startswith("#"):
            yield number, line


def missing_tests(listed):
    """What is wrong with "program, test, test"."""
    name, *tests = [part.strip() for part in listed.split(",")]
    text = program(name)
    if text is None:
        return [f"there is no test program {name}"]
    if not tests:
        return [f"no test of {name} is named"]
    return [f"{name} has no test {test}" for test in tests if not is_test(text, test)]


class Limits(unittest.TestCase):
    def parsed(self):
        for number, line in rows("limits.txt"):
            match = re.match(r"(\w+)\s+([=-]?)\s*(\S.*)$", line)
            self.assertIsNotNone(match, f"limits.txt:{number}: {line}")
            yield number, match[1], match[2], match[3]

    def test_each_limit_is_listed_and_each_that_is_listed_exists(self):
        listed = {name for _, name, _, _ in self.parsed()}
        self.assertEqual(sorted(set(constants()) - listed), [], "limits without a row in tests/house/limits.txt")
        self.assertEqual(sorted(listed - set(constants())), [], "rows of tests/house/limits.txt without a constant")

    def test_the_tests_exist(self):
        wrong = [f"limits.txt:{number}: {name}: {what}" for number, name, sign, rest in self.parsed() if sign != "-"
                 for what in missing_tests(rest)]
        self.assertEqual(wrong, [])

    def test_the_tests_name_the_constant(self):
        wrong = [f"limits.txt:{number}: {rest.split(',')[0]} does not name {name}"
                 for number, name, sign, rest in self.parsed()
                 if not sign and not re.search(rf"\b{name}\b", program(rest.split(",")[0]) or "")]
        self.assertEqual(wrong, [])


class Hostile(unittest.TestCase):
    def test_all_are_there_with_tests_that_exist(self):
        seen, counts, wrong = [], {}, []
        for number, line in rows("hostile.txt"):
            match = re.match(r"(\d+)\s+\S", line)
            if match:
                seen.append(int(match[1]))
                continue
            counts[seen[-1]] = counts.get(seen[-1], 0) + 1
            wrong += [f"hostile.txt:{number}: {what}" for what in missing_tests(line.strip())]
        self.assertEqual(seen, list(range(1, 32)))
        self.assertEqual(sorted(counts), seen, "attacks without a test")
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
