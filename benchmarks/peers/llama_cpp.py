#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llama.cpp on a GGUF file, through llama-cpp-python. Prints one line of JSON.

time:   tokens per second of the prefill of a prompt and of greedy decoding after it.
values: greedy tokens, and the perplexity of a text. Method of the perplexity: the tokens (llama.cpp's own for
        --text; the given ones for --ids) are split into consecutive windows of --window tokens; a shorter last
        one is dropped unless it is the only one. Each window is evaluated from an empty context, after the
        beginning-of-sequence token for --text. The log-likelihood of a token is the log-softmax, in binary64, of the
        binary32 logits before it; the first --skip tokens of each window are not counted. The perplexity is
        exp(-mean log-likelihood).
"""
import argparse
import json
import statistics
import sys
import time

sys.path.pop(0)  # this folder: the import below would find this file

import llama_cpp
import numpy

PROMPT = [(i * 7919) % 30000 + 1000 for i in range(128)]
FIRST = 1234  # the token from which decoding starts, so that the work does not depend on the logits


def load(args, positions, logits_all):
    return llama_cpp.Llama(
        args.model, n_ctx=positions, n_batch=min(positions, 512), n_threads=args.threads,
        n_threads_batch=args.threads, logits_all=logits_all, verbose=False)


def timed(args):
    model = load(args, len(PROMPT) + args.decode + 8, False)
    reading, decoding = [], []
    for _ in range(args.runs + 1):
        model.reset()
        start = time.perf_counter()
        model.eval(PROMPT)
        read = time.perf_counter()
        token = FIRST
        for _ in range(args.decode):
            model.eval([token])
            token = model.sample(temp=0)
        end = time.perf_counter()
        reading.append(len(PROMPT) / (read - start))
        decoding.append(args.decode / (end - read))
    # The first run is a warm-up.
    return {"prefill": statistics.median(reading[1:]), "decode": statistics.median(decoding[1:])}


def greedy(model, prompt, count):
    model.reset()
    model.eval(prompt)
    tokens = []
    for _ in range(count):
        tokens.append(int(numpy.argmax(model.scores[model.n_tokens - 1])))
        model.eval([tokens[-1]])
    return tokens


def log_softmax_of(logits, tokens):
    logits = logits.astype(numpy.float64)
    top = logits.max(axis=-1, keepdims=True)
    total = numpy.log(numpy.exp(logits - top).sum(axis=-1)) + top[:, 0]
    return logits[numpy.arange(len(tokens)), tokens] - total


def values(args):
    model = load(args, max(args.window + 1, args.prompt + args.greedy + 1), True)
    if args.text:
        with open(args.text, "rb") as file:
            ids = model.tokenize(file.read(), add_bos=False, special=False)
        begin = [model.token_bos()] if model.token_bos() >= 0 else []
    else:
        with open(args.ids) as file:
            ids = json.load(file)
        begin = []
    windows = [ids[i:i + args.window] for i in range(0, len(ids), args.window)]
    if len(windows) > 1 and len(windows[-1]) < args.window:
        windows.pop()
    # Without a beginning-of-sequence token the first token of a window has no logits before it.
    skip = max(args.skip, 0 if begin else 1)
    counted = []
    for window in windows:
        model.reset()
        model.eval(begin + window)
        before = len(begin) + skip - 1
        logits = model.scores[before:len(begin) + len(window) - 1]
        counted.extend(log_softmax_of(logits, window[skip:]))
    if not counted:
        raise SystemExit("the text is too short: no token is counted")
    prompt = begin + ids[:args.prompt]
    return {"perplexity": float(numpy.exp(-numpy.mean(counted))), "tokens": len(counted), "windows": len(windows),
            "ids": begin + ids if args.text else ids, "greedy": greedy(model, prompt, args.greedy)}


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
commands = parser.add_subparsers(required=True)
for name, run in {"time": timed, "values": values}.items():
    command = commands.add_parser(name)
    command.set_defaults(run=run)
    command.add_argument("model")
    command.add_argument("--threads", type=int, default=2)
    if run is timed:
        command.add_argument("--runs", type=int, default=3)
        command.add_argument("--decode", type=int, default=64)
    else:
        source = command.add_mutually_exclusive_group(required=True)
        source.add_argument("--text", help="a text file")
        source.add_argument("--ids", help="a JSON list of token ids")
        command.add_argument("--window", type=int, default=512)
        command.add_argument("--skip", type=int, default=1)
        command.add_argument("--prompt", type=int, default=128, help="tokens before the greedy ones")
        command.add_argument("--greedy", type=int, default=64)
args = parser.parse_args()
print(json.dumps({"peer": "llama-cpp-python " + llama_cpp.__version__, **args.run(args)}))
