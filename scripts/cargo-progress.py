#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs cargo and prints every 30 s how many crates of all are compiled, and the time so far.

usage: cargo-progress.py COMMAND [CARGO_ARGUMENTS...] | cargo-progress.py --self-test

COMMAND is one of cargo's that compile (build, check, clippy). Cargo's messages and its exit code pass through. Cargo's own
progress bar is drawn on terminals only; these lines are also written to logs. A crate that is compiled for the host and
for the target, or with its tests, counts once for each. Where cargo cannot tell their number, the total is left out.
"""
import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time


def with_options(arguments, *options):
    """Cargo's command line with options before the arguments of its `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return ["cargo", *arguments[:end], *options, *arguments[end:]]


def is_crate(target):
    return target["kind"] != ["custom-build"]


def total(arguments):
    """Number of crates that a command compiles when nothing is compiled yet, or None."""
    # The graph is an unstable output, which this variable unlocks for the query alone.
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1"}
    command = with_options(arguments, "-Z", "unstable-options", "--unit-graph")
    query = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    try:
        return sum(is_crate(unit["target"]) for unit in json.loads(query.stdout)["units"])
    except (ValueError, KeyError):
        return None


def duration(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def run(arguments, interval=30.0):
    """Runs cargo; returns its exit code."""
    start, done, crates, over = time.monotonic(), 0, total(arguments), threading.Event()

    def report():
        of = f" of {crates}" if crates else ""
        # On a terminal the line replaces cargo's bar, which cargo draws again.
        clear = "\r\033[K" if sys.stderr.isatty() else ""
        print(f"{clear}{done}{of} crates after {duration(time.monotonic() - start)}", file=sys.stderr, flush=True)

    def tick():
        while not over.wait(interval):
            report()

    command = with_options(arguments, "--message-format", "json-render-diagnostics")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as cargo:
        threading.Thread(target=tick, daemon=True).start()
        try:
            for line in cargo.stdout:
                try:
                    message = json.loads(line)
                except ValueError:
                    print(line, end="", flush=True)
                    continue
                done += message.get("reason") == "compiler-artifact" and is_crate(message["target"])
            code = cargo.wait()
        except KeyboardInterrupt:
            cargo.wait()
            code = 130
    over.set()
    report()
    return code if code >= 0 else 128 - code


FAKE = """#!/bin/sh
case "$*" in
  *--unit-graph*)
    [ "$RUSTC_BOOTSTRAP" = 1 ] || exit 1
    echo '{"units": [{"target": {"kind": ["lib"]}}, {"target": {"kind": ["bin"]}}, {"target": {"kind": ["custom-build"]}}]}'
    exit ;;
esac
echo "$*" >>"$0.log"
echo '{"reason": "compiler-artifact", "target": {"kind": ["custom-build"]}}'
echo '{"reason": "build-script-executed"}'
echo '{"reason": "compiler-artifact", "target": {"kind": ["lib"]}}'
sleep 1
case "$*" in
  *quiet*) ;;
  *) echo 'plain text'; echo 'error: of the compiler' >&2 ;;
esac
exit 101
"""


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        fake = pathlib.Path(folder, "cargo")
        fake.write_text(FAKE)
        fake.chmod(0o755)
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
        command = [sys.executable, __file__, "clippy", "--locked", "--", "-D", "warnings"]
        whole = subprocess.run(command, capture_output=True, text=True, check=False)
        assert whole.returncode == 101, whole
        assert whole.stdout == "plain text\n", whole
        first, last = whole.stderr.splitlines()
        assert first == "error: of the compiler" and last.startswith("1 of 2 crates after "), whole
        log = fake.with_suffix(".log").read_text()
        assert log == "clippy --locked --message-format json-render-diagnostics -- -D warnings\n", log
        # A line while cargo runs, and one at the end.
        lines = io.StringIO()
        with contextlib.redirect_stderr(lines):
            assert run(["quiet"], interval=0.4) == 101
        assert len(lines.getvalue().splitlines()) >= 2, lines.getvalue()
    assert duration(125) == "2 min 5 s"


if sys.argv[1:] == ["--self-test"]:
    self_test()
else:
    sys.exit(run(sys.argv[1:]))
