#!/usr/bin/env python3
"""A web server for tests and the demo: serves a directory on 127.0.0.1, counts, and fails as it is told.

    origin_server.py --root DIR [--port N] [--tls CERT KEY] [--log FILE] [--max-seconds S] [--proxy-auth USER:PASS]

It prints two lines, `port N` and `control M`, and then serves until its standard input (if that is a pipe) closes,
its parent dies, or S seconds (default 900) have passed. Python's standard library only.

Serving. GET and HEAD; one range (`bytes=a-b`, `a-`, `-n`); a strong ETag made of the content's SHA-256;
Last-Modified; If-Match, If-None-Match, If-Modified-Since, If-Range; persistent connections; many threads.
As a proxy: `GET http://any.host/path` is answered from the directory and counted as proxied; `CONNECT host:port`
makes a tunnel, to this machine only, whatever the host is called.

Control, plain HTTP on the control port (and on the main port, when that is not TLS); never counted:
    GET  /__stats    {"requests", "bytes", "connections", "proxied", "paths": {PATH: {"requests", "get", "head",
                      "bytes", "ranged", "not_modified"}}, "log": [{"method", "path", "status", "bytes", "proxied",
                      "at_ms", "headers": {lower-case name: value}}, …]}       (bytes: of bodies, as sent; log: last 2000)
    POST /__reset    counts back to zero
    POST /__faults   {PATH: FAULT, …} replaces all faults; PATH "*" holds for paths without their own. Counts start anew.

FAULT is an object; every member is optional and they combine:
    status N             answer with this code …
      times K            … only the first K requests (default: every one)
      retry_after S      … with Retry-After: S (a number or a date, as text)
      methods ["HEAD"]   … only these methods
    head_status N        answer HEAD with this code (405, 403, 501)
    require_auth "u:p"   401 without that basic authorisation
    redirect URL         redirect_status (302) to URL, which may be relative
    redirect_chain N     N redirects to the same path (?hop=1 …), then the content
    redirect_loop true   a redirect to itself
    etag KIND            "strong" (default), "weak", "none", or a literal in quotes
    etag_changes_after N from the request after the N-th on, another ETag
    replace_after N      from the request after the N-th on, serve …
      replace_with FILE  … this file of the directory instead
    ignore_if_match true conditions of the request are not looked at
    no_last_modified true
    ignore_range true    200 and everything, though ranges are advertised
    no_accept_ranges true  ranges work, but are not advertised
    content_range TEXT   a literal Content-Range in 206 answers
    range_shift N        the range sent begins N bytes later than asked, and Content-Range says so
    cut_after N          close the connection after N body bytes …
      cut_times K        … in the first K answers (default: each)
    stall_after N        send nothing more after N body bytes …
      stall_times K      … in the first K answers (default: each)
    stall_head true      accept the request and never answer
    rate N               bytes per second of each answer
    connection_limit N   close a connection once it has carried N body bytes
    length_delta N       Content-Length is wrong by N
    flip [N, …]          the byte at each of these offsets is inverted
    html true            200, an HTML page
    chunked true         no Content-Length, chunked
    close_delimited true no Content-Length, the end is the end of the connection
    gzip true            Content-Encoding: gzip, whatever was asked
    headers {NAME: VALUE}  further headers
"""
import argparse
import base64
import email.utils
import gzip
import hashlib
import http.server
import json
import os
import select
import socket
import ssl
import stat
import sys
import threading
import time
import urllib.parse

PIECE = 1 << 18  # bytes of one write
LOG_MAX = 2000
STALL_SECONDS = 3600


class State:
    """What all connections share; `lock` guards everything but the digests."""

    def __init__(self, args):
        self.args = args
        self.lock = threading.Lock()
        self.digests = {}
        self.digest_lock = threading.Lock()
        self.faults = {}
        self.fault_counts = {}
        self.reset()

    def reset(self):
        self.start = time.monotonic()
        self.requests = self.bytes = self.connections = self.proxied = 0
        self.paths = {}
        self.log = []

    def stats(self):
        with self.lock:
            return json.dumps({"requests": self.requests, "bytes": self.bytes, "connections": self.connections,
                               "proxied": self.proxied, "paths": self.paths, "log": self.log}).encode()

    def fault(self, path):
        """The fault of a path and how many requests for the path came before this one."""
        with self.lock:
            seen = self.fault_counts.get(path, 0)
            self.fault_counts[path] = seen + 1
            return self.faults.get(path, self.faults.get("*", {})), seen

    def take(self, path, key, limit):
        """Whether a fault that is limited to `limit` times (None: no limit) still happens; uses one up."""
        if limit is None:
            return True
        with self.lock:
            used = self.fault_counts.get((path, key), 0)
            self.fault_counts[(path, key)] = used + 1
            return used < limit

    def record(self, entry, ranged):
        with self.lock:
            self.requests += 1
            self.proxied += entry["proxied"]
            of_path = self.paths.setdefault(entry["path"], {"requests": 0, "get": 0, "head": 0, "bytes": 0,
                                                            "ranged": 0, "not_modified": 0})
            of_path["requests"] += 1
            of_path["head" if entry["method"] == "HEAD" else "get"] += 1
            of_path["ranged"] += ranged
            self.log.append(entry)
            del self.log[:-LOG_MAX]
            return of_path

    def sent(self, entry, of_path, n):
        with self.lock:
            self.bytes += n
            of_path["bytes"] += n
            entry["bytes"] += n

    def digest(self, file):
        info = os.stat(file)
        key = (file, info.st_ino, info.st_size, info.st_mtime_ns)
        with self.digest_lock:  # its own: a large file takes seconds, and counting goes on meanwhile
            if key not in self.digests:
                sha = hashlib.sha256()
                with open(file, "rb") as stream:
                    for piece in iter(lambda: stream.read(1 << 20), b""):
                        sha.update(piece)
                self.digests[key] = sha.hexdigest()
            return self.digests[key]


