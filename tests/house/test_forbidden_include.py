#!/usr/bin/env python3
"""Rooms are walls: an include of a room that is not in the row does not compile, one that is does.

For each room a file of its own is compiled with that room's real flags (from compile_commands.json of the build), with
nothing in it but one include of one header of another room. Usage: test_forbidden_include.py SOURCE BUILD
"""
import concurrent.futures
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path


def load_lint(source):
    loader = importlib.machinery.SourceFileLoader("lint", str(source / "tools" / "lint"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("lint", loader))
    loader.exec_module(module)
    return module


def main():
    sys.dont_write_bytecode = True
    source, build = Path(sys.argv[1]), Path(sys.argv[2])
    lint = load_lint(source)
    tree = lint.Tree(source, build)
    commands = lint.room_commands(tree)
    headers = {}
    for name in tree.sources("src/", suffixes=(".h",)):
        if "/priv/" not in name and name != "src/base/base_banned.h":
            headers.setdefault(tree.room_of(name), name.split("/", 2)[2])
    jobs = []
    for room, words in sorted(commands.items()):
        for other, header in sorted(headers.items()):
            if other != room:
                jobs.append((room, other, header, other in tree.rooms[room].rooms, [*words, "-x", "c"]))
        jobs.append((room, "include", "cistern/model.h", tree.rooms[room].public, [*words, "-x", "c"]))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda j: lint.compiles(j[4], f'#include "{j[2]}"\n', tree), jobs))
    wrong, allowed, refused = 0, 0, 0
    for (room, other, header, may, _), error in zip(jobs, results):
        if may and error is None:
            allowed += 1
        elif not may and error is not None and "No such file" in error:
            refused += 1
        else:
            wrong += 1
            print(f"{room} including {header} of {other}: {error or 'compiles, which it must not'}")
    print(f"{allowed} includes compile as they may, {refused} are refused as they must")
    if allowed == 0 or refused == 0:
        print("nothing was tried")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
