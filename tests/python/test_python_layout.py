"""What the package believes of the headers is true: layouts, statuses, functions."""
import ctypes
import os
import re
import shutil
import subprocess

import pytest
from conftest import TOP

from cistern import _library, errors

INCLUDE = TOP / "include"
HEADERS = "\n".join(p.read_text() for p in sorted((INCLUDE / "cistern").glob("*.h")))


def compile_and_run(directory, lines):
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    source, program = directory / "tell.c", directory / "tell"
    source.write_text("#include <cistern/cistern.h>\n#include <stdio.h>\n#include <stddef.h>\n"
                      "int main(void)\n{\n%s\nreturn 0;\n}\n" % "\n".join(lines))
    subprocess.run(["cc", "-std=c11", "-I", str(INCLUDE), str(source), "-o", str(program)], check=True)
    out = subprocess.run([str(program)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(line.split() for line in out.splitlines())


def members(structure, renamed):
    return [(name, renamed.get(name, name)) for name, *_ in structure._fields_ if name != "_room"]


def test_structures_are_laid_out_as_in_the_headers(tmp_path):
    lines, expected = [], {}
    for structure, c, renamed in _library.LAYOUTS:
        lines.append('printf("%s %%zu\\n", sizeof(%s));' % (c, c))
        for python_name, name in members(structure, renamed):
            lines.append('printf("%s.%s %%zu+%%zu\\n", offsetof(%s, %s), sizeof(((%s *)0)->%s));' % (c, name, c, name, c, name))
            field = getattr(structure, python_name)
            expected["%s.%s" % (c, name)] = "%d+%d" % (field.offset, field.size)
    found = compile_and_run(tmp_path, lines)
    sizes = {c: int(found.pop(c)) for _, c, _ in _library.LAYOUTS}
    assert found == expected
    for structure, c, _ in _library.LAYOUTS:  # what a newer header has more must fit in
        assert sizes[c] <= ctypes.sizeof(structure), c


def test_no_member_of_a_structure_is_unknown_here(tmp_path):
    """A member in the middle would have moved the others; one at the end may wait, but not one that exists today."""
    for structure, c, renamed in _library.LAYOUTS:
        body = re.search(r"typedef struct %s \{(.*?)\n\} %s;" % (c, c), HEADERS, re.S).group(1)
        body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
        names = set(re.findall(r"(\w+)(?:\[\w+\])*\s*[,;]", body))
        assert names == {name for _, name in members(structure, renamed)}, c


def test_each_status_has_its_exception(tmp_path):
    names = re.findall(r"^    X\((\w+), (\d+), \d+, \"", HEADERS, re.M)
    assert len(names) >= 15
    for name, value in names:
        if name != "OK":
            cls = errors._CLASSES[int(value)]
            assert cls.status == int(value)
            assert cls("x").name == name
    assert len(errors._CLASSES) == len(names) - 1


def test_functions_take_as_many_arguments_as_the_headers_say():
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", HEADERS, flags=re.S)
    declared = {}
    for name, arguments in re.findall(r"CISTERN_API[^;]*?\b(cistern_\w+)\(([^;]*?)\)\s*(?:CISTERN_MUST_CHECK)?;", text, re.S):
        declared[name] = 0 if arguments.strip() == "void" else arguments.count(",") + 1
    for name, (_, arguments) in _library.PROTOTYPES.items():
        assert declared[name] == len(arguments), name


@pytest.mark.parametrize("library, says", [("/nowhere/libcistern.so", "/nowhere/libcistern.so"), ("libm.so.6", "not cistern")])
def test_a_library_that_is_not_ours_is_an_import_error(place, library, says):
    place.env["CISTERN_LIBRARY"] = library
    code, _, notes = place.run("import cistern; cistern.versions()")
    assert code == 1
    assert "ImportError" in notes and says in notes


def test_importing_needs_neither_library_nor_numpy(place):
    place.env["CISTERN_LIBRARY"] = "/nowhere"
    code, _, notes = place.run("import sys; sys.modules['numpy'] = None; import cistern; print(cistern.Store)")
    assert code == 0, notes


def test_the_versions_agree():
    import cistern
    assert cistern.library_version() == cistern.__version__
    assert '#define CISTERN_VERSION_TEXT "%s"' % cistern.__version__ in HEADERS
    assert 'version = "%s"' % cistern.__version__ in (TOP / "python/pyproject.toml").read_text()
    assert os.path.exists(TOP / "python/cistern/py.typed")
