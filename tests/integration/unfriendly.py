#!/usr/bin/env python3
"""Servers that are none: what a look at host keys may meet.

    unfriendly.py ADDRESS PORT KIND

silent   take the connection and say nothing
closing  close it at once
junk     bytes without end that are no banner
banner   a banner of SSH, then bytes that are no key exchange
web      answer as a web server would
old      a banner of SSH 1
"""

import os
import socketserver
import sys

SAYS = {"banner": b"SSH-2.0-unfriendly\r\n" + b"\xff" * 4096, "web": b"HTTP/1.0 400 Bad Request\r\n\r\n", "old": b"SSH-1.5-old\r\n"}


class Unfriendly(socketserver.BaseRequestHandler):
    def handle(self):
        kind = self.server.kind
        if kind == "closing":
            return
        self.request.sendall(SAYS.get(kind, b""))
        while kind == "junk":
            self.request.sendall(os.urandom(65536).replace(b"\n", b"x"))
        while self.request.recv(65536):
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def handle_error(self, request, client_address):
        """The other side leaves when it has seen enough."""


def main():
    with Server((sys.argv[1], int(sys.argv[2])), Unfriendly) as server:
        server.kind = sys.argv[3]
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
