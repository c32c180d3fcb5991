// SPDX-License-Identifier: Apache-2.0
//! The logits of a chain model against a binary64 reference of Llama.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{model::Model, parallel::ComputeConfig, Weights};
use agorai_exact::Isa;
use common::*;

struct Reference<'a>(&'a Weights);

impl Reference<'_> {
    fn tensor(&self, name: &str) -> Vec<f64> {
        let (_, values) = self.0.tensor(&format!("{name}.weight")).unwrap();
        values.iter().map(|value| f64::from(*value)).collect()
    }

    fn linear(&self, name: &str, x: &[f64]) -> Vec<f64> {
        self.tensor(name)
            .chunks_exact(x.len())
            .map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum())
            .collect()
    }

    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let weight = self.tensor(name);
        let scale = 1.0 / (square + 1e-5).sqrt();
        x.iter().zip(weight).map(|(x, w)| x * scale * w).collect()
    }

    /// Rotary embedding as in Hugging Face's Llama: element i is paired with element i + half.
    fn rope(&self, position: usize, x: &mut [f64]) {
        let a = self.0.architecture;
        let width = a.head_dim() as usize;
        for head in x.chunks_exact_mut(width) {
            for i in 0..width / 2 {
                let frequency = f64::from(a.rope_theta).powf(-2.0 * i as f64 / width as f64);
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                let (low, high) = (head[i], head[i + width / 2]);
                head[i] = low * cos - high * sin;
                head[i + width / 2] = high * cos + low * sin;
            }
        }
    }

    fn attend(&self, query: &[f64], keys: &[Vec<f64>], values: &[Vec<f64>]) -> Vec<f64> {
        let a = self.0.architecture;
        let width = a.head_dim() as usize;
        let group = (a.heads / a.kv_heads) as usize;
        let head = |(index, query): (usize, &[f64])| {
            let part = index / group * width..(index / group + 1) * width;
            let dot = |key: &Vec<f64>| -> f64 {
                let products = query.iter().zip(&key[part.clone()]).map(|(q, k)| q * k);
                (products.sum::<f64>() / (width as f64).sqrt()).exp()
            };
            let weights: Vec<f64> = keys.iter().map(dot).collect();
            let sum: f64 = weights.iter().sum();
            let mut out = vec![0.0; width];
            for (weight, value) in weights.iter().zip(values) {
                for (out, value) in out.iter_mut().zip(&value[part.clone()]) {
                    *out += weight / sum * value;
                }
            }
            out
        };
        query.chunks_exact(width).enumerate().flat_map(head).collect()
    }

    fn logits(&self, tokens: &[u32]) -> Vec<Vec<f64>> {
        let a = self.0.architecture;
        let embedding = self.tensor("model.embed_tokens");
        let mut rows: Vec<Vec<f64>> = tokens
            .iter()
            .map(|token| embedding[(token * a.dim) as usize..][..a.dim as usize].to_vec())
            .collect();
        for layer in 0..a.layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}");
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            for (position, row) in rows.iter_mut().enumerate() {
                let normed = self.norm(&name("input_layernorm"), row);
                let mut query = self.linear(&name("self_attn.q_proj"), &normed);
                let mut key = self.linear(&name("self_attn.k_proj"), &normed);
                self.rope(position, &mut query);
                self.rope(position, &mut key);
                keys.push(key);
                values.push(self.linear(&name("self_attn.v_proj"), &normed));
                let attended = self.attend(&query, &keys, &values);
                add(row, &self.linear(&name("self_attn.o_proj"), &attended));
                let normed = self.norm(&name("post_attention_layernorm"), row);
                let gate = self.linear(&name("mlp.gate_proj"), &normed);
                let up = self.linear(&name("mlp.up_proj"), &normed);
                let silu = |gate: f64| gate / (1.0 + (-gate).exp());
                let gated: Vec<f64> = gate.iter().zip(up).map(|(g, u)| silu(*g) * u).collect();
                add(row, &self.linear(&name("mlp.down_proj"), &gated));
            }
        }
        let head = |row: &Vec<f64>| self.linear("lm_head", &self.norm("model.norm", row));
        rows.iter().map(head).collect()
    }
}

fn add(row: &mut [f64], more: &[f64]) {
    row.iter_mut().zip(more).for_each(|(x, more)| *x += more);
}

#[test]
fn logits_agree_with_a_binary64_llama() {
    let mut weights = Weights::init(&TINY, 11).unwrap();
    for value in &mut weights.values {
        *value *= 3.0;
    }
    let compute = ComputeConfig {
        isa: Isa::detect(),
        threads: 2,
    };
    let tokens: Vec<u32> = text(40).iter().map(|byte| u32::from(*byte)).collect();
    let model = Model::new(compute, weights.clone()).unwrap();
    let mut session = model.decoder().session(tokens.len()).unwrap();
    session.feed(&tokens, None).unwrap();
    let logits = session.logits(0..tokens.len()).unwrap();
    let expected = Reference(&weights).logits(&tokens);
    let largest = expected.iter().flatten().fold(0.0, |a: f64, b| a.max(b.abs()));
    assert!(largest > 0.1, "{largest}");
    for (ours, expected) in logits.chunks_exact(256).zip(&expected) {
        for (ours, expected) in ours.iter().zip(expected) {
            let error = (f64::from(*ours) - expected).abs();
            assert!(error < 2e-5 * largest, "{ours} is not {expected}");
        }
    }
}
