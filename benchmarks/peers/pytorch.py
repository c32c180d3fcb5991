#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokens per second of a PyTorch training step on the CPU. Prints one line of JSON.

The model is the engine's decoder: untied embedding and head, RMSNorm, rotary positions, causal attention, gated
SiLU; binary32, AdamW and gradient clipping as in the engine. The architecture is that of the benchmark's training row.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

DIM, LAYERS, HEADS, FF, VOCAB = 384, 6, 6, 1024, 4096
BATCH, SEQUENCE = 8, 256
WIDTH = DIM // HEADS


def linear(k, n):
    return nn.Linear(k, n, bias=False)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm, self.ff_norm = nn.RMSNorm(DIM), nn.RMSNorm(DIM)
        # Fused projections (query, key and value; gate and up), as in fast implementations.
        self.qkv, self.attended = linear(DIM, 3 * DIM), linear(DIM, DIM)
        self.gate_up, self.down = linear(DIM, 2 * FF), linear(FF, DIM)

    def forward(self, x, cos, sin):
        batch, length, _ = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, length, 3, HEADS, WIDTH)
        q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attended(attended.transpose(1, 2).reshape(batch, length, DIM))
        gate, up = self.gate_up(self.ff_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


def rotate(x, cos, sin):
    low, high = x.chunk(2, -1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), -1)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(VOCAB, DIM), linear(DIM, VOCAB)
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(LAYERS)), nn.RMSNorm(DIM)
        frequencies = 10_000.0 ** (-torch.arange(0, WIDTH, 2) / WIDTH)
        angles = torch.outer(torch.arange(SEQUENCE), frequencies)
        # Computed once, as in the engine.
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, tokens, targets):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--steps", type=int, default=5)
args = parser.parse_args()
torch.manual_seed(0)
torch.set_num_threads(args.threads)
model = Decoder()
parameters = sum(p.numel() for p in model.parameters())
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
tokens, targets = torch.randint(0, VOCAB, (2, BATCH, SEQUENCE)).unbind()
seconds = []
for _ in range(args.steps + 2):
    start = time.perf_counter()
    optimiser.zero_grad()
    model(tokens, targets).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    seconds.append(time.perf_counter() - start)
# The first two steps are a warm-up.
print(json.dumps({"peer": "PyTorch " + torch.__version__, "parameters": parameters,
                  "train": BATCH * SEQUENCE / statistics.median(seconds[2:])}))
