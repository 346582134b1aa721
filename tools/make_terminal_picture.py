#!/usr/bin/env python3
"""Draw docs/terminal.svg: a terminal in which the program is really run, at the moment when its last pull is under way.

    tools/make_terminal_picture.py [PROGRAM] [OUTPUT]

The bundled model is served by the test origin, which is also the proxy, so that a host name can be shown. Standard
library only.
"""
import fcntl
import html
import json
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[1]
MODEL = TOP / "models/digits-vgg11_bn"
COLUMNS = 96
CELL, LINE, SIZE = 8.4, 19, 14  # pixels
PATIENCE = 60  # seconds
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "36": "#79c0ff"}


class Screen:
    """Just as much of a terminal as the program uses: text, carriage return, erase to the end, colours."""

    def __init__(self):
        self.lines, self.column, self.style = [[]], 0, ""

    def put(self, text):
        for piece in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if piece == "\r":
                self.column = 0
            elif piece == "\n":
                self.lines.append([])
                self.column = 0
            elif piece.endswith("K") and piece[0] == "\x1b":
                del self.lines[-1][self.column:]
            elif piece[0] == "\x1b":
                code = piece[2:-1]
                self.style = "" if code in ("", "0") else code
            else:
                for character in piece:
                    self.lines[-1][self.column:self.column + 1] = [(character, self.style)]
                    self.column += 1


def spans(line):
    """Runs of one style."""
    start = 0
    for i in range(1, len(line) + 1):
        if i == len(line) or line[i][1] != line[start][1]:
            yield start, "".join(c for c, _ in line[start:i]), line[start][1]
            start = i


def attributes(style):
    if style == "1":
        return ' font-weight="bold" fill="#ffffff"'
    if style == "2":
        return ' fill="#6e7681"'
    return ' fill="%s"' % COLOURS[style] if style in COLOURS else ""


def svg(screen):
    width, height = COLUMNS * CELL + 40, len(screen.lines) * LINE + 66
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" '
           'aria-label="cistern in a terminal">' % (width, height, width, height),
           '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>']
    out += ['<circle cx="%d" cy="20" r="6" fill="%s"/>' % (22 + 20 * i, c)
            for i, c in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))]
    out.append('<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="%d" fill="#c9d1d9" '
               'xml:space="preserve">' % SIZE)
    for row, line in enumerate(screen.lines):
        y = 56 + row * LINE
        for column, text, style in spans(line):
            if set(text) == {"━"}:  # one line without gaps between its characters
                out.append('<rect x="%.1f" y="%.1f" width="%.1f" height="3"%s/>'
                           % (20 + column * CELL, y - 6, len(text) * CELL, attributes(style) or ' fill="#c9d1d9"'))
            elif text.strip():
                out.append('<text x="%.1f" y="%d" textLength="%.1f"%s>%s</text>'
                           % (20 + column * CELL, y, len(text) * CELL, attributes(style), html.escape(text)))
    out.append("</g></svg>\n")
    return "\n".join(out)


def run(screen, program, env, directory, words, until=None):
    """Run one command on a pseudo-terminal; with `until`, stop it once its screen shows that."""
    screen.put("\x1b[32m$\x1b[0m cistern %s\n" % " ".join(words))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    process = subprocess.Popen([program, *words], stdin=slave, stdout=slave, stderr=slave, env=env, cwd=directory)
    os.close(slave)
    shown, deadline = "", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(master, 65536).decode()
        except OSError:
            break
        shown += piece
        screen.put(piece.replace("\r\n", "\n"))
        if until and re.search(until, shown):
            break
    process.kill() if until else None
    if process.wait() != 0 and not until:
        raise SystemExit("it failed:\n" + shown)
    os.close(master)


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else TOP / "build/release/bin/cistern")
    output = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else TOP / "docs/terminal.svg")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        root = directory / "origin"
        shutil.copytree(MODEL, root)
        for sample in ("three", "eight"):
            shutil.copy(MODEL / "samples" / (sample + ".png"), directory)
        server = subprocess.Popen([sys.executable, str(TOP / "tests/support/origin_server.py"), "--root", str(root)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = int(server.stdout.readline().split()[1])
        control = int(server.stdout.readline().split()[1])
        env = {"PATH": os.environ["PATH"], "HOME": name, "TERM": "xterm-256color", "LANG": "C.UTF-8",
               "CISTERN_PROXY": "http://127.0.0.1:%d/" % port}
        screen = Screen()
        for words in (["pull", "http://models.example/digits-vgg11_bn.pth", "--as", "digits"],
                      ["classify", "digits", "three.png", "eight.png", "--top", "3"],
                      ["pull", "http://models.example/digits-vgg11_bn.pth", "--as", "digits"], ["ls"]):
            run(screen, program, env, directory, words)
        shutil.copy(MODEL / "v2/digits-vgg11_bn.pth", root)
        body = json.dumps({"/digits-vgg11_bn.pth": {"rate": 200000}}).encode()
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            urllib.request.Request("http://127.0.0.1:%d/__faults" % control, data=body)).close()
        run(screen, program, env, directory, ["pull", "digits", "--update"], until=r" 6\d %.*left")
        server.stdin.close()
        server.wait()
    output.write_text(svg(screen), encoding="utf-8")


if __name__ == "__main__":
    main()
