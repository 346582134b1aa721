#!/usr/bin/env python3
"""tools/lint refuses what it is there to refuse: a small tree is sound, and each fault put into it is found by name.

Usage: test_lint.py SOURCE
"""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GOOD = {
    "src/one/CMakeLists.txt": "room(one)\n",
    "src/one/one_a.h": "/* One. */\n#ifndef ONE_A_H\n#define ONE_A_H\nint one_a(void);\n#endif\n",
    "src/one/one_a.c": '/* One. */\n#include "one_a.h"\n#include "priv/one_p.h"\n\nint one_a(void)\n{\n    return 1;\n}\n',
    "src/one/priv/one_p.h": "/* P. */\n#ifndef ONE_P_H\n#define ONE_P_H\n#endif\n",
    "src/two/CMakeLists.txt": "room(two ROOMS one LIBS m) # three is not in it\n",
    "src/two/two_a.h": "/* Two. */\n#ifndef TWO_A_H\n#define TWO_A_H\nint two_a(void);\n#endif\n",
    "src/two/two_a.c": '/* Two. */\n#include "one_a.h"\n#include "two_a.h"\n\nint two_a(void)\n{\n    return one_a();\n}\n',
    "src/three/CMakeLists.txt": "room(three ROOMS two)\n",
    "src/three/three_a.c": '/* Three. */\n#include "two_a.h"\nint three_a(void);\n\nint three_a(void)\n{\n    return two_a();\n}\n',
}
LONG = "/* Long. */\nint one_l(void);\n\nint one_l(void)\n{\n    int x = 0;\n" + "    x++;\n" * 100 + "    return x;\n}\n"
INCLUDE = '/* X. */\n#include "{}"\n'
# the check that must fail, the file, its text
FAULTS = [
    ("no_parent_directory_in_an_include", "src/one/one_x.c", INCLUDE.format("../two/two_a.h")),
    ("priv_headers_stay_in_their_room", "src/two/two_x.c", INCLUDE.format("priv/one_p.h")),
    ("inner_rooms_see_only_the_leaf_of_the_public_headers", "src/one/one_x.c", "/* X. */\n#include <cistern/model.h>\n"),
    ("rooms_include_only_the_rooms_of_their_row", "src/one/one_x.c", INCLUDE.format("two_a.h")),
    ("rooms_include_only_the_rooms_of_their_row", "src/three/three_x.c", INCLUDE.format("one_a.h")),
    ("file_names_are_unique", "tests/one/one_a.c", "/* X. */\n"),
    ("file_names_say_their_room", "src/one/other.c", "/* X. */\n"),
    ("headers_are_guarded_by_their_name", "src/one/one_x.h", "/* X. */\n#pragma once\n"),
    ("files_open_with_their_purpose", "src/one/one_x.c", "int one_x;\n"),
    ("only_base_sees_more_than_posix", "src/one/one_x.c", "/* X. */\n#define _GNU_SOURCE\n"),
    ("only_the_outside_prints_and_exits", "src/one/one_x.c", "/* X. */\nvoid one_x(void)\n{\n    exit(1);\n}\n"),
    ("jumps_only_in_the_image_decoders", "src/one/one_x.c", "/* X. */\nint one_x(void)\n{\n    return setjmp(0);\n}\n"),
    ("functions_are_short", "src/one/one_x.c", LONG),
    ("no_unfinished_marks", "src/one/one_x.c", "/* TO" "DO: all of it */\n"),
    ("no_unfinished_marks", "notes.md", "<<<<<<" "< ours\n"),
    ("no_path_of_one_machine", "tools/x.sh", "cd /ro" "ot/here\n"),
    ("white_space_is_clean", "src/one/one_x.c", "/* X. */\nint one_x; \n"),
    ("scripts_are_executable", "tools/x.sh", "#!/bin/sh\n"),
    ("sources_are_formatted", "src/one/one_x.c", "/* X. */\nint   one_x ;\n"),
]
# archives: two uses three's symbol without including anything of it; one defines a symbol of no room
BAD_OBJECTS = {
    "two": "int three_a(void);\nint two_a(void)\n{\n    return three_a();\n}\n",
    "three": "int three_a(void)\n{\n    return 3;\n}\n",
    "one": "int counter;\nint stray(void)\n{\n    return ++counter;\n}\n",
    "base": "static int kept;\nint base_x(void)\n{\n    return ++kept;\n}\n",
}


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run(lint, root, *more):
    done = subprocess.run([sys.executable, str(lint), "--root", str(root), *map(str, more)], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    failed = {line.split()[1] for line in lines if line.startswith("FAIL ")}
    skipped = {line.split()[1].rstrip(":") for line in lines if line.startswith("SKIP ")}
    return done.returncode, failed, skipped, done.stdout + done.stderr


def main():
    source = Path(sys.argv[1])
    lint, wrong = source / "tools" / "lint", 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        root = scratch / "tree"
        write(root, GOOD)
        shutil.copy(source / ".clang-format", root)
        status, failed, skipped, output = run(lint, root)
        if status != 0 or failed:
            print("the sound tree is refused:\n" + output)
            return 1
        for check, name, text in FAULTS:
            write(root, {name: text})
            status, failed, _, output = run(lint, root, "--only", check)
            (root / name).unlink()
            if check in skipped:
                print(f"SKIP: {check} cannot be made here")
            elif status == 0 or failed != {check}:
                wrong += 1
                print(f"{check} does not refuse {name}:\n{output}")
        wrong += archives(lint, root, scratch)
    print(f"{len(FAULTS)} faults tried")
    return 1 if wrong else 0


def archives(lint, root, scratch):
    write(root, {"src/base/CMakeLists.txt": "room(base)\n"})
    build = scratch / "build"
    (build / "lib").mkdir(parents=True)
    for room, text in BAD_OBJECTS.items():
        write(scratch, {f"{room}.c": text})
        subprocess.run(["cc", "-c", "-o", str(scratch / f"{room}.o"), str(scratch / f"{room}.c")], check=True)
        subprocess.run(["ar", "crs", str(build / "lib" / f"libcistern_{room}.a"), str(scratch / f"{room}.o")], check=True)
    subprocess.run(["cc", "-shared", "-o", str(build / "lib" / "libcistern.so"), str(scratch / "three.o")], check=True)
    wrong = 0
    for check, said in (("the_shared_library_shows_only_public_names", "libcistern.so: three_a"),
                        ("archives_use_only_the_rooms_of_their_row", "uses three_a of 'three'"),
                        ("symbols_begin_with_their_room", "one (one.o): stray"),
                        ("base_keeps_no_state", "kept in .bss")):
        status, failed, _, output = run(lint, root, "--only", check, build)
        if status == 0 or failed != {check} or said not in output:
            wrong += 1
            print(f"{check} does not refuse the archives:\n{output}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
