#!/usr/bin/env python3
"""A small S3 for tests, on 127.0.0.1: it recomputes every signature from the request as it came, and refuses what differs.

    s3_server.py [--tls CERT KEY] [--max-seconds S]

It prints two lines, `port N` and `control M`, and then serves until its standard input closes, its parent dies, or S seconds
(default 900) have passed. GET and HEAD of objects, one range, If-Match, If-None-Match; buckets in the path, or in the host name
as BUCKET.localhost. Python's standard library only; nothing of an AWS library is in it, so that it is a second opinion.

Control, on the control port; never counted:
    GET  /__stats    {"requests", "log": [{"method", "path", "status", "code", "signed", "headers": {…}}, …]}
    POST /__reset    counts back to zero
    POST /__set      replaces everything that is served:
        keys     {ID: {"secret", "token" (must come with it), "expired" (its token), "list": false (a missing key is then 403),
                       "deny": true}}
        buckets  {NAME: {"region" ("us-east-1"), "public", "payer", "objects": {KEY: OBJECT}}}
        OBJECT   {"file": PATH, "etag": TEXT, "version": ID, "versions": {ID: OBJECT}, "sha256": "kept"|"wrong"|"composite"|"parts",
                  "deleted": true}
        clock    seconds that this server is ahead
        wrong_region   "malformed" (400 with the region), "redirect" (301 with it), "silent" (301 without), "liar" (always another)
        slow_down N    the first N requests get 503 SlowDown
        expire_after N   tokens expire behind the N-th request
        redirect URL   307 to URL + the path
        cut_after N, cut_times K   bodies end after N bytes, K times
        replace_after N, replace_with PATH   from the request after the N-th on all objects are that file
        fail {"status", "code", "message", "echo", "body", "times"}   every request fails so; echo: the message repeats what was sent
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import http.server
import json
import os
import re
import ssl
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

SKEW = 900  # seconds
LOG_MAX = 2000
OWN = ("host", "x-amz-date", "x-amz-content-sha256")


def hash_of(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Refused(Exception):
    """An answer that is an error document."""

    def __init__(self, status, code, message, headers=(), **elements):
        super().__init__(code)
        self.status, self.code, self.message, self.headers, self.elements = status, code, message, dict(headers), elements


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.set({})

    def set(self, config):
        with self.lock:
            self.config = config
            self.used = {}
            self.requests, self.log = 0, []

    def reset(self):
        with self.lock:
            self.requests, self.log = 0, []

    def first(self, what, limit):
        """Whether this is one of the first `limit` times."""
        with self.lock:
            self.used[what] = self.used.get(what, 0) + 1
            return self.used[what] <= limit


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "s3", ""
    timeout = 120
    state = None

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:  # a client that does not trust the certificate, or has had enough
            pass

    # -- control -------------------------------------------------------------------------------------------------
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/__set":
            self.state.set(json.loads(body))
        elif self.path == "/__reset":
            self.state.reset()
        self.plain(200, b"ok\n", {})

    def plain(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 304:
            self.wfile.write(body)

    # -- requests ------------------------------------------------------------------------------------------------
    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path.startswith("/__stats"):
            with self.state.lock:
                body = json.dumps({"requests": self.state.requests, "log": self.state.log}).encode()
            self.plain(200, body, {"Content-Type": "application/json"})
            return
        entry = {"method": self.command, "path": self.path, "status": 0, "code": "", "signed": False,
                 "headers": {name.lower(): value for name, value in self.headers.items()}}
        with self.state.lock:
            self.state.requests += 1
            self.state.log.append(entry)
            del self.state.log[:-LOG_MAX]
        self.entry, self.config = entry, self.state.config
        try:
            self.answer()
        except Refused as refused:
            self.refuse(refused)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def refuse(self, refused):
        self.entry.update(status=refused.status, code=refused.code)
        elements = "".join("<%s>%s</%s>" % (name, escape(value), name) for name, value in refused.elements.items())
        body = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s</Code><Message>%s</Message>%s<RequestId>1</RequestId></Error>' % (
            escape(refused.code), escape(refused.message), elements)
        self.plain(refused.status, body.encode(), {"Content-Type": "application/xml", **refused.headers})

    def answer(self):
        self.general_faults()
        host = self.headers["Host"].rsplit(":", 1)[0]
        path, _, self.query = self.path.partition("?")
        name = host[:-len(".localhost")] if host.endswith(".localhost") else None
        rest = path[1:]
        if name is None:
            name, _, rest = rest.partition("/")
        bucket = self.config.get("buckets", {}).get(name)
        region = bucket.get("region", "us-east-1") if bucket else None
        identity = self.authenticate(path, region)
        if bucket is None:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist", BucketName=name)
        if identity is None and not bucket.get("public"):
            raise Refused(403, "AccessDenied", "Access Denied")
        identity = identity or {}
        if identity.get("deny") or (bucket.get("payer") and self.headers.get("x-amz-request-payer") != "requester"):
            raise Refused(403, "AccessDenied", "User is not authorized to perform: s3:GetObject")
        self.send_object(self.find(bucket, urllib.parse.unquote(rest), identity), region)

    def general_faults(self):
        fail = self.config.get("fail")
        if fail and self.state.first("fail", fail.get("times", 1 << 30)):
            message = fail.get("message", "It failed")
            if fail.get("echo"):
                message += " " + " ".join(self.headers.values())
            if "body" in fail:
                self.entry.update(status=fail["status"])
                self.plain(fail["status"], fail["body"].encode("latin-1"), {"Content-Type": "application/xml"})
                raise BrokenPipeError
            raise Refused(fail["status"], fail["code"], message)
        if self.state.first("slow", self.config.get("slow_down", 0)):
            raise Refused(503, "SlowDown", "Please reduce your request rate.", {"Retry-After": "0"})
        if "redirect" in self.config:
            self.entry["status"] = 307
            self.plain(307, b"", {"Location": self.config["redirect"] + self.path})
            raise BrokenPipeError

    # -- signatures ----------------------------------------------------------------------------------------------
    def authenticate(self, path, region):
        """The key's record, or None for an anonymous request."""
        text = self.headers.get("Authorization")
        if text is None:
            return None
        match = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/ ,]+)/(\d{8})/([^/]+)/s3/aws4_request, "
                             r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})", text)
        if match is None:
            raise Refused(400, "AuthorizationHeaderMalformed", "The authorization header is malformed.")
        key_id, day, asked_region, signed, signature = match.groups()
        self.entry["signed"] = True
        self.check_region(region, asked_region)
        key = self.config.get("keys", {}).get(key_id)
        if key is None:
            raise Refused(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.",
                          AWSAccessKeyId=key_id)
        self.check_time(day)
        self.check_signature(key, path, day, asked_region, signed.split(";"), signature)
        self.check_token(key)
        return key

    def check_region(self, region, asked):
        how = self.config.get("wrong_region", "malformed")
        if how == "liar":
            region = "xx-liar-%d" % self.state.requests
        if region is None or region == asked:
            return
        told = {"x-amz-bucket-region": region}
        if how in ("redirect", "liar"):
            raise Refused(301, "PermanentRedirect", "The bucket must be addressed using the specified endpoint.", told)
        if how == "silent":
            raise Refused(301, "PermanentRedirect", "The bucket must be addressed using the specified endpoint.")
        raise Refused(400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region '%s' is wrong; "
                      "expecting '%s'" % (asked, region), {}, Region=region)

    def check_time(self, day):
        stamp = self.headers.get("x-amz-date", "")
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.config.get("clock", 0))
        try:
            then = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        except ValueError:
            raise Refused(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from None
        if abs((now - then).total_seconds()) > SKEW:
            raise Refused(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
                          RequestTime=stamp, ServerTime=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        if not stamp.startswith(day):
            raise Refused(403, "SignatureDoesNotMatch", "The day of the credential is not that of the request")

    def check_signature(self, key, path, day, region, signed, signature):
        sent = {name.lower() for name in self.headers}
        unsigned = [name for name in sorted(sent) if name.startswith("x-amz-") and name not in signed]
        if unsigned or any(name not in signed for name in OWN) or signed != sorted(signed):
            raise Refused(403, "AccessDenied", "There were headers present in the request which were not signed: %s" % unsigned)
        if self.headers["x-amz-content-sha256"] not in ("UNSIGNED-PAYLOAD", hashlib.sha256(b"").hexdigest()):
            raise Refused(400, "XAmzContentSHA256Mismatch", "The provided x-amz-content-sha256 header does not match.")
        # Decoded and encoded again: what the client signed must be the one right form.
        uri = urllib.parse.quote(urllib.parse.unquote_to_bytes(path), safe="/-._~")
        pairs = sorted((urllib.parse.quote(name, safe="-._~"), urllib.parse.quote(value, safe="-._~")) for name, value in
                       urllib.parse.parse_qsl(self.query.replace("+", "%2B"), keep_blank_values=True))
        fields = "".join("%s:%s\n" % (name, " ".join((self.headers.get(name) or "").split())) for name in signed)
        canonical = "\n".join([self.command, uri, "&".join("%s=%s" % pair for pair in pairs), fields, ";".join(signed),
                               self.headers["x-amz-content-sha256"]])
        scope = "%s/%s/s3/aws4_request" % (day, region)
        to_sign = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
        made = ("AWS4" + key["secret"]).encode()
        for part in (day, region, "s3", "aws4_request"):
            made = hash_of(made, part)
        if not hmac.compare_digest(hash_of(made, to_sign).hex(), signature):
            raise Refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.",
                          StringToSign=to_sign, CanonicalRequest=canonical)

    def check_token(self, key):
        sent = self.headers.get("x-amz-security-token")
        if key.get("token") != sent:
            raise Refused(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
        if sent and (key.get("expired") or self.state.requests > self.config.get("expire_after", 1 << 30)):
            raise Refused(400, "ExpiredToken", "The provided token has expired.")

    # -- objects -------------------------------------------------------------------------------------------------
    def find(self, bucket, key, identity):
        version = dict(urllib.parse.parse_qsl(self.query)).get("versionId")
        found = bucket.get("objects", {}).get(key)
        if found is None:
            if identity.get("list") is False:
                raise Refused(403, "AccessDenied", "Access Denied")
            raise Refused(404, "NoSuchKey", "The specified key does not exist.", Key=key)
        if version is not None and version != found.get("version"):
            found = found.get("versions", {}).get(version)
            if found is None:
                raise Refused(404, "NoSuchVersion", "The specified version does not exist.", VersionId=version)
            found.setdefault("version", version)
        if found.get("deleted"):
            marker = {"x-amz-delete-marker": "true"}
            if version is None:
                raise Refused(404, "NoSuchKey", "The specified key does not exist.", marker, Key=key)
            raise Refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.", marker)
        if self.state.requests > self.config.get("replace_after", 1 << 30):
            found = dict(found, file=self.config["replace_with"], etag='"replaced"', version="replaced")
        return found

    def checksum(self, kind, data):
        digest = hashlib.sha256(data if kind != "wrong" else b"other" + data).digest()
        text = base64.b64encode(digest).decode()
        if kind == "parts":  # as before there was a type
            return {"x-amz-checksum-sha256": text + "-3"}
        return {"x-amz-checksum-sha256": text, "x-amz-checksum-type": "COMPOSITE" if kind == "composite" else "FULL_OBJECT"}

    def send_object(self, found, region):
        with open(found["file"], "rb") as stream:
            data = stream.read()
        etag = found.get("etag") or '"%s"' % hashlib.md5(data).hexdigest()
        headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "binary/octet-stream",
                   "Last-Modified": self.date_time_string(os.stat(found["file"]).st_mtime), "x-amz-bucket-region": region}
        if "version" in found:
            headers["x-amz-version-id"] = found["version"]
        if self.headers.get("If-Match") not in (None, etag):
            raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        if self.headers.get("If-None-Match") == etag:
            self.entry["status"] = 304
            self.plain(304, b"", headers)
            return
        whole = self.headers.get("Range") is None
        if "sha256" in found and whole and self.headers.get("x-amz-checksum-mode") == "ENABLED":
            headers.update(self.checksum(found["sha256"], data))
        status, body = 200, data
        if not whole:
            first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"]).groups()
            first, last = int(first), min(int(last or len(data)), len(data) - 1)
            if first >= len(data):
                raise Refused(416, "InvalidRange", "The requested range is not satisfiable", {"Content-Range": "bytes */%d" % len(data)})
            status, body = 206, data[first:last + 1]
            headers["Content-Range"] = "bytes %d-%d/%d" % (first, last, len(data))
        self.entry["status"] = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.config.get("cut_after", len(body))
        if cut < len(body) and self.state.first("cut", self.config.get("cut_times", 1 << 30)):
            self.wfile.write(body[:cut])
            self.close_connection = True
            return
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(state, tls=None):
    handler = type("Bound", (Handler,), {"state": state})
    server = Server(("127.0.0.1", 0), handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--max-seconds", type=float, default=900)
    args = parser.parse_args()
    state = State()
    print("port %d\ncontrol %d" % (serve(state, args.tls), serve(state)), flush=True)
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    end = time.monotonic() + args.max_seconds
    parent = os.getppid()
    while time.monotonic() < end and os.getppid() == parent:
        time.sleep(0.2)
    os._exit(0)


if __name__ == "__main__":
    main()
