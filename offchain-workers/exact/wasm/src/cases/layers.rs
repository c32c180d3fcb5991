// SPDX-License-Identifier: Apache-2.0
//! Cases of layers, the loss, sampling and the optimiser.

use agorai_exact::adamw::{self, AdamW};
use agorai_exact::attention::{Attention, Scratch};
use agorai_exact::rope::{frequencies, RopeTable, Scaling};
use agorai_exact::sampling::Sampling;
use agorai_exact::{embedding as table, loss, norm, softmax as soft, Isa, PackedMatrix, Result};
use alloc::vec;
use alloc::vec::Vec;

use super::draw::{Digest, Draw};

fn shape(draw: &mut Draw) -> (usize, usize) {
    (draw.within(1, 5), draw.within(1, 70))
}

pub fn softmax(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let (rows, width) = shape(draw);
    let (mut p, mut d) = (draw.numbers(rows * width), draw.numbers(rows * width));
    soft::softmax(isa, &mut p, width)?;
    soft::softmax_backward(isa, &p, &mut d, width)?;
    out.numbers(&p);
    out.numbers(&d);
    Ok(())
}

pub fn rmsnorm(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let (rows, width) = shape(draw);
    let (x, dy) = (draw.numbers(rows * width), draw.numbers(rows * width));
    let (weight, mut dw) = (draw.numbers(width), draw.moderate(width));
    let [mut y, mut dx] = [vec![0.0; x.len()], vec![0.0; x.len()]];
    let mut inv = vec![0.0; rows];
    norm::rmsnorm(isa, &x, &weight, 1e-6, &mut y, &mut inv)?;
    norm::rmsnorm_backward_input(isa, &x, &weight, &inv, &dy, &mut dx)?;
    let first = draw.below(width);
    let columns = first..draw.within(first, width);
    let part = &mut dw[columns.clone()];
    norm::rmsnorm_backward_weight(isa, &x, width, &inv, &dy, columns, part)?;
    out.vectors(&[&y, &inv, &dx, &dw]);
    Ok(())
}

type Gate = fn(Isa, &[f32], &[f32], &mut [f32]) -> Result<()>;
type GateBackward = fn(Isa, &[f32], &[f32], &[f32], &mut [f32], &mut [f32]) -> Result<()>;

/// A gated activation and its gradient.
pub fn gated(isa: Isa, draw: &mut Draw, out: &mut Digest, forward: Gate, backward: GateBackward) -> Result<()> {
    let n = draw.within(0, 70);
    let (gate, up, dout) = (draw.numbers(n), draw.numbers(n), draw.numbers(n));
    let [mut y, mut dgate, mut dup] = [vec![0.0; n], vec![0.0; n], vec![0.0; n]];
    forward(isa, &gate, &up, &mut y)?;
    backward(isa, &gate, &up, &dout, &mut dgate, &mut dup)?;
    out.vectors(&[&y, &dgate, &dup]);
    Ok(())
}

pub fn cross_entropy(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let (rows, width) = shape(draw);
    let mut logits = draw.numbers(rows * width);
    let mut targets = draw.indices(rows, width);
    if rows > 1 && draw.below(3) == 0 {
        targets[0] = loss::IGNORE_INDEX;
    }
    let mut losses = vec![0.0; rows];
    loss::cross_entropy(isa, &logits, width, &targets, &mut losses)?;
    out.numbers(&losses);
    loss::cross_entropy_backward(isa, &mut logits, width, &targets, 0.3, &mut losses)?;
    out.numbers(&losses);
    out.numbers(&logits);
    out.numbers(&[loss::mean_loss(isa, &losses, &targets)?]);
    Ok(())
}

pub fn embedding(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let (vocabulary, width) = shape(draw);
    let count = draw.within(0, 9);
    let tokens = draw.indices(count, vocabulary);
    let mut values = draw.numbers(vocabulary * width);
    let mut rows = vec![0.0; tokens.len() * width];
    table::gather(&values, width, &tokens, &mut rows)?;
    table::scatter_add(isa, &mut values, width, &tokens, &rows)?;
    out.numbers(&rows);
    out.numbers(&values);
    Ok(())
}

