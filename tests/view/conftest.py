import asyncio
from urllib.parse import urlsplit

import pytest

from perdure.view.app import Explorer, make_app
from perdure.view.parts import check_folder


class Client:
    """Calls an application as a browser on this machine does."""

    def __init__(self, folder):
        self.explorer = Explorer(check_folder(folder))
        self.app = make_app(self.explorer)

    def get(self, address, host="127.0.0.1:8517", method="GET"):
        parts, sent = urlsplit(address), []
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(b"host", host.encode())],
            "scheme": "http",
            "server": ("127.0.0.1", 8517),
        }

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]).decode()

    def page(self, address):
        status, _, text = self.get(address)
        assert status == 200, text
        return text


@pytest.fixture
def visit(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    clients = []

    def open_client(folder):
        client = Client(folder)
        client.explorer.index.refresh()
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        client.explorer.index.close()
