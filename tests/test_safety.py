"""Nothing untrusted runs: the package's own syntax trees have no way to run foreign text or to reach the network."""

from __future__ import annotations

import ast
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_modelcheck

ROOT = Path(pytest_modelcheck.__file__).parent
FILES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}

# What runs what it reads, or opens a connection or a process.
MODULES = frozenset(
    {
        "pickle",
        "cPickle",
        "_pickle",
        "dill",
        "cloudpickle",
        "joblib",
        "marshal",
        "shelve",
        "yaml",
        "code",
        "codeop",
        "runpy",
        "builtins",
        "socket",
        "ssl",
        "http",
        "urllib",
        "urllib3",
        "requests",
        "httpx",
        "aiohttp",
        "ftplib",
        "smtplib",
        "xmlrpc",
        "asyncio",
        "socketserver",
        "websockets",
        "subprocess",
        "multiprocessing",
        "ctypes",
        "pty",
    }
)

# Names that are not to stand anywhere, neither called nor handed on.
NAMES = frozenset({"eval", "exec", "compile", "__import__", "breakpoint", "input"})

# Attributes of modules that are not to stand anywhere; torch.load only where it is called for weights.
ATTRIBUTES = frozenset(
    {
        "torch.load",
        "torch.jit.load",
        "torch.hub",
        "torch.package",
        "torch.serialization",
        "numpy.load",
        "np.load",
        "numpy.memmap",
        "np.memmap",
        "os.system",
        "os.popen",
        "os.execv",
        "os.execve",
        "os.fork",
        "os.posix_spawn",
        "importlib.reload",
        "sys.modules.pop",
    }
)

# Keywords that have one safe value wherever they are given.
KEYWORDS = {
    "trust_remote_code": False,
    "allow_pickle": False,
    "weights_only": True,
    "local_files_only": True,
    "shell": False,
}

# What a call of this name must say.
NEEDED = {
    "load": {"weights_only": True},
    "from_pretrained": {"trust_remote_code": False, "local_files_only": True},
}


def unsafe(path, source):
    """What a file has that could run foreign text, or reach for the network."""
    found = []
    tree = ast.parse(source)
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        found += [f"{path}:{node.lineno} {problem}" for problem in _problems(node, called)]
    return found


def _problems(node, called):
    if isinstance(node, ast.Import):
        yield from (f"imports {item.name}" for item in node.names if _is_foreign(item.name))
    elif isinstance(node, ast.ImportFrom):
        yield from (f"imports {name}" for name in _imported(node) if _is_foreign(name) or name in ATTRIBUTES)
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield f"has {node.id}"
    elif isinstance(node, ast.Attribute):
        name = ast.unparse(node)
        if name in ATTRIBUTES and not (name == "torch.load" and id(node) in called):
            yield f"has {name}"
    elif isinstance(node, ast.Call):
        yield from _of_call(node)


def _of_call(node):
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    given = {item.arg: getattr(item.value, "value", ...) for item in node.keywords}
    for key, safe in KEYWORDS.items():
        if key in given and given[key] is not safe:
            yield f"calls {name} without {key}={safe}"
    if name in NEEDED and ast.unparse(node.func) != "json.load":
        yield from (f"calls {name} without {key}={safe}" for key, safe in NEEDED[name].items() if key not in given)
    first = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
    if name in ("require", "import_module", "find_spec") and isinstance(first, str) and _is_foreign(first):
        yield f"imports {first}"
    if name == "getattr" and any(getattr(item, "value", None) in (*NAMES, "load", "system") for item in node.args):
        yield "reads one of the forbidden names"


def _imported(node):
    return [node.module or "", *(f"{node.module}.{item.name}" for item in node.names)]


def _is_foreign(module):
    return module.partition(".")[0] in MODULES


@pytest.mark.parametrize("path", FILES)
def test_the_package_runs_nothing_untrusted(path):
    assert unsafe(path, FILES[path]) == []


BROKEN = {
    "import pickle": "imports pickle",
    "import torch, pickle as p": "imports pickle",
    "from pickle import loads": "imports pickle",
    "def f():\n    import yaml": "imports yaml",
    "import urllib.request": "imports urllib.request",
    "from socket import socket": "imports socket",
    "import subprocess": "imports subprocess",
    "import importlib\nimportlib.import_module('pickle')": "imports pickle",
    "require('dill', 'reading')": "imports dill",
    "eval('1')": "has eval",
    "run = exec": "has exec",
    "__import__('os')": "has __import__",
    "def f(torch, p): return torch.load(p)": "calls load without weights_only=True",
    "def f(torch, p): return torch.load(p, weights_only=False)": "calls load without weights_only=True",
    "def f(torch, p, x): return torch.load(p, weights_only=x)": "calls load without weights_only=True",
    "def f(torch, p): load = torch.load": "has torch.load",
    "from torch import load": "imports torch.load",
    "def f(t, p): return t.load(p)": "calls load without weights_only=True",
    "def f(torch, p): return torch.jit.load(p, weights_only=True)": "has torch.jit.load",
    "def f(torch, p): return torch.hub.load(p, weights_only=True)": "has torch.hub",
    "def f(torch, p): return getattr(torch, 'load')(p)": "reads one of the forbidden names",
    "def f(np, p): return np.load(p, allow_pickle=True)": "has np.load",
    "def f(a, p): return a.from_pretrained(p)": "calls from_pretrained without trust_remote_code=False",
    "def f(a, p): return a.from_pretrained(p, trust_remote_code=True, local_files_only=True)": (
        "calls from_pretrained without trust_remote_code=False"
    ),
    "def f(a, p): return a.from_pretrained(p, trust_remote_code=False)": (
        "calls from_pretrained without local_files_only=True"
    ),
    "import os\nos.system('ls')": "has os.system",
    "from os import system": "imports os.system",
}

SOUND = (
    "def f(torch, p): return torch.load(p, map_location='cpu', weights_only=True)",
    "def f(a, p): return a.from_pretrained(p, trust_remote_code=False, local_files_only=True)",
    "import json\njson.load(open('x'))",
    "model.eval()",
    "re.compile('x')",
    "import os\nos.replace('a', 'b')",
)


@pytest.mark.parametrize(("source", "problem"), BROKEN.items(), ids=BROKEN)
def test_what_is_unsafe_is_seen(source, problem):
    assert problem in [found.partition(" ")[2] for found in unsafe("new.py", source)]


@pytest.mark.parametrize("source", SOUND)
def test_what_is_safe_is_let_be(source):
    assert unsafe("new.py", source) == []


CALLS = {
    "connect": "socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))",
    "connect_ex": "socket.socket(type=socket.SOCK_DGRAM).connect_ex(('192.0.2.1', 9))",
    "sendto": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))",
    "getaddrinfo": "socket.getaddrinfo('example.org', 80)",
    "gethostbyname": "socket.gethostbyname('example.org')",
    "urlopen": "__import__('urllib.request').request.urlopen('http://192.0.2.1/')",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_process_of_the_tests_reaches_the_network(call, tmp_path, monkeypatch):
    monkeypatch.setenv("NETWORK_NOTES", str(tmp_path / "notes"))
    ended = subprocess.run(
        [sys.executable, "-c", f"import socket; {call}"], capture_output=True, text=True, check=False
    )
    assert "the network is not for tests: socket." in ended.stderr
    assert (tmp_path / "notes").read_text().startswith("socket.")


def test_neither_does_this_one():
    with pytest.raises(ConnectionRefusedError, match="the network is not for tests: socket.getaddrinfo example.org"):
        socket.getaddrinfo("example.org", 80)
