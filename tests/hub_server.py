"""A Hugging Face Hub on this machine, in memory: the requests that huggingface_hub makes of it.

It answers what the Hub answers, with its headers and error codes, or fails as it is told to.
"""

import base64
import functools
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

WRITER, READER = "hf_writer", "hf_reader"  # the tokens that it knows
LFS = (".safetensors", ".onnx", ".tflite", ".png", ".jpg")
LICENSES = {"apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "other", "unknown"}
PIPELINES = {"keypoint-detection", "object-detection", None}


@dataclass
class Repo:
    """One repository: {commit: {filename: bytes}}, {branch or tag: commit}, and who may read it."""

    commits: dict = field(default_factory=dict)
    refs: dict = field(default_factory=dict)
    tags: set = field(default_factory=set)
    private: bool = False
    gated: bool = False
    sdk: str | None = None

    def commit(self, files, branch="main"):
        identity = json.dumps([self.refs.get(branch), sorted(map(str, map(_oids, files.items())))])
        commit = hashlib.sha1(identity.encode()).hexdigest()
        self.commits[commit] = dict(files)
        self.refs[branch] = commit
        return commit

    def find(self, revision):
        """The commit of a branch, tag or commit; None if there is none."""
        return revision if revision in self.commits else self.refs.get(revision)


class Hub:
    """The server. `failure` makes up- and download of files fail: None, an error number, "silent"
    (no answer), "cut" (half of the file), "corrupt" (other bytes of the same number), "foreign"
    (the answer of a server that is no Hub), "loop" (redirects in a circle) or "drip" (a little at a
    time, which is slow and no failure). Errors 429 say Retry-After: `retry_after` seconds."""

    def __init__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.hub = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.reset()

    def reset(self):
        self.repos, self.lfs, self.requests = {}, {}, []
        git_oid.cache_clear()
        sha256.cache_clear()
        self.failure, self.released, self.delay = None, threading.Event(), 0
        self.retry_after = None

    def close(self):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def put(self, name, files, **facts):
        """Store {filename: bytes} in the repository "org/name"; returns the commit."""
        repo = self.repos.setdefault(f"models/{name}", Repo(**facts))
        return repo.commit(files)

    def put_folder(self, name, folder, **facts):
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        return self.put(name, files, **facts)

    def files(self, name, revision="main", kind="models"):
        repo = self.repos[f"{kind}/{name}"]
        return repo.commits[repo.find(revision)]


@functools.lru_cache(16)
def git_oid(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@functools.lru_cache(16)
def sha256(content):
    return hashlib.sha256(content).hexdigest()


def _oids(entry):
    name, content = entry
    return name, git_oid(content), sha256(content)


_ROUTES = [
    ("POST", r"/api/repos/create", "create"),
    ("POST", r"/api/validate-yaml", "validate"),
    ("POST", r"/api/(\w+)/([^/]+/[^/]+)/preupload/([^/]+)", "preupload"),
    ("POST", r"/api/(\w+)/([^/]+/[^/]+)/commit/([^/]+)", "commit"),
    ("POST", r"/api/(\w+)/([^/]+/[^/]+)/tag/([^/]+)", "tag"),
    ("POST", r"/api/(\w+)/([^/]+/[^/]+)/branch/([^/]+)", "branch"),
    ("GET", r"/api/(\w+)/([^/]+/[^/]+)/refs", "refs"),
    ("GET", r"/api/(\w+)/([^/]+/[^/]+)/tree/([^/]+)", "tree"),
    ("GET", r"/api/(models|spaces)/([^/]+/[^/]+)(?:/revision/([^/]+))?", "info"),
    ("POST", r"/(?:(spaces)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", "lfs_batch"),
    ("PUT", r"/lfs/([0-9a-f]+)", "lfs_put"),
    ("HEAD|GET", r"/(?:(spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def handle_any(self):
        self.hub = self.server.hub
        path = urlsplit(self.path).path
        self.query = parse_qs(urlsplit(self.path).query)
        self.body = self._read_body()
        self.hub.requests.append((self.command, unquote(path)))
        for methods, pattern, name in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and self.command in methods.split("|"):
                parts = [part and unquote(part) for part in match.groups()]
                return getattr(self, f"do_{name}")(*parts)
        return self.fail(404, message=f"no route {self.command} {path}")

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def _read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    # === Answers ===
    def answer(self, content=None, status=200, headers=None):
        body = b"" if content is None else json.dumps(content).encode()
        self.send(status, {"Content-Type": "application/json", **(headers or {})}, body)

    def send(self, status, headers, body, cut=None):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        body = body if self.command != "HEAD" else b""
        if self.hub.failure == "drip":
            for i in range(0, len(body), 1000):
                self.wfile.write(body[i : i + 1000])
                threading.Event().wait(0.02)
        else:
            self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.close_connection = True

    def fail(self, status, code=None, message=""):
        headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
        if status == 429 and self.hub.retry_after is not None:
            headers["Retry-After"] = self.hub.retry_after
        self.answer({"error": message}, status, headers)

    # === Rights ===
    @property
    def token(self):
        return self.headers.get("Authorization", "").removeprefix("Bearer ") or None

    def may_write(self):
        if self.token == WRITER:
            return True
        self.fail(403 if self.token == READER else 401, message="no right to write")
        return False

    def readable(self, kind, name):
        """The repository, or None after an error was answered."""
        repo = self.hub.repos.get(f"{kind or 'models'}/{name}")
        if self.token not in (None, WRITER, READER):
            self.fail(401, message="Invalid credentials in Authorization header")
        elif repo is None or (repo.private and self.token is None):
            self.fail(404 if self.token else 401, "RepoNotFound", "Repository not found")
        elif repo.gated and self.token != WRITER and self.command in ("GET", "HEAD"):
            self.fail(403 if self.token else 401, "GatedRepo", "Access is restricted")
        else:
            return repo
        return None

    # === Reading ===
    def do_resolve(self, kind, name, revision, filename):
        hub = self.hub
        if hub.failure == "silent":
            hub.released.wait(10)
        if isinstance(hub.failure, int):
            return self.fail(hub.failure, message="out of order")
        if hub.failure == "foreign":
            return self.send(200, {"Content-Type": "text/html"}, b"Welcome to the hotel's network")
        if hub.failure == "loop":
            return self.send(302, {"Location": self.path}, b"")
        repo = self.readable(kind, name)
        if repo is None:
            return None
        commit = repo.find(revision)
        if commit is None:
            return self.fail(404, "RevisionNotFound", "Invalid rev id")
        content = repo.commits[commit].get(filename)
        headers = {"X-Repo-Commit": commit}
        if content is None:
            headers |= {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            return self.answer({}, 404, headers)
        headers["ETag"] = f'"{git_oid(content)}"'
        if filename.endswith(LFS):
            headers |= {"X-Linked-Etag": f'"{sha256(content)}"', "X-Linked-Size": len(content)}
        return self._send_file(content, headers)

    def _send_file(self, content, headers):
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(start[1]) if start else 0
        if self.command == "GET":
            threading.Event().wait(self.hub.delay)
        if self.hub.failure == "corrupt":
            content = content[:-1] + bytes([content[-1] ^ 1])
        cut = None
        if self.hub.failure == "cut" and self.command == "GET":
            cut = 0 if start else len(content) // 2
        return self.send(206 if start else 200, headers, content[start:], cut)

    def do_info(self, kind, name, revision):
        repo = self.readable(kind, name)
        if repo is None:
            return None
        commit = repo.find(revision or "main")
        if revision and commit is None:
            return self.fail(404, "RevisionNotFound", "Invalid rev id")
        files = [{"rfilename": name} for name in repo.commits.get(commit, {})]
        return self.answer({"id": name, "sha": commit, "siblings": files, "private": repo.private})

    def do_tree(self, kind, name, revision):
        repo = self.readable(kind, name)
        if repo is None:
            return None
        files = repo.commits.get(repo.find(revision), {})
        return self.answer(
            [
                {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}
                for path, content in files.items()
            ]
        )

    def do_refs(self, kind, name):
        repo = self.readable(kind, name)
        if repo is None:
            return None
        found = {"branches": [], "tags": [], "converts": []}
        for ref, commit in repo.refs.items():
            group = "tags" if ref in repo.tags else "branches"
            path = f"refs/{'tags' if group == 'tags' else 'heads'}/{ref}"
            found[group].append({"name": ref, "ref": path, "targetCommit": commit})
        return self.answer(found)

    # === Writing ===
    def do_create(self):
        if not self.may_write():
            return None
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        key = f"{asked.get('type') or 'model'}s/{name}"
        address = {"url": f"{self.hub.url}/{name}"}
        if key in self.hub.repos:
            return self.answer(address, 409)
        private = asked.get("visibility") == "private"
        repo = self.hub.repos[key] = Repo(private=private, sdk=asked.get("sdk"))
        repo.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        return self.answer(address)

    def do_preupload(self, kind, name, revision):
        repo = self.readable(kind, name)
        if repo is None:
            return None
        there = repo.commits.get(repo.find(revision), {})
        files = []
        for file in json.loads(self.body)["files"]:
            path, lfs = file["path"], file["path"].endswith(LFS)
            entry = {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
            if path in there:
                entry["oid"] = (sha256 if lfs else git_oid)(there[path])
            files.append(entry)
        return self.answer({"files": files})

    def do_lfs_batch(self, kind, name):
        if not self.may_write():
            return None
        objects = []
        for asked in json.loads(self.body)["objects"]:
            upload = {"upload": {"href": f"{self.hub.url}/lfs/{asked['oid']}"}}
            known = asked["oid"] in self.hub.lfs
            objects.append({**asked, **({} if known else {"actions": upload})})
        return self.answer({"transfer": "basic", "objects": objects})

    def do_lfs_put(self, oid):
        if isinstance(self.hub.failure, int):
            return self.fail(self.hub.failure, message="out of order")
        if sha256(self.body) != oid:
            return self.fail(400, message="other content than announced")
        self.hub.lfs[oid] = self.body
        return self.answer({})

    def do_commit(self, kind, name, revision):
        if not self.may_write():
            return None
        repo = self.hub.repos[f"{kind}/{name}"]
        if repo.find(revision) is None:
            return self.fail(404, "RevisionNotFound", "Invalid rev id")
        files = dict(repo.commits[repo.find(revision)])
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.lfs[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        proposal = "refs/pr/1" if "create_pr" in self.query else None
        commit = repo.commit(files, proposal or revision)
        address = f"{self.hub.url}/{name}"
        found = {"commitUrl": f"{address}/commit/{commit}", "commitOid": commit}
        return self.answer({**found, "pullRequestUrl": f"{address}/discussions/1"})

    def do_tag(self, kind, name, revision):
        if not self.may_write():
            return None
        repo, tag = self.hub.repos[f"{kind}/{name}"], json.loads(self.body)["tag"]
        if tag in repo.refs:
            return self.answer({"error": "Tag exists"}, 409)
        repo.refs[tag] = repo.find(revision)
        repo.tags.add(tag)
        return self.answer({})

    def do_branch(self, kind, name, branch):
        if not self.may_write():
            return None
        repo = self.hub.repos[f"{kind}/{name}"]
        if branch in repo.refs:
            return self.answer({"error": "Branch exists"}, 409)
        repo.refs[branch] = repo.refs["main"]
        return self.answer({})

    def do_validate(self):
        asked = json.loads(self.body)
        errors = [{"message": message} for message in card_errors(**asked)]
        self.answer({"errors": errors, "warnings": []}, 400 if errors else 200)


def card_errors(content, repoType):  # noqa: N803
    """What the Hub has against the front matter of a card, the part of its rules that we meet."""
    match = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    if match is None:
        return ["no front matter"]
    data = yaml.safe_load(match[1])
    if repoType == "space":
        return [] if data.get("sdk") else ['"sdk" is required']
    errors = []
    if data.get("license") not in LICENSES:
        errors.append(f'"license" must be one of {sorted(LICENSES)}')
    if data.get("license") == "other" and not re.fullmatch(
        r"[a-z0-9.-]+", str(data.get("license_name"))
    ):
        errors.append('"license_name" must be a slug')
    if data.get("pipeline_tag") not in PIPELINES:
        errors.append('"pipeline_tag" is unknown')
    for name in ("tags", "datasets", "metrics"):
        if not all(isinstance(entry, str) and entry for entry in data.get(name, [])):
            errors.append(f'"{name}" must be a list of strings')
    for model in data.get("model-index", []):
        for result in model["results"]:
            whole = result["task"].get("type") and result["dataset"].get("type")
            if not whole or not result["dataset"].get("name"):
                errors.append('"model-index" needs task.type, dataset.type and dataset.name')
            for metric in result["metrics"]:
                if not metric.get("type") or "value" not in metric:
                    errors.append('"model-index" needs metrics with type and value')
    return errors
