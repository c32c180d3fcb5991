#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that what the numbered walks of docs/architecture.md name exists.

usage: check-walks.py [ROOT] | check-walks.py --self-test

Each item of a numbered list begins with a code span `FILE.rs::ITEM` or `FILE.rs::TYPE::METHOD`. The file must exist and
define the item (a function, type, trait, constant, module or macro) outside comments; a type may also be one that the
file has an `impl` for. Such code spans elsewhere on the page are checked too.
"""
import pathlib
import re
import sys
import tempfile

ITEM = re.compile(r"^\s*\d+\.\s+(.*)", re.MULTILINE)
NAMED = re.compile(r"`([\w./-]+\.rs)::([\w:]+)`")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
DEFINITION = r"\b(fn|struct|enum|union|trait|type|const|static|mod|macro_rules!)\s+(mut\s+)?{0}\b|\bimpl\b[^{{;]*\b{0}\b"


def check(root):
    """All findings on the page of the project below `root`."""
    page = (root / "docs/architecture.md").read_text()
    lines = [f"no code span `FILE.rs::ITEM` begins: {item}" for item in ITEM.findall(page) if not NAMED.match(item)]
    for name, path in dict.fromkeys(NAMED.findall(page)):
        if not (root / name).is_file():
            lines.append(f"{name}::{path}: no such file")
            continue
        code = COMMENT.sub("", (root / name).read_text())
        missing = [part for part in path.split("::") if not re.search(DEFINITION.format(part), code)]
        if missing:
            lines.append(f"{name}::{path}: the file does not define {', '.join(missing)}")
    return lines


CODE = "struct Round;\nimpl<T> Step for Round {\n    fn next(&self) {}\n}\n// fn gone() {}\npub(crate) async fn request() {}\n"
GOOD = "# Walk\n\n1. `a/b.rs::request` asks.\n2. `a/b.rs::Round::next` moves on, see `a/b.rs::Round`.\n"
BAD = {
    "1. `a/b.rs::gone`: it was here": "a/b.rs::gone: the file does not define gone",
    "1. `a/c.rs::request`": "a/c.rs::request: no such file",
    "1. `a/b.rs::Round::back`": "a/b.rs::Round::back: the file does not define back",
    "1. `request` asks": "no code span `FILE.rs::ITEM` begins: `request` asks",
    "See `a/b.rs::reques`.": "a/b.rs::reques: the file does not define reques",
}


def self_test():
    for page, expected in [(GOOD, []), *((page, [line]) for page, line in BAD.items())]:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {"docs/architecture.md": page, "a/b.rs": CODE}.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            found = check(pathlib.Path(folder))
        if found != expected:
            sys.exit(f"check-walks.py: its self test expects {expected} and found {found}")


if sys.argv[1:] == ["--self-test"]:
    self_test()
else:
    findings = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(findings), end="\n" if findings else "")
    sys.exit(bool(findings))
