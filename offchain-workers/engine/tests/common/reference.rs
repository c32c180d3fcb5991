// SPDX-License-Identifier: Apache-2.0
//! A binary64 reference of the decoder.

use agorai_engine::{
    config::{Activation, BlockPart, ModelConfig, Part},
    files::ModelFile,
};
use std::collections::BTreeMap;

/// A decoder in binary64, written from the definitions of its operations.
pub struct Reference {
    config: ModelConfig,
    parts: BTreeMap<Part, Vec<f64>>,
}

impl Reference {
    /// Reads the tensors of a file.
    pub fn new(file: &ModelFile) -> Self {
        let mut parts = BTreeMap::new();
        for part in file.parts() {
            let mut values = Vec::new();
            let rows = file.shape(part).unwrap().0;
            file.read_f32(part, 0, rows, &mut values).unwrap();
            parts.insert(part, values.into_iter().map(f64::from).collect());
        }
        Self {
            config: file.config().clone(),
            parts,
        }
    }

    fn linear(&self, part: Part, x: &[f64]) -> Vec<f64> {
        let rows = self.parts[&part].chunks_exact(x.len());
        rows.map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
    }

    fn norm(&self, part: Part, x: &[f64]) -> Vec<f64> {
        let weight = &self.parts[&part];
        let each = |x: &[f64]| -> Vec<f64> {
            let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
            let scale = 1.0 / (square + f64::from(self.config.norm_eps)).sqrt();
            x.iter().zip(weight).map(|(x, w)| x * scale * w).collect()
        };
        x.chunks_exact(weight.len()).flat_map(each).collect()
    }

    fn rope(&self, local: bool, position: usize, x: &mut [f64]) {
        let (width, rope) = (self.config.head_dim, &self.config.rope);
        let theta = match (local, rope.local_theta) {
            (true, Some(theta)) => theta,
            _ => rope.theta,
        };
        for head in x.chunks_exact_mut(width) {
            for i in 0..width / 2 {
                let frequency = f64::from(theta).powf(-2.0 * i as f64 / width as f64);
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                let (low, high) = (head[i], head[i + width / 2]);
                head[i] = low * cos - high * sin;
                head[i + width / 2] = high * cos + low * sin;
            }
        }
    }

    fn attend(&self, query: &[f64], keys: &[Vec<f64>], values: &[Vec<f64>]) -> Vec<f64> {
        let c = &self.config;
        let group = c.heads / c.kv_heads;
        let head = |(index, query): (usize, &[f64])| {
            let part = index / group * c.head_dim..(index / group + 1) * c.head_dim;
            let weight = |key: &Vec<f64>| {
                let products = query.iter().zip(&key[part.clone()]).map(|(q, k)| q * k);
                (products.sum::<f64>() * f64::from(c.query_scale)).exp()
            };
            let weights: Vec<f64> = keys.iter().map(weight).collect();
            let sum: f64 = weights.iter().sum();
            let mut out = vec![0.0; c.head_dim];
            for (weight, value) in weights.iter().zip(values) {
                for (out, value) in out.iter_mut().zip(&value[part.clone()]) {
                    *out += weight / sum * value;
                }
            }
            out
        };
        let heads = query.chunks_exact(c.head_dim).enumerate();
        heads.flat_map(head).collect()
    }

    fn activation(&self, x: f64) -> f64 {
        match self.config.activation {
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
        }
    }

    /// Returns the logits after each token.
    pub fn logits(&self, tokens: &[u32]) -> Vec<Vec<f64>> {
        let c = &self.config;
        let embed = |token: &u32| -> Vec<f64> {
            let row = &self.parts[&Part::Embedding][*token as usize * c.dim..][..c.dim];
            let scale = f64::from(c.embedding_scale);
            row.iter().map(|value| value * scale).collect()
        };
        let mut rows: Vec<Vec<f64>> = tokens.iter().map(embed).collect();
        for layer in 0..c.layers {
            let part = |part| Part::Block(layer, part);
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            for (position, row) in rows.iter_mut().enumerate() {
                let normed = self.norm(part(BlockPart::AttentionNorm), row);
                let mut query = self.linear(part(BlockPart::Query), &normed);
                let mut key = self.linear(part(BlockPart::Key), &normed);
                let mut value = self.linear(part(BlockPart::Value), &normed);
                if c.qkv_bias {
                    add(&mut query, &self.parts[&part(BlockPart::QueryBias)]);
                    add(&mut key, &self.parts[&part(BlockPart::KeyBias)]);
                    add(&mut value, &self.parts[&part(BlockPart::ValueBias)]);
                }
                if c.qk_norm {
                    query = self.norm(part(BlockPart::QueryNorm), &query);
                    key = self.norm(part(BlockPart::KeyNorm), &key);
                }
                self.rope(c.local[layer], position, &mut query);
                self.rope(c.local[layer], position, &mut key);
                keys.push(key);
                values.push(value);
                let window = c.window.filter(|_| c.local[layer]).unwrap_or(usize::MAX);
                let first = (position + 1).saturating_sub(window);
                let attended = self.attend(&query, &keys[first..], &values[first..]);
                let mut more = self.linear(part(BlockPart::Output), &attended);
                if c.post_norms {
                    more = self.norm(part(BlockPart::PostAttentionNorm), &more);
                }
                add(row, &more);
                let normed = self.norm(part(BlockPart::FfNorm), row);
                let gate = self.linear(part(BlockPart::Gate), &normed);
                let up = self.linear(part(BlockPart::Up), &normed);
                let pairs = gate.iter().zip(up);
                let gated: Vec<f64> = pairs.map(|(g, u)| self.activation(*g) * u).collect();
                let mut more = self.linear(part(BlockPart::Down), &gated);
                if c.post_norms {
                    more = self.norm(part(BlockPart::PostFfNorm), &more);
                }
                add(row, &more);
            }
        }
        let head = match c.tied_head {
            true => Part::Embedding,
            false => Part::Head,
        };
        let logits = |row: &Vec<f64>| self.linear(head, &self.norm(Part::Norm, row));
        rows.iter().map(logits).collect()
    }
}

fn add(row: &mut [f64], more: &[f64]) {
    row.iter_mut().zip(more).for_each(|(x, more)| *x += more);
}
