"""A package registry on loopback: npm's and PyPI's, with packages that a test describes. Standard library only.

  registry.py DIR

DIR/packages.json is read anew for every request:
  {"token": TOKEN or null,                    answer nothing without it
   "slow": SECONDS,                           wait before a file is sent
   "npm": {NAME: {VERSION: {"manifest": {…}, "files": {PATH: TEXT}}}},
   "pypi": {NAME: {VERSION: {"requires": […], "scripts": {NAME: "module:function"}, "files": {PATH: TEXT}, "source": bool}}}}
Every request is a line of DIR/requests.log: method, path, and the Authorization header or `-`. The port is printed; the
server ends when its stdin does.
"""
import base64
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

FOLDER = sys.argv[1]
TURN = threading.Lock()


def described():
    with open(os.path.join(FOLDER, "packages.json")) as file:
        return json.load(file)


def tarball(top, files):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path, text in sorted(files.items()):
            data = text.encode()
            entry = tarfile.TarInfo(top + "/" + path)
            entry.size, entry.mode = len(data), 0o755 if path.endswith((".js", ".sh")) else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def npm_file(name, version, one):
    manifest = {"name": name, "version": version, **one.get("manifest", {})}
    return tarball("package", {"package.json": json.dumps(manifest), **one.get("files", {})})


def packument(name, versions, base):
    listed = {}
    for version, one in versions.items():
        data = npm_file(name, version, one)
        digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
        short = name.split("/")[-1]
        listed[version] = {
            "name": name, "version": version, **one.get("manifest", {}),
            "dist": {"tarball": "%s/%s/-/%s-%s.tgz" % (base, name, short, version), "integrity": "sha512-" + digest,
                     "shasum": hashlib.sha1(data).hexdigest()},
        }
        if any(key in one.get("manifest", {}).get("scripts", {}) for key in ("preinstall", "install", "postinstall")):
            listed[version]["hasInstallScript"] = True
    newest = max(versions, key=lambda version: [int(part) for part in version.split(".")])
    return {"name": name, "dist-tags": {"latest": newest}, "versions": listed}


def metadata(name, version, one):
    lines = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version]
    return "\n".join(lines + ["Requires-Dist: " + r for r in one.get("requires", [])]) + "\n"


def wheel(name, version, one):
    info = "%s-%s.dist-info" % (name.replace("-", "_"), version)
    scripts = "".join("%s = %s\n" % pair for pair in sorted(one.get("scripts", {}).items()))
    files = dict(one.get("files", {}))
    files[info + "/METADATA"] = metadata(name, version, one)
    files[info + "/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[info + "/entry_points.txt"] = "[console_scripts]\n" + scripts
    record = ["%s,sha256=%s,%d" % (path, base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("="),
                                   len(text.encode())) for path, text in sorted(files.items())]
    files[info + "/RECORD"] = "\n".join(record + [info + "/RECORD,,"]) + "\n"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return data.getvalue()


def pypi_file(name, version, one):
    if one.get("source"):
        files = {"PKG-INFO": metadata(name, version, one), **one.get("files", {})}
        return "%s-%s.tar.gz" % (name, version), tarball("%s-%s" % (name, version), files)
    return "%s-%s-py3-none-any.whl" % (name.replace("-", "_"), version), wheel(name, version, one)


def simple(name, versions):
    links = []
    for version, one in versions.items():
        file, data = pypi_file(name, version, one)
        links.append('<a href="/files/%s/%s/%s#sha256=%s">%s</a>' % (name, version, file, hashlib.sha256(data).hexdigest(), file))
    return "<!DOCTYPE html><html><body>%s</body></html>" % "\n".join(links)


class Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def do_GET(self):
        world = described()
        path = unquote(self.path).split("?")[0]
        with TURN, open(os.path.join(FOLDER, "requests.log"), "a") as log:
            log.write("%s %s %s\n" % (self.command, path, self.headers.get("Authorization", "-")))
        if world.get("token") and world["token"] not in self.headers.get("Authorization", ""):
            return self.answer(401, b"{}", "application/json")
        found = self.find(world, path)
        if found is None:
            return self.answer(404, b"{}", "application/json")
        if path.endswith((".tgz", ".whl", ".gz")):
            time.sleep(world.get("slow", 0))
        self.answer(200, *found)

    def find(self, world, path):
        parts = path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2 and parts[1] in world.get("pypi", {}):
            return simple(parts[1], world["pypi"][parts[1]]).encode(), "text/html"
        if parts[0] == "files" and len(parts) == 4:
            one = world.get("pypi", {}).get(parts[1], {}).get(parts[2])
            return one and (pypi_file(parts[1], parts[2], one)[1], "application/octet-stream")
        name = "/".join(parts[:2]) if parts[0].startswith("@") else parts[0]
        versions = world.get("npm", {}).get(name)
        if not versions:
            return None
        if "/-/" in path:
            version = path[:-len(".tgz")].split("/-/")[1][len(name.split("/")[-1]) + 1:]
            one = versions.get(version)
            return one and (npm_file(name, version, one), "application/octet-stream")
        base = "http://" + self.headers["Host"]
        return json.dumps(packument(name, versions, base)).encode(), "application/json"

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
