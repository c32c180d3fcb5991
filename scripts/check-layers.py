#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the direction of imports: between the files of each crate, and between crates.

usage: check-layers.py [ROOT] | check-layers.py --self-test

Fails on an import cycle between the files of a crate or between sibling modules (each with all files below it), and on
a dependency between crates that does not point to a lower line of the list of layers in docs/architecture.md (a fenced block with the info string `layers`: one layer a
line from the bottom up, crate folders separated by spaces; crates of one line do not depend on each other).
Dev-dependencies and code for tests (`#[cfg(test)]`, `tests/`) are not read.

An import is a path in a `use` or in code (`crate::`, `super::`, `self::`, or one that begins with a module in scope).
It leads to the file that defines its first item: re-exports are followed, so `use crate::Error` of an `error.rs` that
the root re-exports leads to `error.rs`. A parent imports a child where it uses the child's items itself; declaring and
re-exporting it is no import. Items that a pallet's `#[frame_support::pallet] mod pallet` defines or generates
(`Config`, `Pallet`, `Error`, storage) are the root of their crate: its other modules refer to them (FRAME's idiom),
and such imports are not counted; nor those of what `#[frame_support::runtime] mod runtime` generates. Methods are not resolved, nor are names that a macro defines.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|b?r(?P<hashes>\#*)".*?"(?P=hashes)|[bc]?"(?:\\.|[^"\\])*"
    |b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\\n])'|'\w+|\d[\w.]*)|(?P<name>(?:r\#)?[A-Za-z_]\w*)|(?P<mark>::|.)""",
    re.DOTALL | re.VERBOSE)
OPEN, CLOSE = "([{", ")]}"
DEFINES = {"struct", "enum", "union", "trait", "type", "const", "static", "fn"}
KEYWORDS = DEFINES | {"unsafe", "async", "extern", "mut", "impl", "_"}
# What stands before the end of an item without a body.
STATEMENTS = {"use", "const", "static", "type", "let", "extern"}
EXTERNAL = object()


def tokenize(text):
    found = []
    for match in TOKEN.finditer(text):
        if match.lastgroup == "name" or match["name"]:
            found.append(match["name"].removeprefix("r#"))
        elif match["mark"]:
            found.append(match["mark"])
    return found


def is_name(token):
    return token[0].isalpha() or token[0] == "_"


def closing(tokens, start):
    """Index of the bracket that closes the one at `start`."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += (tokens[index] in OPEN) - (tokens[index] in CLOSE)
        if depth == 0:
            return index
    return len(tokens) - 1


class Module:
    """A module, in a file of its own or inline."""

    def __init__(self, name, parent, file):
        self.name, self.parent, self.file = name, parent, file
        self.children, self.items, self.test_only = {}, set(), set()
        self.uses = []  # (alias or "*", path, whether it is a re-export)
        self.paths, self.names = [], set()
        self.frame = False  # the module of a pallet or runtime that FRAME's macro expands

    def within(self, other):
        """Whether `other` is an ancestor."""
        module = self.parent
        while module and module is not other:
            module = module.parent
        return module is other

    def path(self):
        return (*self.parent.path(), self.name) if self.parent else ()

    def every(self):
        yield self
        for child in self.children.values():
            yield from child.every()


def test_only(attribute):
    return re.match(r"cfg \( (test \)|all \( test\b)", attribute) is not None


def skip_item(tokens, index):
    """Index behind the item, statement or field at `index`."""
    while tokens[index:index + 1] == ["#"]:
        index = closing(tokens, index + 1) + 1
    kind = None
    while index < len(tokens):
        token = tokens[index]
        if kind is None and is_name(token) and token not in ("pub", "crate", "super", "self", "in"):
            after = tokens[index + 1:index + 2]
            kind = "field" if after == [":"] else "body" if token not in STATEMENTS or after == ["fn"] else "statement"
        if token in CLOSE:
            return index
        if token == ";" or (token == "," and kind == "field"):
            return index + 1
        if token in OPEN:
            end = closing(tokens, index)
            if token == "{" and kind == "body":
                return end + 1
            index = end
        index += 1
    return index


def use_tree(tokens, prefix):
    """(alias, path) of each leaf of a use tree."""
    path, index = list(prefix), 0
    while index < len(tokens):
        token = tokens[index]
        if token == "{":
            inner, part, depth = tokens[index + 1:closing(tokens, index)], [], 0
            for piece in inner + [","]:
                depth += (piece == "{") - (piece == "}")
                if piece == "," and depth == 0:
                    if part:
                        yield from use_tree(part, path)
                    part = []
                else:
                    part.append(piece)
            return
        if token == "*":
            yield "*", path
            return
        if token == "as":
            yield tokens[index + 1], path
            return
        if token != "::" and not (token == "self" and path):
            path.append(token)
        index += 1
    if path:
        yield path[-1], path


def read_module(module, tokens, folder):
    """Fills `module` with what `tokens` declare, define and refer to. `folder`: where files of its children lie."""
    index, attributes, public = 0, [], False
    nesting = []  # open braces; False = a macro's at the top, whose content counts as the module's
    while index < len(tokens):
        token = tokens[index]
        after = tokens[index + 1:index + 3]
        if token == "#" and after and after[0] in ("[", "!"):
            start = index + 1 + (after[0] == "!")
            end = closing(tokens, start)
            if start == index + 1:
                attributes.append(" ".join(tokens[start + 1:end]))
            index = end + 1
            continue
        if any(map(test_only, attributes)):
            end = skip_item(tokens, index)
            for place in range(index, min(end, len(tokens) - 1)):
                if tokens[place] == "mod":
                    module.test_only.add(tokens[place + 1])
                    break
                if tokens[place] in OPEN:
                    break
            index, attributes, public = end, [], False
            continue
        if token == "pub":
            public = True
            if after[:1] == ["("] and after[1] in ("crate", "super", "self", "in"):
                index = closing(tokens, index + 1)
            index += 1
            continue
        if token == "mod" and len(after) == 2 and is_name(after[0]):
            name = after[0]
            child = Module(name, module, module.file)
            child.frame = any(re.match(r"(frame_support :: )?(pallet|runtime)\b(?! ::)", text) for text in attributes)
            if after[1] == ";":
                child.file = next(filter(pathlib.Path.is_file, [folder / f"{name}.rs", folder / name / "mod.rs"]), None)
                if child.file:
                    module.children[name] = child
                    read_module(child, tokenize(child.file.read_text()), folder / name)
                index += 3
            else:
                end = closing(tokens, index + 2)
                module.children[name] = child
                read_module(child, tokens[index + 3:end], folder / name)
                index = end + 1
        elif token == "use" and after[:1] != ["<"]:
            end = tokens.index(";", index)
            module.uses += [(alias, path, public) for alias, path in use_tree(tokens[index + 1:end], [])]
            index = end + 1
        else:
            if token == "{":
                nesting.append(bool(nesting and nesting[-1]) or "!" not in tokens[max(0, index - 2):index])
            elif token == "}" and nesting:
                nesting.pop()
            elif token in DEFINES and after and after[0] not in KEYWORDS and is_name(after[0]):
                if not any(nesting):
                    module.items.add(after[0])
                index += 1
            elif token == "macro_rules" and len(after) == 2:
                module.items.add(after[1])
            elif is_name(token) and tokens[index - 1:index] != ["."]:
                path = [token]
                while tokens[index + 1:index + 2] == ["::"] and is_name(tokens[index + 2]):
                    path.append(tokens[index + 2])
                    index += 2
                module.names.add(token)
                if len(path) > 1:
                    module.paths.append(path)
            index += 1
        attributes, public = [], False


def read_crate(root):
    """The module tree below a root file."""
    module = Module("crate", None, root)
    read_module(module, tokenize(root.read_text()), root.parent)
    return module


def lookup(module, name, seen=()):
    """What `name` is in `module`: a Module, (Module, name) of an item, EXTERNAL, or None where it is not there."""
    if (module, name) in seen:
        return None
    seen = (*seen, (module, name))
    if name in module.children:
        return module.children[name]
    if name in module.test_only:
        return EXTERNAL
    if name in module.items:
        return module, name
    for alias, path, _ in module.uses:
        if alias == name:
            return resolve(module, path, seen) or EXTERNAL
    for alias, path, _ in module.uses:
        if alias == "*":
            target = resolve(module, path, seen)
            found = lookup(target, name, seen) if isinstance(target, Module) else None
            if found:
                return found
    return None


def resolve(module, path, seen=()):
    """What a path in `module` leads to, as `lookup`; None for a path out of the crate."""
    first, rest = path[0], path[1:]
    if first == "crate":
        while module.parent:
            module = module.parent
        at = module
    elif first == "self":
        at = module
    elif first == "super":
        at = module.parent
        while rest and rest[0] == "super":
            at, rest = at and at.parent, rest[1:]
    else:
        at = lookup(module, first, seen)
    for name in rest:
        if not isinstance(at, Module):
            break
        # A name that is not found is one that a macro defines.
        at = lookup(at, name, seen) or (at, name)
    return at


def exports(module, seen=()):
    """Names that a glob import of `module` may bring."""
    if module in seen:
        return set()
    names = module.items | set(module.children)
    for alias, path, _ in module.uses:
        target = resolve(module, path) if alias == "*" else None
        if isinstance(target, Module):
            names |= exports(target, (*seen, module))
        elif alias != "*":
            names.add(alias)
    return names


def imports(root):
    """{(file, imported file): names} of a crate."""
    edges = {}

    def add(module, target):
        if not isinstance(target, tuple):
            return
        owner, name = target
        generated = owner.parent is None and any(child.frame for child in owner.children.values())
        if owner.file == module.file or owner.frame or (generated and name not in owner.items):
            return
        edges.setdefault((module.file, owner.file), set()).add(name)

    for module in root.every():
        own = module.items | {alias for alias, _, _ in module.uses}
        for alias, path, public in module.uses:
            target = resolve(module, path)
            if alias != "*":
                exported = isinstance(target, tuple) and public and target[0].within(module)
                if not exported or alias in module.names:
                    add(module, target)
            elif isinstance(target, Module):
                for name in (exports(target) & module.names) - own:
                    add(module, lookup(target, name))
            else:
                add(module, target)
        for path in module.paths:
            add(module, resolve(module, path))
    return edges


def components(edges):
    """Sets of files that reach each other (Tarjan's algorithm)."""
    graph = {}
    for source, target in edges:
        graph.setdefault(source, set()).add(target)
        graph.setdefault(target, set())
    order, low, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in graph[node]:
            if target not in order:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == order[node]:
            at = stack.index(node)
            found.append(set(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in order:
            visit(node)
    return [component for component in found if len(component) > 1]


def siblings(edges, module_paths):
    """{parent's path: edges between its children}, each child standing for all files below it."""
    groups = {}
    for (source, target), names in edges.items():
        a, b = module_paths[source], module_paths[target]
        common = 0
        while common < min(len(a), len(b)) and a[common] == b[common]:
            common += 1
        # A file and its ancestor are no siblings.
        if common < min(len(a), len(b)):
            pair = "::".join(a[:common + 1]), "::".join(b[:common + 1])
            groups.setdefault(a[:common], {}).setdefault(pair, set()).update(names)
    return groups


def cycles(root, target):
    """Lines that describe the import cycles of a crate: between its files, and between sibling modules."""
    tree = read_crate(target)
    folder = target.parent
    edges = {tuple(str(file.relative_to(folder)) for file in pair): names for pair, names in imports(tree).items()}
    module_paths = {}
    for module in tree.every():
        module_paths.setdefault(str(module.file.relative_to(folder)), module.path())
    lines, known = [], set()

    def report(kind, edges):
        for component in components(edges):
            inner = {pair: names for pair, names in sorted(edges.items()) if component.issuperset(pair)}
            # A cycle between modules of one file each was reported as one between files.
            if frozenset(inner) not in known:
                lines.append(f"import cycle of {len(component)} {kind} in {folder.relative_to(root)}")
                lines.extend(f"  {a} -> {b}: {', '.join(sorted(names))}" for (a, b), names in inner.items())
            if kind == "files":
                known.add(frozenset(tuple("::".join(module_paths[file]) for file in pair) for pair in inner))

    report("files", edges)
    for _, group in sorted(siblings(edges, module_paths).items()):
        report("modules", group)
    return lines


def metadata(manifest):
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path", str(manifest)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["packages"]


def read_layers(root):
    """{crate folder: line of the list}."""
    text = (root / "docs/architecture.md").read_text()
    block = re.search(r"^```layers\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    if not block:
        raise SystemExit("docs/architecture.md has no block of layers")
    lines = enumerate(filter(None, map(str.split, block[1].splitlines())))
    return {folder: line for line, folders in lines for folder in folders}


def upward(layers, packages):
    """Lines that describe the dependencies that do not point down. `packages`: {folder: folders it depends on}."""
    lines = [f"docs/architecture.md lists {folder}, which is no crate" for folder in layers if folder not in packages]
    for folder, dependencies in sorted(packages.items()):
        if folder not in layers:
            lines.append(f"the layers of docs/architecture.md lack {folder}")
            continue
        for dependency in dependencies:
            if dependency in layers and layers[dependency] >= layers[folder]:
                lines.append(f"{folder} depends on {dependency}, which is not on a lower layer (docs/architecture.md)")
    return lines


def check(root):
    """All findings in the project below `root`."""
    root = root.resolve()
    layers = read_layers(root)
    manifests = [root / "Cargo.toml"]
    found = {str(pathlib.Path(package["manifest_path"]).parent): package for package in metadata(manifests[0])}
    # Crates of the list with a workspace of their own.
    for folder in layers:
        if str(root / folder) not in found and (root / folder / "Cargo.toml").is_file():
            for package in metadata(root / folder / "Cargo.toml"):
                found[str(pathlib.Path(package["manifest_path"]).parent)] = package
    lines, packages = [], {}
    for folder, package in found.items():
        name = str(pathlib.Path(folder).relative_to(root))
        paths = {d["path"] for d in package["dependencies"] if d.get("path") and d["kind"] != "dev"}
        packages[name] = sorted(str(pathlib.Path(path).relative_to(root)) for path in paths)
        for target in package["targets"]:
            if not {"test", "custom-build"} & set(target["kind"]):
                lines += cycles(root, pathlib.Path(target["src_path"]))
    return lines + upward(layers, packages)


MANIFEST = '[package]\nname = "{}"\nversion = "0.1.0"\nedition = "2021"\n'
GOOD = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["low", "high", "pallet"]\n',
    "docs/architecture.md": "# Layers\n\n```layers\nlow\nhigh pallet\n```\n",
    "low/Cargo.toml": MANIFEST.format("low") + '[dev-dependencies]\nhigh = { path = "../high" }\n',
    # The root re-exports and declares; `math` uses what `error` defines through it.
    "low/src/lib.rs": "mod error;\npub mod math;\npub use error::{Error, Result};\n"
                      "#[cfg(test)]\nmod tests { use super::*; fn f() { math::add(); } }\n",
    "low/src/error.rs": "/// Of `crate::math::add`.\npub struct Error;\npub type Result<T> = core::result::Result<T, Error>;\n"
                        "#[cfg(test)]\nuse crate::math::add;\npub const TEXT: &str = \"crate::math::add\";\n",
    "low/src/math.rs": "mod sum;\nuse crate::Result;\npub use sum::sum;\npub fn add() -> Result<()> { Ok(()) }\n",
    "low/src/math/sum.rs": "use super::add;\npub fn sum<'a>(_: &'a str) -> crate::Result<()> { let _ = '\\''; add() }\n",
    "high/Cargo.toml": MANIFEST.format("high") + '[dependencies]\nlow = { path = "../low" }\n',
    "high/src/lib.rs": "pub use low::*;\n",
    "pallet/Cargo.toml": MANIFEST.format("pallet"),
    "pallet/src/lib.rs": "pub mod fees;\npub use pallet::*;\n#[frame_support::pallet]\npub mod pallet {\n"
                         "use super::*;\npub trait Config {}\npub struct Pallet<T>(T);\nfn f() { fees::fee() }\n}\n",
    "pallet/src/fees.rs": "use crate::{Call, Config, Pallet};\npub fn fee() {}\n",
}
# Each breaks GOOD: what it changes, and what must be found.
BAD = [
    ({"low/src/error.rs": "use crate::math::add;\npub struct Error;\npub type Result<T> = Option<T>;\n"},
     ["import cycle of 2 files in low/src", "  error.rs -> math.rs: add", "  math.rs -> error.rs: Result"]),
    ({"low/src/math.rs": "mod sum;\npub fn add() { sum::sum() }\n"},
     ["import cycle of 2 files in low/src", "  math.rs -> math/sum.rs: sum", "  math/sum.rs -> math.rs: add"]),
    ({"low/src/math.rs": "mod sum;\npub use sum::*;\npub fn add() { sum() }\n"},
     ["import cycle of 2 files in low/src", "  math.rs -> math/sum.rs: sum", "  math/sum.rs -> math.rs: add"]),
    ({"pallet/src/fees.rs": "use super::*;\npub fn fee() { helper() }\n",
      "pallet/src/lib.rs": GOOD["pallet/src/lib.rs"] + "pub fn helper() {}\n"},
     ["import cycle of 2 files in pallet/src", "  fees.rs -> lib.rs: helper", "  lib.rs -> fees.rs: fee"]),
    ({"low/src/lib.rs": "mod a;\nmod b;\n", "low/src/a.rs": "mod x;\nmod y;\n", "low/src/a/x.rs": "use crate::b::f;\n",
      "low/src/a/y.rs": "pub fn g() {}\n", "low/src/b.rs": "use crate::a::y;\npub fn f() { y::g() }\n"},
     ["import cycle of 2 modules in low/src", "  a -> b: f", "  b -> a: g"]),
    ({"docs/architecture.md": "```layers\nhigh pallet\nlow\n```\n"},
     ["high depends on low, which is not on a lower layer (docs/architecture.md)"]),
    ({"docs/architecture.md": "```layers\nlow high\nlost\n```\n"},
     ["docs/architecture.md lists lost, which is no crate",
      "high depends on low, which is not on a lower layer (docs/architecture.md)",
      "the layers of docs/architecture.md lack pallet"]),
]


def self_test():
    for change, expected in [({}, []), *BAD]:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**GOOD, **change}.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            found = check(pathlib.Path(folder))
        if found != expected:
            sys.exit("\n".join(["check-layers.py: its self test expects", *expected, "and found", *found]))


if sys.argv[1:] == ["--self-test"]:
    self_test()
else:
    findings = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(findings), end="\n" if findings else "")
    sys.exit(bool(findings))
