"""An RTSP camera for tests that answers as difficult ones do: rtsp://127.0.0.1:PORT/camera. It never sends a picture.

    python rtsp_faults.py PORT [--answer METHOD STATUS]... [--udp] [--login USER:PASSWORD] [--hash MD5|SHA-256]

It says "ready" when it can be asked, and then, in a line each, every login that it gets: "right" or "wrong".
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import sys

REALM, NONCE = "camera", "0123456789abcdef"
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=control:track1\r\n"
)
HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


class Camera:
    def __init__(self, options):
        self.options = options
        self.answers = {method: int(status) for method, status in options.answer}

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                writer.write(self.answer(head).encode())
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    def answer(self, head):
        method, url, _ = head.split(" ", 2)
        sequence = re.search(r"CSeq: *(\d+)", head)[1]
        status, lines, body = self.answers.get(method, 200), [], ""
        if self.options.login and method != "OPTIONS" and not self.admits(method, head):
            status = 401
            lines = [f'WWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}", algorithm="{self.options.hash}"']
        elif method == "SETUP" and self.options.udp and "TCP" in head:
            status = 461
        elif status == 200 and method == "DESCRIBE":
            lines, body = ["Content-Type: application/sdp", f"Content-Base: {url}/"], SDP
        elif status == 200 and method == "SETUP":
            transport = re.search(r"Transport: *(.*?)\r\n", head)[1]
            lines = ["Session: 1;timeout=60", f"Transport: {transport};server_port=6000-6001"]
        head = "\r\n".join([f"RTSP/1.0 {status} In Words", f"CSeq: {sequence}", *lines, f"Content-Length: {len(body)}"])
        return f"{head}\r\n\r\n{body}"

    def admits(self, method, head):
        said = re.search(r"Authorization: Digest (.*)", head)
        if said is None:
            return False
        digest = lambda text: HASHES[self.options.hash](text.encode()).hexdigest()  # noqa: E731
        parts = dict(re.findall(r'(\w+)="?([^",\r]*)', said[1]))
        user, _, password = self.options.login.partition(":")
        secret, request = digest(f"{user}:{REALM}:{password}"), digest(f"{method}:{parts['uri']}")
        right = parts["response"] == digest(f"{secret}:{NONCE}:{request}")
        say("right" if right else "wrong")
        return right


def say(word):
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--answer", nargs=2, action="append", default=[])
    parser.add_argument("--udp", action="store_true")
    parser.add_argument("--login")
    parser.add_argument("--hash", default="MD5", choices=HASHES)
    options = parser.parse_args()
    server = await asyncio.start_server(Camera(options).serve, "127.0.0.1", options.port)
    say("ready")
    await server.serve_forever()


asyncio.run(main())
