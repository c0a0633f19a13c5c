#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server for a folder that knows ranges, on 127.0.0.1.

rangeserver.py FOLDER PORT LOG [OPTION...]

PORT 0 takes a free one; the first line on the standard output has it. LOG gets a line for
each answer: "STATUS PATH FIRST LAST". Options: no-ranges (whole files only), cert=FILE (TLS,
key and certificate in it), bind=ADDRESS, delay=SECONDS before each answer. /moved/PATH redirects to /PATH,
/wrong/PATH answers with another byte at 100 of the file.
"""
import http.server
import os
import re
import ssl
import sys
import threading
import time

folder, port, log = sys.argv[1], int(sys.argv[2]), sys.argv[3]
options = dict(word.partition('=')[::2] for word in sys.argv[4:])
lock = threading.Lock()
flipped = 100


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def note(self, status, path, first=0, last=0):
        with lock, open(log, 'a') as f:
            f.write(f'{status} {path} {first} {last}\n')

    def refuse(self, status, path, headers=()):
        self.note(status, path)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        # Not empty: EDK II's driver for HTTP waits for the first byte of each answer.
        text = b'%d\n' % status
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(text)

    def range(self, size):
        """First and last byte that are asked for; None: none are."""
        m = re.fullmatch(r'bytes=(\d+)-(\d*)', self.headers.get('Range', ''))
        if not m or 'no-ranges' in options:
            return None
        return int(m[1]), min(int(m[2]) if m[2] else size - 1, size - 1)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        time.sleep(float(options.get('delay', 0)))
        path, wrong = self.path, False
        if path.startswith('/moved/'):
            return self.refuse(302, path, [('Location', path[len('/moved'):])])
        if path.startswith('/wrong/'):
            path, wrong = path[len('/wrong'):], True
        name = os.path.join(folder, path.lstrip('/'))
        if '..' in path or not os.path.isfile(name):
            return self.refuse(404, path)
        size = os.path.getsize(name)
        part = self.range(size)
        if part and part[0] >= size:
            return self.refuse(416, path, [('Content-Range', f'bytes */{size}')])
        first, last = part or (0, size - 1)
        self.note(206 if part else 200, path, first, last)
        self.send_response(206 if part else 200)
        if part:
            self.send_header('Content-Range', f'bytes {first}-{last}/{size}')
        self.send_header('Content-Length', str(last - first + 1))
        self.end_headers()
        if self.command == 'HEAD':
            return None
        with open(name, 'rb') as f:
            f.seek(first)
            left = last - first + 1
            while left:
                data = f.read(min(left, 1 << 20))
                at = flipped - (last + 1 - left)
                if wrong and 0 <= at < len(data):
                    data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
                self.wfile.write(data)
                left -= len(data)
        return None


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that went away


server = Server((options.get('bind', '127.0.0.1'), port), Handler)
if 'cert' in options:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options['cert'])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