pub fn rope(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let head = 2 * draw.within(1, 40);
    let theta = [10_000.0, 500_000.0, 1e6, 1.5, 1e9][draw.below(5)];
    let mut f = frequencies(head, theta)?;
    let (factor, context) = (1.0 + 31.0 * draw.fraction(), draw.within(1, 1 << 24) as u32);
    let divisors: Vec<f32> = f.iter().map(|_| 1.0 + 7.0 * draw.fraction()).collect();
    let low = 0.1 + draw.fraction();
    let scaling = match draw.below(4) {
        0 => Some(Scaling::Linear { factor }),
        1 => Some(Scaling::Llama3 {
            factor,
            low,
            high: low + 3.0,
            context,
        }),
        2 => Some(Scaling::Divisors(&divisors)),
        _ => None,
    };
    if let Some(scaling) = scaling {
        scaling.apply(&mut f)?;
    }
    out.numbers(&f);
    let table = RopeTable::from_frequencies(&f, 100)?;
    let (rows, heads) = (draw.within(0, 4), draw.within(1, 3));
    let positions = draw.indices(rows, 100);
    let mut x = draw.numbers(rows * heads * head);
    table.rotate(isa, &positions, &mut x)?;
    out.numbers(&x);
    table.rotate_inverse(isa, &positions, &mut x)?;
    out.numbers(&x);
    Ok(())
}

fn attention_shape(draw: &mut Draw) -> Attention {
    let width = draw.within(1, 40);
    let queries = draw.within(1, 20);
    Attention {
        queries,
        offset: draw.below(30),
        width,
        scale: 1.0 / width as f32,
        window: [None, Some(draw.within(1, 40))][draw.below(2)],
    }
}

/// Attention, forward and backward.
pub fn attention(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let shape = attention_shape(draw);
    let (rows, keys) = (shape.queries * shape.width, shape.keys() * shape.width);
    let (q, k, v, dout) = (
        draw.numbers(rows),
        draw.numbers(keys),
        draw.numbers(keys),
        draw.numbers(rows),
    );
    let packed = PackedMatrix::from_out_in(shape.keys(), shape.width, &k)?;
    let mut p = vec![0.0; shape.queries * shape.keys()];
    let [mut y, mut dq] = [vec![0.0; rows], vec![0.0; rows]];
    let (mut dk, mut dv) = (draw.moderate(keys), draw.moderate(keys));
    let s = &mut Scratch::default();
    shape.forward(isa, &q, &packed, &v, &mut p, &mut y, s)?;
    out.numbers(&p);
    out.numbers(&y);
    shape.backward(isa, &q, &k, &v, &p, &dout, &mut dq, &mut dk, &mut dv, s)?;
    out.vectors(&[&dq, &dk, &dv]);
    Ok(())
}

/// Attention of one query at a time, with a growing key cache.
pub fn attention_token_by_token(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let shape = attention_shape(draw);
    let (width, total) = (shape.width, shape.queries);
    let (q, k, v) = (
        draw.numbers(total * width),
        draw.numbers(total * width),
        draw.numbers(total * width),
    );
    let mut cache = PackedMatrix::with_capacity(width, total)?;
    let s = &mut Scratch::default();
    for offset in 0..total {
        cache.push_columns(&k[offset * width..][..width], width, 0)?;
        let one = Attention {
            queries: 1,
            offset,
            ..shape
        };
        let (mut p, mut y) = (vec![0.0; offset + 1], vec![0.0; width]);
        let q = &q[offset * width..][..width];
        one.forward(isa, q, &cache, &v, &mut p, &mut y, s)?;
        out.numbers(&y);
    }
    Ok(())
}

pub fn sampling(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let sampling = Sampling {
        temperature: [0.0, 0.7, 1.0, 2.0 * draw.fraction()][draw.below(4)],
        top_k: [0, draw.below(50) as u32][draw.below(2)],
        top_p: [1.0, 1.0 - draw.fraction()][draw.below(2)],
    };
    let count = draw.within(1, 1500);
    let (logits, seed) = (draw.numbers(count), draw.key());
    for _ in 0..3 {
        let token = sampling.sample(isa, seed, draw.word(), &logits)?;
        out.word(u64::from(token));
    }
    Ok(())
}

pub fn adamw(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let n = draw.within(0, 70);
    let adam = AdamW {
        learning_rate: draw.fraction(),
        beta1: draw.fraction(),
        beta2: draw.fraction(),
        eps: 1e-8,
        weight_decay: draw.fraction(),
    };
    let (mut p, mut m, mut v) = (draw.numbers(n), draw.moderate(n), draw.positive(n));
    for step in 1..4 {
        let gradient = draw.numbers(n);
        let scale = draw.fraction();
        adam.step(isa, step, scale, &mut p, &gradient, &mut m, &mut v)?;
    }
    out.vectors(&[&p, &m, &v]);
    out.numbers(&[adamw::power(adam.beta1, draw.word() as u32)]);
    Ok(())
}

pub fn clipping(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let sizes = [draw.below(200), draw.below(40), draw.below(3)];
    let tensors = sizes.map(|n| draw.numbers(n));
    let norm = adamw::global_norm(isa, &[&tensors[0], &tensors[1], &tensors[2]])?;
    let scale = adamw::clip_scale(norm, 1.0)?;
    out.numbers(&[norm, scale]);
    Ok(())
}
