"""The server of the results folder, asked by hand."""

import socket
import threading

import pytest

from analogy.visualise.serve import make_server


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("/a", "Range: bytes=1-2", 206), ("/a", f"Range: bytes={'9' * 5000}-", 200), ("/%ED%A0%80", "", 404), ("/%00", "", 404),
    ],
)  # fmt: skip
def test_what_no_browser_asks_is_answered_too(tmp_path, path, header, status):
    (tmp_path / "a").write_bytes(b"abc")
    server = make_server(tmp_path, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with server, socket.create_connection(server.server_address, timeout=10) as asking:
        asking.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n\r\n".encode())
        assert asking.makefile("rb").readline().split()[1] == str(status).encode()
        server.shutdown()
