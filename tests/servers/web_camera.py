"""A real camera on the web for tests: http://127.0.0.1:PORT/stream is Motion JPEG, /picture a snapshot;
/moved leads to the stream, /away to that of another host, which is this one by another name.

    python web_camera.py PORT [--size WxH] [--fps N] [--still] [--login USER:PASSWORD] [--auth basic|digest] [--tls PEM]

/chunked is a stream in chunks that end with a picture, /bare one without its first boundary and with wrong lengths,
/damaged one whose every third picture broke off, /closed/picture a snapshot after which the connection is closed.
/slow and /late are streams with a picture each 0.7 s and each 4 s, /garbage one of what is no picture, /page a page.
PEM is a file with a certificate and its key, for https.
Every picture is a little brighter than the one before; with --still all show one scene, with the noise of a sensor.
It says "ready" when it can be asked.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.server
import itertools
import re
import ssl
import sys
import time
from pathlib import Path

import cv2
import numpy as np

BOUNDARY = "frame"
STREAMS = {
    "/stream": {},
    "/chunked": {"how": "chunked"},
    "/bare": {"how": "bare"},
    "/damaged": {"how": "damaged"},
    "/slow": {"interval_s": 0.7},
    "/late": {"interval_s": 4},
    "/garbage": {"interval_s": 0.1, "garbage": b"H.265, say" * 100},
}
SCENE = Path(__file__).parents[1] / "photos" / "astronaut.jpg"
NOISE, NOISY_PICTURES, QUALITY = 3.0, 40, 80
"""Standard deviation of each colour, of 255; pictures that differ, made beforehand: making them must not take time."""

REALM, NONCE = "camera", "0123456789abcdef"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits for an acknowledgement between its head and its body

    def do_GET(self):
        if self.server.options.login and not self.may():
            self.send_response(401)
            basic = self.server.options.auth == "basic"
            challenge = "Basic" if basic else f'Digest qop="auth", algorithm=MD5, nonce="{NONCE}",'
            self.send_header("WWW-Authenticate", f'{challenge} realm="{REALM}"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith(("/moved", "/away")):
            self.send_response(302)
            other = f"http://localhost:{self.server.options.port}" if self.path.startswith("/away") else ""
            self.send_header("Location", f"{other}/stream")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/page":
            self.answer("text/html", b"<p>please use our app</p>")
        elif self.path.endswith("/picture"):
            self.answer("image/jpeg", self.server.body())
            self.close_connection = self.path == "/closed/picture"
        elif self.path in STREAMS:
            self.stream(**STREAMS[self.path])
        else:
            self.send_error(404)

    def may(self):
        user, _, password = self.server.options.login.partition(":")
        said = self.headers.get("Authorization", "")
        if self.server.options.auth == "basic":
            return said == "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        parts = dict(re.findall(r'(\w+)="?([^",]*)', said))
        secret, request = md5(f"{user}:{REALM}:{password}"), md5(f"GET:{self.path}")
        middle = ":".join(parts.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
        return said.startswith("Digest ") and parts.get("response") == md5(f"{secret}:{middle}:{request}")

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, interval_s=None, garbage=None, how=""):
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.send_header("Transfer-Encoding", "chunked") if how == "chunked" else self.send_header(
            "Connection", "close"
        )
        self.end_headers()
        for number in itertools.count():
            time.sleep(interval_s or 1 / self.server.options.fps)
            body = garbage or self.server.body()
            length = 10 if how == "bare" else len(body)
            begin = "" if how == "bare" and not number else f"\r\n--{BOUNDARY}\r\n"
            if how == "damaged" and number % 3 == 1:
                body = body[:-40]
            part = f"{begin}Content-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n".encode() + body
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if how == "chunked" else part)

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            return

    def log_message(self, *_):
        return


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, options):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.options = options
        self.numbers = itertools.count()
        self.size = tuple(map(int, options.size.split("x")))
        self.still = [jpeg(picture, QUALITY) for picture in noisy(self.size)] if options.still else []

    def body(self):
        number, (width, height) = next(self.numbers), self.size
        if self.still:
            return self.still[number % len(self.still)]
        return jpeg(np.full((height, width, 3), number % 256, np.uint8))


def noisy(size):
    """Pictures of one scene as a sensor gives them."""
    scene = cv2.resize(cv2.imread(str(SCENE)), size, interpolation=cv2.INTER_CUBIC)
    chance = np.random.default_rng(0)
    for _ in range(NOISY_PICTURES):
        yield np.clip(scene + chance.normal(0, NOISE, scene.shape), 0, 255).astype(np.uint8)


def jpeg(picture, quality=95):
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  (what cameras speak)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--size", default="64x48")
    parser.add_argument("--fps", type=float, default=20)
    parser.add_argument("--still", action="store_true")
    parser.add_argument("--login")
    parser.add_argument("--auth", default="basic")
    parser.add_argument("--tls")
    server = Server(parser.parse_args())
    if server.options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.options.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
