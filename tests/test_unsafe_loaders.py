"""Nothing in the packages runs what it reads: no pickle, no unsafe YAML, no archive that says where to, no shell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("intentrec_tf", "pipelines", "serving")
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "tarfile", "telnetlib"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {
    "read_pickle": "reads pickle",
    "to_pickle": "writes pickle",
    "unsafe_load": "builds any object from YAML",
    "full_load": "builds objects from YAML",
    "unsafe_load_all": "builds any object from YAML",
    "extractall": "unpacks an archive to paths that the archive names; read the members wanted instead",
    "unpack_archive": "unpacks an archive to paths that the archive names; read the members wanted instead",
    "mktemp": "names a file that another may create first; use mkstemp",
    "_create_unverified_context": "does not check certificates",
    "enable_unsafe_deserialization": "lets Keras run code from a file",
}
QUALIFIED = {("os", "system"), ("os", "popen"), ("yaml", "load"), ("yaml", "load_all"), ("torch", "load")}
QUALIFIED |= {("models", "load_model"), ("saving", "load_model")}  # Keras builds layers from code in the file

# Spark sends functions and results between its own processes as pickles; nothing from outside is among them.
ALLOWED = {(f"pipelines/{name}.py", "imports pickle") for name in ("spark", "spark_partitions")}
ALLOWED |= {("intentrec_tf/yaml_text.py", "calls yaml.load()")}  # with a SafeLoader that refuses repeated keys, too


def unsafe(tree: ast.AST) -> Iterator[str]:
    """What a file does that may run code, leave its folder or skip a check: ``line: why``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for name in names:
                if name.split(".")[0] in MODULES:
                    yield f"{node.lineno}: imports {name}"
        elif isinstance(node, ast.Call):
            why = _unsafe_call(node)
            if why:
                yield f"{node.lineno}: {why}"


def _unsafe_call(node: ast.Call) -> str | None:
    options = {option.arg: option.value for option in node.keywords}
    is_true = {name for name, value in options.items() if isinstance(value, ast.Constant) and value.value is True}
    is_false = {name for name, value in options.items() if isinstance(value, ast.Constant) and value.value is False}
    if {"shell", "allow_pickle"} & is_true:
        return "runs a shell or allows pickle"
    if {"verify", "check_hostname", "safe_mode", "weights_only"} & is_false:
        return "turns a check off"
    if isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
        return f"calls {node.func.id}()"
    if not isinstance(node.func, ast.Attribute):
        return None
    method, owner = node.func.attr, node.func.value
    name = ast.unparse(owner).rpartition(".")[2]
    if name in ("np", "numpy") and method == "load" and "allow_pickle" not in is_false:
        return "numpy.load without allow_pickle=False"
    if (name, method) in QUALIFIED:
        return f"calls {name}.{method}()"
    return f"{method}() {METHODS[method]}" if method in METHODS else None


def _files() -> list[Path]:
    return [path for folder in PACKAGES for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_file_runs_what_it_reads() -> None:
    found = {
        str(path.relative_to(ROOT)): list(unsafe(ast.parse(path.read_text(encoding="utf-8"))))
        for path in _files()
        if "__pycache__" not in path.parts
    }
    assert len(found) > 200
    problems = {
        name: [one for one in told if (name, one.partition(": ")[2]) not in ALLOWED] for name, told in found.items()
    }
    assert {name: told for name, told in problems.items() if told} == {}


@pytest.mark.parametrize(
    ("code", "is_unsafe"),
    [
        ("import pickle", True),
        ("from joblib import load", True),
        ("def f():\n    import tarfile", True),
        ("import json, csv", False),
        ("yaml.load(text)", True),
        ("yaml.load(text, Loader=yaml.SafeLoader)", True),  # safe_load says the same in fewer words
        ("yaml.safe_load(text)", False),
        ("np.load(path)", True),
        ("np.load(path, allow_pickle=False)", False),
        ("np.load(path, allow_pickle=maybe)", True),
        ("np.savez(path, allow_pickle=True)", True),
        ("pd.read_pickle(path)", True),
        ("archive.extractall(folder)", True),
        ("archive.read(member)", False),
        ("shutil.unpack_archive(path)", True),
        ("eval(text)", True),
        ("model.compile(optimizer)", False),
        ("re.compile(text)", False),
        ("subprocess.run(words)", False),
        ("subprocess.run(text, shell=True)", True),
        ("os.system(text)", True),
        ("requests.get(url, verify=False)", True),
        ("tf.keras.models.load_model(path)", True),
        ("model.load_weights(path)", False),
    ],
)
def test_the_rules_themselves(code: str, is_unsafe: bool) -> None:
    assert bool(list(unsafe(ast.parse(code)))) == is_unsafe