class Body:
    """The bytes of one representation: a file or a string, with bytes flipped where told."""

    def __init__(self, file=None, data=None, flips=()):
        self.stream = open(file, "rb") if data is None else None
        self.data = data
        self.size = os.fstat(self.stream.fileno()).st_size if data is None else len(data)
        self.flips = flips

    def read(self, offset, n):
        piece = os.pread(self.stream.fileno(), n, offset) if self.stream else self.data[offset:offset + n]
        for flip in self.flips:
            if offset <= flip < offset + len(piece):
                at = flip - offset
                piece = piece[:at] + bytes([piece[at] ^ 0xFF]) + piece[at + 1:]
        return piece

    def close(self):
        if self.stream:
            self.stream.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "origin"
    sys_version = ""
    timeout = 120  # seconds that an idle connection is kept
    state = None

    def setup(self):
        super().setup()
        self.carried = 0
        self.connection_counted = False

    def log_message(self, *_):
        pass

    # -- control -------------------------------------------------------------------------------------------------
    def control(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        if self.path == "/__stats":
            self.plain(200, self.state.stats(), "application/json")
        elif self.path == "/__reset":
            with self.state.lock:
                self.state.reset()
            self.plain(200, b"ok\n")
        elif self.path == "/__faults":
            with self.state.lock:
                self.state.faults = json.loads(text or b"{}")
                self.state.fault_counts = {}
            self.plain(200, b"ok\n")
        else:
            self.plain(404, b"no such control\n")

    def do_POST(self):
        if self.path.startswith("/__"):
            self.control()
        else:
            self.plain(405, b"GET and HEAD only\n")

    # -- answers -------------------------------------------------------------------------------------------------
    def plain(self, status, body, kind="text/plain", headers=()):
        """A small answer without faults."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path.startswith("/__"):
            self.control()
            return
        address = urllib.parse.urlsplit(self.path)
        proxied = self.path.startswith("http://")
        path = address.path
        fault, seen = self.state.fault(path)
        entry = {"method": self.command, "path": path, "query": address.query, "status": 0, "bytes": 0,
                 "proxied": int(proxied), "at_ms": int((time.monotonic() - self.state.start) * 1000),
                 "headers": {name.lower(): value for name, value in self.headers.items()}}
        if not self.connection_counted:
            self.connection_counted = True
            with self.state.lock:
                self.state.connections += 1
        of_path = self.state.record(entry, int("Range" in self.headers))
        try:
            if proxied and not self.proxy_allowed(entry):
                return
            self.answer(path, address.query, fault, seen, entry, of_path)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True
        finally:
            if self.state.args.log:
                with self.state.lock, open(self.state.args.log, "a") as log:
                    log.write("%s %s %d %d\n" % (self.command, path, entry["status"], entry["bytes"]))

    def say(self, entry, status, body=b"", headers=()):
        entry["status"] = status
        self.plain(status, body or b"%d\n" % status, headers=headers)

    def answer(self, path, query, fault, seen, entry, of_path):
        if fault.get("stall_head"):
            self.wait_for_close()
            return
        if self.command in fault.get("methods", ["GET", "HEAD"]) and "status" in fault \
                and self.state.take(path, "status", fault.get("times")):
            extra = [("Retry-After", str(fault["retry_after"]))] if "retry_after" in fault else []
            self.say(entry, fault["status"], headers=extra)
            return
        if self.command == "HEAD" and "head_status" in fault:
            self.say(entry, fault["head_status"])
            return
        if "require_auth" in fault and not self.authorised("Authorization", fault["require_auth"]):
            self.say(entry, 401, headers=[("WWW-Authenticate", 'Basic realm="test"')])
            return
        target = self.redirect_target(path, query, fault)
        if target is not None:
            self.say(entry, fault.get("redirect_status", 302), headers=[("Location", target)])
            return
        self.answer_file(path, fault, seen, entry, of_path)

    @staticmethod
    def redirect_target(path, query, fault):
        if "redirect" in fault:
            return fault["redirect"]
        if fault.get("redirect_loop"):
            return path
        hop = int(urllib.parse.parse_qs(query).get("hop", ["0"])[0])
        return "%s?hop=%d" % (path, hop + 1) if hop < fault.get("redirect_chain", 0) else None

    def authorised(self, header, user_and_password):
        wanted = "Basic " + base64.b64encode(user_and_password.encode()).decode()
        return self.headers.get(header) == wanted

    def file_of(self, path):
        root = os.path.realpath(self.state.args.root)
        file = os.path.realpath(os.path.join(root, urllib.parse.unquote(path).lstrip("/")))
        inside = file == root or file.startswith(root + os.sep)
        return file if inside and os.path.isfile(file) else None

    def answer_file(self, path, fault, seen, entry, of_path):
        replaced = seen >= fault.get("replace_after", 1 << 62)
        file = self.file_of("/" + fault["replace_with"] if replaced else path)
        if file is None:
            self.say(entry, 404)
            return
        etag = self.etag_of(file, fault, seen)
        modified = email.utils.formatdate(os.stat(file).st_mtime, usegmt=True)
        if fault.get("html"):
            body = Body(data=b"<!DOCTYPE html>\n<html><title>Sign in</title></html>\n")
        elif fault.get("gzip"):
            with open(file, "rb") as stream:
                body = Body(data=gzip.compress(stream.read()))
        else:
            body = Body(file=file, flips=fault.get("flip", ()))
        try:
            status = self.condition(fault, etag, modified)
            if status:
                if status == 304:
                    with self.state.lock:
                        of_path["not_modified"] += 1
                entry["status"] = status
                self.plain(status, b"%d\n" % status, headers=[("ETag", etag)] if etag else [])
                return
            self.send_body(path, body, etag, modified, fault, entry, of_path)
        finally:
            body.close()

    def etag_of(self, file, fault, seen):
        kind = fault.get("etag", "strong")
        if kind == "none":
            return None
        if kind.startswith('"') or kind.startswith("W/"):
            return kind
        changed = "-changed" if seen >= fault.get("etag_changes_after", 1 << 62) else ""
        return '%s"%s%s"' % ("W/" if kind == "weak" else "", self.state.digest(file)[:32], changed)

    def condition(self, fault, etag, modified):
        """412, 304 or None."""
        if fault.get("ignore_if_match"):
            return None
        match = self.headers.get("If-Match")
        if match and match != "*" and (etag is None or etag.startswith("W/") or etag not in match):
            return 412
        none_match = self.headers.get("If-None-Match")
        if none_match:
            plain = etag[2:] if etag and etag.startswith("W/") else etag
            return 304 if plain and (none_match == "*" or plain in none_match) else None
        return 304 if self.headers.get("If-Modified-Since") == modified else None

    def range_of(self, size, etag, fault):
        """(first, last), None for everything, or False when it cannot be satisfied."""
        text = self.headers.get("Range", "")
        if_range = self.headers.get("If-Range")
        if fault.get("ignore_range") or not text.startswith("bytes=") or "," in text:
            return None
        if if_range and if_range != etag:
            return None
        first, _, last = text[6:].partition("-")
        if first == "":
            return (max(0, size - int(last)), size - 1) if size and int(last) else False
        first = int(first)
        last = min(int(last), size - 1) if last else size - 1
        return (first, last) if first <= last else False

    def send_body(self, path, body, etag, modified, fault, entry, of_path):
        wanted = self.range_of(body.size, etag, fault)
        if wanted is False:
            self.say(entry, 416, headers=[("Content-Range", "bytes */%d" % body.size)])
            return
        first, last = wanted if wanted else (0, body.size - 1)
        if wanted and "range_shift" in fault:
            first, last = first + fault["range_shift"], min(last + fault["range_shift"], body.size - 1)
        entry["status"] = 206 if wanted else 200
        self.send_response(entry["status"])
        self.send_header("Content-Type", "text/html" if fault.get("html") else "application/octet-stream")
        if etag:
            self.send_header("ETag", etag)
        if not fault.get("no_last_modified"):
            self.send_header("Last-Modified", modified)
        if not fault.get("no_accept_ranges"):
            self.send_header("Accept-Ranges", "bytes")
        if wanted:
            self.send_header("Content-Range",
                             fault.get("content_range", "bytes %d-%d/%d" % (first, last, body.size)))
        if fault.get("gzip"):
            self.send_header("Content-Encoding", "gzip")
        for name, value in fault.get("headers", {}).items():
            self.send_header(name, value)
        length = last - first + 1
        if fault.get("chunked"):
            self.send_header("Transfer-Encoding", "chunked")
        elif fault.get("close_delimited"):
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length + fault.get("length_delta", 0)))
            if fault.get("length_delta"):
                self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.stream(path, body, first, length, fault, entry, of_path)

    def stream(self, path, body, first, length, fault, entry, of_path):
        cut = fault.get("cut_after")
        if cut is not None and (cut >= length or not self.state.take(path, "cut", fault.get("cut_times"))):
            cut = None
        stall = fault.get("stall_after")
        if stall is not None and (stall >= length or not self.state.take(path, "stall", fault.get("stall_times"))):
            stall = None
        limit = fault.get("connection_limit")
        rate = fault.get("rate")
        piece_max = max(1, min(PIECE, rate // 20)) if rate else PIECE
        started = time.monotonic()
        done = 0
        while done < length:
            n = min(piece_max, length - done)
            for edge in (cut, stall):
                if edge is not None:
                    n = min(n, edge - done)
            if limit is not None:
                n = min(n, limit - self.carried)
            if n <= 0:
                break
            piece = body.read(first + done, n)
            self.state.sent(entry, of_path, n)  # before the write: who has the bytes finds them counted
            try:
                self.wfile.write(b"%x\r\n%s\r\n" % (n, piece) if fault.get("chunked") else piece)
            except OSError:
                self.state.sent(entry, of_path, -n)
                raise
            done += n
            self.carried += n
            if rate:
                time.sleep(max(0, started + done / rate - time.monotonic()))
        if done < length and stall is not None and done == stall:
            self.wait_for_close()
        elif done < length:
            self.close_connection = True
        elif fault.get("chunked"):
            self.wfile.write(b"0\r\n\r\n")

    def wait_for_close(self):
        """Silence, until the other side has gone."""
        self.close_connection = True
        self.wfile.flush()
        select.select([self.connection], [], [], STALL_SECONDS)

    # -- proxy ---------------------------------------------------------------------------------------------------
    def proxy_allowed(self, entry):
        wanted = self.state.args.proxy_auth
        if wanted is None or self.authorised("Proxy-Authorization", wanted):
            return True
        self.say(entry, 407, headers=[("Proxy-Authenticate", 'Basic realm="test"')])
        return False

    def do_CONNECT(self):
        entry = {"method": "CONNECT", "path": self.path, "query": "", "status": 200, "bytes": 0, "proxied": 1,
                 "at_ms": int((time.monotonic() - self.state.start) * 1000),
                 "headers": {name.lower(): value for name, value in self.headers.items()}}
        self.state.record(entry, 0)
        if not self.proxy_allowed(entry):
            return
        self.close_connection = True
        port = int(self.path.rpartition(":")[2])
        try:
            other = socket.create_connection(("127.0.0.1", port), timeout=5)
        except OSError:
            self.say(entry, 502)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        back = threading.Thread(target=relay, args=(other, self.connection), daemon=True)
        back.start()
        relay(self.connection, other)
        back.join()
        other.close()


def relay(source, sink):
    try:
        for piece in iter(lambda: source.recv(1 << 16), b""):
            sink.sendall(piece)
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    tls = None

    def get_request(self):
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:  # the handshake happens in the connection's own thread, at its first read
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a peer that goes away is no error here
            super().handle_error(request, client_address)


def watch(max_seconds):
    """Return when there is no reason to go on."""
    deadline = time.monotonic() + max_seconds
    parent = os.getppid()
    pipe = stat.S_ISFIFO(os.fstat(0).st_mode) or stat.S_ISSOCK(os.fstat(0).st_mode)
    while time.monotonic() < deadline and os.getppid() == parent:
        if not pipe:
            time.sleep(0.2)
        elif select.select([0], [], [], 0.5)[0] and os.read(0, 4096) == b"":
            return


def main():
    parser = argparse.ArgumentParser(description="serve a directory, count, fail as told (see the docstring)")
    parser.add_argument("--root", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--log")
    parser.add_argument("--max-seconds", type=float, default=900)
    parser.add_argument("--proxy-auth")
    args = parser.parse_args()

    handler = type("OriginHandler", (Handler,), {"state": State(args)})
    main_server = Server(("127.0.0.1", args.port), handler)
    control_server = Server(("127.0.0.1", 0), handler)
    if args.tls:
        main_server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        main_server.tls.load_cert_chain(*args.tls)
    for server in (main_server, control_server):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("port %d\ncontrol %d" % (main_server.server_port, control_server.server_port), flush=True)
    watch(args.max_seconds)
    os._exit(0)


if __name__ == "__main__":
    main()
