"""What stands on the host beside the emulated board: a real lmp-factory, a clock, a cable.

The board reaches all of it as 10.0.2.2, which QEMU's user network maps to the host's loopback; the
factory has a name, as in the README, which the board finds in /etc/hosts.
"""

import json
import pathlib
import re
import select
import socket
import socketserver
import struct
import subprocess
import threading
import time

API_PORT = 8080
GATEWAY_PORT = 8443
BOARD_SEES_HOST_AT = "10.0.2.2"
FACTORY_HOST = "factory.example.com"
# The factory listens behind the cable, on another address of the loopback and the same port: it
# tells people its own port.
BEHIND_THE_CABLE = "127.0.0.2"


class Factory:
    """One lmp-factory with its data directory; it may be started and stopped several times."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path):
        self.program = program
        self.data = folder / "factory"
        self.log = open(folder / "factory.log", "ab")
        self.process = None

    def start(self) -> dict:
        """Returns the facts that the factory prints once its ports are open."""
        self.process = subprocess.Popen(
            [
                self.program, "serve", "--json", "--factory", "acme",
                "--data-dir", self.data, "--host", FACTORY_HOST,
                "--listen", f"{BEHIND_THE_CABLE}:{API_PORT}",
                "--gateway-listen", f"127.0.0.1:{GATEWAY_PORT}",
            ],
            stdout=subprocess.PIPE, stderr=self.log,
        )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"lmp-factory did not start; see {self.log.name}")
        return json.loads(line)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def new_token(self) -> str:
        command = [self.program, "token", "create", "--data-dir", self.data]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]

    def add_operator(self, name: str, password: str) -> None:
        command = [self.program, "operator", "add", "--data-dir", self.data,
                   "--password-file", "-", name]
        subprocess.run(command, check=True, input=password, text=True, stdout=subprocess.DEVNULL)

    def devices(self) -> list:
        command = [self.program, "device", "list", "--json", "--data-dir", self.data]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


class Person:
    """Somebody with a browser, which is curl with a cookie jar, and the password of an operator."""

    def __init__(self, folder: pathlib.Path, ca_file: str):
        self.arguments = [
            "curl", "--silent", "--show-error", "--fail", "--location", "--cacert", ca_file,
            "--cookie", folder / "cookies", "--cookie-jar", folder / "cookies",
            "--resolve", f"{FACTORY_HOST}:{API_PORT}:127.0.0.1",
        ]
        self.page = ""

    def open(self, url: str, **fields: str) -> str:
        """Follows a link, or sends the form of the page that is open."""
        if fields:
            fields["csrf"] = re.search(r'name="csrf" value="([^"]*)"', self.page)[1]
        data = [word for pair in fields.items() for word in ("--data-urlencode", "=".join(pair))]
        done = subprocess.run([*self.arguments, *data, url], check=True, capture_output=True, text=True)
        self.page = done.stdout
        return self.page

    def approve(self, address: str, code: str, name: str, password: str) -> str:
        """Logs in, types the code, reads the page and presses the button; returns both pages."""
        self.open(address)
        self.open(f"{address}login", name=name, password=password, user_code="")
        question = self.open(f"{address}?user_code={code}")
        return question + self.open(f"{address}decide", user_code=code, decision="approve")


class Clock:
    """An NTP server (RFC 5905, server mode) that stays silent for the first few requests."""

    SECONDS_1900_TO_1970 = 2_208_988_800

    def __init__(self, silent_requests: int = 0):
        self.silent_requests = silent_requests
        self.requests = 0
        self.on_first_answer = lambda: None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 123))
        self.closing, self.close_now = socket.socketpair()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self.socket, self.closing], [], [])
            if self.closing in ready:
                return
            request, sender = self.socket.recvfrom(1024)
            self.requests += 1
            if self.requests <= self.silent_requests or len(request) < 48:
                continue
            if self.requests == self.silent_requests + 1:
                self.on_first_answer()
            self.socket.sendto(self._answer(request), sender)

    def _answer(self, request: bytes) -> bytes:
        now = time.time() + self.SECONDS_1900_TO_1970
        stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
        # Leap 0, version 4, mode 4; stratum 1; the client's transmit time comes back as origin.
        head = struct.pack("!BBbbII4s", 0x24, 1, 6, -20, 0, 0, b"TEST")
        return head + stamp + request[40:48] + stamp + stamp

    def close(self) -> None:
        self.close_now.send(b"x")
        self.thread.join()
        self.socket.close()


class Cable:
    """A TCP relay before the registration API that can fail at the worst moment.

    While `cut_when()` is set, the first answer that the factory sends after it has become true is
    withheld, and `cut` is set: the factory has registered the device and the board does not know.
    """

    def __init__(self):
        self.cut_when = None
        self.cut = threading.Event()
        cable = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection((BEHIND_THE_CABLE, API_PORT)) as factory:
                    cable._relay(self.request, factory)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", API_PORT), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _relay(self, board: socket.socket, factory: socket.socket) -> None:
        while True:
            ready, _, _ = select.select([board, factory], [], [])
            for source in ready:
                try:
                    data = source.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                if source is factory and self.cut_when is not None and self.cut_when():
                    self.cut.set()
                    return
                (board if source is factory else factory).sendall(data)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
