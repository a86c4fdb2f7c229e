"""A stand-in for the hub's HTTP API, on loopback, as far as it is needed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from urllib.parse import unquote
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What the server has and what it was asked.

    Attributes:
        files: content by repository and path.
        private: repositories that need the token "secret".
        revisions: names of the commit.
        requests: method and path of all requests.
        break_after: bytes of the next content, after which the connection
            ends.
        ranges: where the requests for a part of a file began.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.revisions = {"main", "v1", COMMIT}
        self.requests: list[tuple[str, str]] = []
        self.break_after: int | None = None
        self.ranges: list[int] = []
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.requests.append((self.command, path))
        parts = path.split("/")
        if parts[0] == "api":
            repo = "/".join(parts[2:4])
            self.describe(repo, parts[5] if len(parts) > 5 else "main")
            return
        repo, revision, name = (
            "/".join(parts[:2]),
            parts[3],
            "/".join(parts[4:]),
        )
        if not self.may_read(repo):
            return
        if revision not in self.hub.revisions:
            self.refuse(404, "RevisionNotFound")
        elif name not in self.hub.files[repo]:
            self.refuse(404, "EntryNotFound")
        else:
            self.give(self.hub.files[repo][name])

    def may_read(self, repo: str) -> bool:
        token = self.headers.get("Authorization")
        hidden = repo in self.hub.private and token != "Bearer secret"
        if repo not in self.hub.files or hidden:
            self.refuse(401 if token is None else 404, "RepoNotFound")
            return False
        return True

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def give(self, content: bytes) -> None:
        start = 0
        wanted = self.headers.get("Range")
        if wanted:
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            self.hub.ranges.append(start)
        self.send_response(206 if wanted else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            last = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", last)
        self.end_headers()
        if self.command == "HEAD":
            return
        limit, self.hub.break_after = self.hub.break_after, None
        if limit is not None:
            self.wfile.write(content[start : start + limit])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
        else:
            self.wfile.write(content[start:])

    def describe(self, repo: str, revision: str) -> None:
        if not self.may_read(repo):
            return
        if revision not in self.hub.revisions:
            self.refuse(404, "RevisionNotFound")
            return
        names = sorted(self.hub.files[repo])
        self.send_json(
            {
                "id": repo,
                "modelId": repo,
                "sha": COMMIT,
                "private": repo in self.hub.private,
                "siblings": [{"rfilename": name} for name in names],
            }
        )

    def send_json(self, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.requests.append(("POST", path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != "Bearer secret":
            self.refuse(401, "")
            return
        if path == "api/repos/create":
            asked = json.loads(body)
            repo = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.hub.files.setdefault(repo, {})
            self.send_json({"url": f"{self.hub.url}/{repo}", "name": repo})
        elif "/preupload/" in path:
            self.send_json(
                {
                    "files": [
                        {
                            "path": file["path"],
                            "uploadMode": "regular",
                            "shouldIgnore": False,
                        }
                        for file in json.loads(body)["files"]
                    ]
                }
            )
        elif "/commit/" in path:
            self.commit("/".join(path.split("/")[2:4]), body)
        elif path == "api/validate-yaml":
            self.send_json({"errors": [], "warnings": []})
        else:
            self.refuse(404, "")

    def commit(self, repo: str, body: bytes) -> None:
        for line in body.splitlines():
            item = json.loads(line)
            if item["key"] == "file":
                content = base64.b64decode(item["value"]["content"])
                self.hub.files[repo][item["value"]["path"]] = content
        url = f"{self.hub.url}/{repo}/commit/{COMMIT}"
        self.send_json({"commitUrl": url, "commitOid": COMMIT})


@contextlib.contextmanager
def running() -> Iterator[Hub]:
    """Runs the stand-in; gives what it has."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
