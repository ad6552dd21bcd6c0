"""A server that is too old to be used."""

import socketserver
import struct
import threading

import bson

#: To hello, ping and buildInfo alike.
OLD_ANSWER = {
    "ok": 1.0,
    "version": "5.0.31",
    "minWireVersion": 0,
    "maxWireVersion": 13,
    "helloOk": True,
    "isWritablePrimary": True,
    "ismaster": True,
}


class OldServer:
    """Says what a MongoDB 5.0 says to hello and buildInfo; a real one of that age cannot be installed here."""

    def __enter__(self) -> "OldServer":
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _OldServerConnection)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _OldServerConnection(socketserver.StreamRequestHandler):
    OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013

    def handle(self) -> None:
        while header := self.rfile.read(16):
            length, request_id, _, code = struct.unpack("<iiii", header)
            self.rfile.read(length - 16)
            reply = bson.encode(OLD_ANSWER)
            if code == self.OP_QUERY:
                kind, payload = self.OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + reply
            else:
                kind, payload = self.OP_MSG, struct.pack("<iB", 0, 0) + reply
            self.wfile.write(struct.pack("<iiii", 16 + len(payload), 1, request_id, kind) + payload)
