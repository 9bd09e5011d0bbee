#!/usr/bin/python3
"""wire.py - what lies between one sidecar and its database servers: it carries bytes, and can be stopped or killed without anybody else's noticing.

wire.py FOLDER SERVER...

For each folder of a server there is one of the same name in FOLDER, with the socket that libpq looks for. It ends with its standard input. SIGSTOP is a network that swallows
everything, and delivers it late; SIGKILL is one that refuses.
"""
import os
import selectors
import socket
import sys

NAME = ".s.PGSQL.5432"
PIECE = 1 << 16


def place(folder, server):
    return os.path.join(folder, os.path.basename(server))


class End:
    """One end of a connection; what it is to send waits until it is taken."""

    def __init__(self, wire, at):
        self.wire, self.at, self.waiting, self.other = wire, at, b"", None
        at.setblocking(False)
        wire.register(at, selectors.EVENT_READ, self.turn)

    def turn(self, events):
        try:
            if events & selectors.EVENT_WRITE:
                self.waiting = self.waiting[self.at.send(self.waiting):]
            if events & selectors.EVENT_READ:
                piece = self.at.recv(PIECE)
                if not piece:
                    raise ConnectionResetError
                self.other.waiting += piece
        except BlockingIOError:
            pass
        except OSError:
            for end in (self, self.other):
                self.wire.unregister(end.at)
                end.at.close()
            return
        for end in (self, self.other):
            # Who cannot get rid of what it has read reads no more.
            wants = (0 if len(end.other.waiting) > PIECE else selectors.EVENT_READ) | (selectors.EVENT_WRITE if end.waiting else 0)
            self.wire.modify(end.at, wants or selectors.EVENT_WRITE, end.turn)


def main():
    wire = selectors.DefaultSelector()
    folder, servers = sys.argv[1], sys.argv[2:]

    def accept(listener, server):
        near, _ = listener.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(os.path.join(server, NAME))
        except OSError:
            near.close()
            return
        ends = End(wire, near), End(wire, far)
        ends[0].other, ends[1].other = ends[1], ends[0]

    for server in servers:
        at = place(folder, server)
        os.makedirs(at, exist_ok=True)
        name = os.path.join(at, NAME)
        if os.path.exists(name):
            os.unlink(name)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(name)
        listener.listen(64)
        wire.register(listener, selectors.EVENT_READ, lambda events, listener=listener, server=server: accept(listener, server))
    wire.register(sys.stdin, selectors.EVENT_READ, lambda events: sys.exit(0))
    print("carries", flush=True)
    while True:
        for key, events in wire.select():
            if key.fileobj is sys.stdin or key.fileobj.fileno() >= 0:  # the other end may have ended it in this turn
                key.data(events)


if __name__ == "__main__":
    main()
