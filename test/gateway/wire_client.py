"""A Colyseus client with nothing but Python's standard library, written from the description of the wire protocol.

Joins a room, says a number every few milliseconds, and notes every frame that is not as it should be. One line of JSON
when it has joined; another, with what it has seen, after a line on standard input told it to leave.
"""

import base64
import hashlib
import json
import os
import select
import socket
import struct
import sys
import time
import urllib.request
from urllib.parse import urlparse

# Codes of Colyseus' frames.
JOIN_ROOM, LEAVE_ROOM, ROOM_DATA, ROOM_STATE, ROOM_STATE_PATCH = 10, 12, 13, 14, 15
# RFC 6455, 5.2 and 1.3.
CONTINUATION, BINARY, CLOSE, PING, PONG = 0, 2, 8, 9, 10
FIN = 0x80
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
EVERY_S = 0.01


class WebSocket:
    """A client's end of RFC 6455, as much of it as a game needs."""

    def __init__(self, host, port, path):
        self.socket = socket.create_connection((host, port), timeout=30)
        self.unread = b""
        key = base64.b64encode(os.urandom(16))
        self.socket.sendall(
            b"GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
            % (path.encode(), host.encode(), port, key)
        )
        head = self._until(b"\r\n\r\n").decode("latin-1")
        if " 101 " not in head.split("\r\n")[0]:
            raise ValueError(head)
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        if accept not in head:
            raise ValueError("wrong Sec-WebSocket-Accept")

    def _until(self, end):
        while end not in self.unread:
            self.unread += self._more()
        head, self.unread = self.unread.split(end, 1)
        return head

    def _more(self):
        chunk = self.socket.recv(65536)
        if chunk == b"":
            raise ConnectionError("closed without a close frame")
        return chunk

    def _take(self, count):
        while len(self.unread) < count:
            self.unread += self._more()
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken

    def send(self, payload, opcode=BINARY):
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", FIN | opcode, 0x80 | length)
        elif length < 65536:
            head = struct.pack("!BBH", FIN | opcode, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", FIN | opcode, 0x80 | 127, length)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)

    def waiting(self, seconds):
        """True if a frame is there, or begins to come in that time."""
        return self.unread != b"" or select.select([self.socket], [], [], seconds)[0] != []

    def receive(self):
        """The next message, or the code of the close frame as a number."""
        message = b""
        while True:
            first, second = self._take(2)
            if second & 0x80:
                raise ValueError("a server's frame is masked")
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self._take(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self._take(8))
            payload, opcode = self._take(length), first & 0x0F
            if opcode == PING:
                self.send(payload, PONG)
            elif opcode == CLOSE:
                return struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
            elif opcode in (BINARY, CONTINUATION):
                message += payload
                if first & FIN:
                    return message


def name_of(text):
    """MessagePack's short string."""
    return bytes([0xA0 | len(text)]) + text.encode()


def number_in(body):
    """MessagePack's unsigned integers."""
    if body[0] < 0x80:
        return body[0]
    return int.from_bytes(body[1 : {0xCC: 2, 0xCD: 3, 0xCE: 5}[body[0]]], "big")


def main():
    origin, room_name = sys.argv[1:3]
    asked = urllib.request.Request(
        f"{origin}/matchmake/joinOrCreate/{room_name}",
        data=b"{}",
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        seat = json.load(answer)
    at = urlparse(origin)
    path = f"/{seat['processId']}/{seat['roomId']}?sessionId={seat['sessionId']}"
    connection = WebSocket(at.hostname, at.port, path)
    handshake = connection.receive()
    if handshake[0] != JOIN_ROOM:
        raise ValueError(f"first frame is of type {handshake[0]}")
    token = handshake[2 : 2 + handshake[1]].decode()
    connection.send(bytes([JOIN_ROOM]))
    print(json.dumps({"roomId": seat["roomId"], "sessionId": seat["sessionId"], "token": token}), flush=True)

    shot = bytes([ROOM_DATA]) + name_of("shot")
    said, shots, strange, disorder, last, closed = 0, 0, [], 0, None, None
    leaving, due = False, time.monotonic()
    while closed is None:
        if not leaving and select.select([sys.stdin], [], [], 0)[0]:
            connection.send(bytes([LEAVE_ROOM]))
            leaving = True
        if not leaving and time.monotonic() >= due:
            due += EVERY_S
            said += 1
            connection.send(bytes([ROOM_DATA]) + name_of("say") + b"\xce" + said.to_bytes(4, "big"))
        if not connection.waiting(0.005):
            continue
        frame = connection.receive()
        if isinstance(frame, int):
            closed = frame
        elif frame.startswith(shot):
            number = number_in(frame[len(shot) :])
            disorder += last is not None and number != last + 1
            last = number
            shots += 1
        elif frame[0] not in (ROOM_DATA, ROOM_STATE, ROOM_STATE_PATCH):
            strange.append(frame[0])
    print(json.dumps({"said": said, "shots": shots, "disorder": disorder, "strange": strange, "closed": closed}))


main()
