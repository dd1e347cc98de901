"""npm, uv and pip, which install from the registries that this machine is set up for. None is named here: the tools
are asked."""

import functools
import json
import subprocess
import urllib.parse

from .base import TOOLS, Case, told

PYTHON = "/usr/bin/python3"
OUR_PYTHON = str(TOOLS / "py" / "bin" / "python")
UV = str(TOOLS / "py" / "bin" / "uv")
# By exact version, so that every run installs the same.
EXPRESS, ESBUILD, SIX, MARKUPSAFE, PYJOKES = "5.3.0", "0.28.2", "1.17.0", "3.0.4", "0.8.3"


def asked(*words):
    """What a tool says, with the settings of the user who runs this; nothing if it has nothing to say."""
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120
    )
    said = done.stdout.strip() if done.returncode == 0 else ""
    return "" if said in ("null", "undefined") else said


def pair(url):
    """What `--grant-net` takes."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


@functools.cache
def npm_settings():
    settings = {"registry": asked("npm", "config", "get", "registry"), "cafile": asked("npm", "config", "get", "cafile")}
    passed = {f"npm_config_{name}": value for name, value in settings.items() if value}
    return dict(passed, npm_config_audit="false", npm_config_fund="false", npm_config_loglevel="error")


@functools.cache
def npm_hosts():
    """The registry, and where it says that its packages lie."""
    package = asked("npm", "view", f"express@{EXPRESS}", "dist.tarball")
    urls = (npm_settings().get("npm_config_registry", ""), package)
    return sorted({pair(url) for url in urls if url.startswith("http")})


@functools.cache
def pip_settings():
    """The index, which uv is told as well; and the authorities, if pip has some of its own."""
    pip = (OUR_PYTHON, "-m", "pip", "config", "get")
    default = (OUR_PYTHON, "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)")
    index = asked(*pip, "global.index-url") or asked(*default)
    authority = asked(*pip, "global.cert")
    settings = {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return dict(settings, PIP_CERT=authority) if authority else settings


@functools.cache
def pip_hosts():
    """The index, and where it says that its packages lie."""
    report = asked(
        OUR_PYTHON, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--no-deps", "--no-cache-dir",
        "--report", "-", f"six=={SIX}",
    )
    packages = [item["download_info"]["url"] for item in json.loads(report or "{}").get("install", [])]
    urls = (pip_settings()["PIP_INDEX_URL"], *packages)
    return sorted({pair(url) for url in urls if url.startswith("http")})


def npm(name, script, **more):
    return Case(
        name, "npm", lambda place: ["sh", "-c", script], needs=("npm", "node"), net=lambda place: npm_hosts(),
        env=lambda place: npm_settings(), tell=told, profile="compat-named", registry=True, **more,
    )


def python(name, program, script, needs, **more):
    return Case(
        name, program, lambda place: ["sh", "-c", script], needs=needs, net=lambda place: pip_hosts(),
        env=lambda place: dict(pip_settings(), UV=UV, UV_PYTHON_DOWNLOADS="never"),
        tell=told, profile="compat-named", registry=True, **more,
    )


USE_EXPRESS = """
node -e '
const app = require("express")();
app.get("/", (request, answer) => answer.json({told: "served"}));
const server = app.listen(0, "127.0.0.1", async error => {
    if (error) return console.log("told: may not listen:", error.code);
    console.log("told:", await (await fetch("http://127.0.0.1:" + server.address().port)).text());
    server.close();
});'
"""

INSTALL = f"""set -e
npm init -y > /dev/null && npm install express@{EXPRESS}
node -p '"told: installed " + require("express/package.json").version'
node -p '"told: packages: " + (Object.keys(require("./package-lock.json").packages).length > 30)'
""" + USE_EXPRESS

CLEAN = """set -e
npm ci && node -p '"told: installed " + require("express/package.json").version'
npm ls --depth=0 > /dev/null && echo 'told: whole'
npm run -s hello
""" + USE_EXPRESS


def locked(place):
    package = {"name": "try", "version": "1.0.0", "dependencies": {"express": EXPRESS},
               "scripts": {"hello": "echo 'told: a script of the package'"}}
    (place.work / "package.json").write_text(json.dumps(package))
    place.run("npm", "install", "--package-lock-only", **npm_settings())


# esbuild's own install script runs the program that npm has just unpacked.
PROGRAM = f"""
npm init -y > /dev/null
npm install esbuild@{ESBUILD} 2> /dev/null; echo "told: npm install ended with $?"
npm install --ignore-scripts esbuild@{ESBUILD} 2> /dev/null; echo "told: without scripts it ended with $?"
node_modules/.bin/esbuild --version 2> /dev/null | sed 's/^/told: /'
echo 'console.log(1)' > in.js
node -e 'console.log("told:", require("esbuild").transformSync("let  a  =  1").code)' 2> /dev/null || echo 'told: it cannot be used'
"""

PIP = f"""set -e
{PYTHON} -m venv v && echo 'told: made an environment'
v/bin/python -m pip install -q six=={SIX} markupsafe=={MARKUPSAFE} --only-binary=:all:
v/bin/python -c 'import six; print("told: six", six.__version__)'
v/bin/python -c 'import markupsafe; print("told: markupsafe", markupsafe.escape("<"))'
set +e
v/bin/python -c 'import markupsafe._speedups; print("told: with its native part")' 2> /dev/null || echo 'told: without its native part'
v/bin/pip --version > /dev/null 2>&1; echo "told: pip by its script ended with $?"
v/bin/python -m pip check > /dev/null && echo 'told: nothing is broken'
"""

UV_PIP = f"""set -e
"$UV" venv -q --python {PYTHON} v && echo 'told: made an environment'
"$UV" pip install -q --python v/bin/python six=={SIX} pyjokes=={PYJOKES} && echo 'told: installed'
v/bin/python -c 'import six; print("told: six", six.__version__)'
"$UV" pip list -q --python v/bin/python --format=freeze | sed 's/^/told: /'
set +e
v/bin/pyjoke > /dev/null 2>&1; echo "told: a program by its script ended with $?"
"""

UV_RUN = f"""set -e
printf '[project]\\nname = "try"\\nversion = "1"\\nrequires-python = ">=3.8"\\ndependencies = ["six=={SIX}"]\\n' > pyproject.toml
"$UV" lock -q --python {PYTHON} && echo 'told: locked'
"$UV" sync -q --frozen --python {PYTHON} && echo 'told: synced'
"$UV" run -q --frozen --python {PYTHON} python -c 'import six; print("told: six", six.__version__)'
"$UV" run -q --no-project --with six=={SIX} --python {PYTHON} python -c 'import six; print("told: with six", six.__version__)'
set +e
"$UV" tool run -q --python {PYTHON} pyjokes=={PYJOKES} > /dev/null 2>&1; echo "told: uvx ended with $?"
"""

CASES = [
    npm("npm install", INSTALL),
    npm("npm ci and a script", CLEAN, set_up=locked),
    npm("npm install of a native program", PROGRAM),
    python("pip install in a venv", "pip", PIP, needs=(PYTHON, OUR_PYTHON)),
    python("uv venv and uv pip install", "uv", UV_PIP, needs=(PYTHON, OUR_PYTHON, UV)),
    python("uv lock, sync, run and uvx", "uv", UV_RUN, needs=(PYTHON, OUR_PYTHON, UV)),
]
