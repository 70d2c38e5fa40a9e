"""What stands on the host beside the emulated board: a real lmp-factory, a clock, a cable.

The board reaches all of it as 10.0.2.2, which QEMU's user network maps to the host's loopback.
"""

import json
import pathlib
import select
import socket
import socketserver
import struct
import subprocess
import threading
import time

API_PORT = 8080
GATEWAY_PORT = 8443
BOARD_SEES_HOST_AS = "10.0.2.2"


class Factory:
    """One lmp-factory with its data directory; it may be started and stopped several times."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path, api_port: int = API_PORT):
        self.program = program
        self.data = folder / "factory"
        self.log = open(folder / "factory.log", "ab")
        self.api_port = api_port
        self.process = None

    def start(self) -> dict:
        """Returns the facts that the factory prints once its ports are open."""
        self.process = subprocess.Popen(
            [
                self.program, "serve", "--json", "--factory", "acme",
                "--data-dir", self.data, "--host", BOARD_SEES_HOST_AS,
                "--listen", f"127.0.0.1:{self.api_port}",
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

    def devices(self) -> list:
        command = [self.program, "device", "list", "--json", "--data-dir", self.data]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


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

    def __init__(self, upstream_port: int, port: int = API_PORT):
        self.cut_when = None
        self.cut = threading.Event()
        cable = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", upstream_port)) as factory:
                    cable._relay(self.request, factory)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", port), Handler)
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
