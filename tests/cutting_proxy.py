"""A line between a client and a server that breaks where the test wants, as often as it wants."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread

READ_BYTES = 64 * 1024
#: With this, closing a socket is a reset: what was on its way is lost.
RESET = struct.pack("ii", 1, 0)


class CuttingProxy:
    """Passes on bytes. `cuts`: after so many bytes to the server, in all, what happens to it, and then the connection
    that brought the last of them is reset. `sent_bytes`: how many came this way to the server. While it `is_down`
    nothing passes, of no connection: a server that is frozen would find later what lay in its sockets."""

    def __init__(self, port: int) -> None:
        self.cuts: list[tuple[int, Callable[[], object]]] = []
        self.sent_bytes = 0
        self.is_down = False
        self._to, self._lock = port, Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def cut_at(self, *sent_bytes: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.sent_bytes = 0
        self.cuts = sorted([*self.cuts, *((at, meanwhile) for at in sent_bytes)], key=lambda cut: cut[0])

    def go_down(self) -> None:
        self.is_down = True

    def accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # closed: the test is over
                return
            try:
                server = None if self.is_down else socket.create_connection(("127.0.0.1", self._to))
            except OSError:  # as a proxy says it whose server is down
                server = None
            if server is None:
                client.close()
                continue
            for source, target in ((client, server), (server, client)):
                Thread(target=self._pass_on, args=(source, target, target is server), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_sent: bool) -> None:
        try:
            while (data := source.recv(READ_BYTES)) and not self.is_down:
                target.sendall(data)
                if is_sent and self._is_cut_after(len(data)):
                    break
        except OSError:
            pass
        for end in (source, target):
            with suppress(OSError):  # the other way's thread was quicker
                if is_sent:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _is_cut_after(self, length: int) -> bool:
        with self._lock:
            self.sent_bytes += length
            if not self.cuts or self.sent_bytes < self.cuts[0][0]:
                return False
            _, meanwhile = self.cuts[0]
            meanwhile()
            self.cuts.pop(0)  # who waits for that finds that it has happened
            return True

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def cutting_proxy(port: int) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(port)
    Thread(target=proxy.accept, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
