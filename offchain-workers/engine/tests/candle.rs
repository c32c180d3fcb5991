// SPDX-License-Identifier: Apache-2.0
//! Checkpoints written by candle, and the gradients against candle's automatic differentiation.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{
    data::Example,
    parallel::ComputeConfig,
    train::{State, Trainer},
    Weights,
};
use agorai_exact::Isa;
use candle_core::{DType, Device, Result, Tensor, Var, D};
use common::*;
use std::collections::HashMap;

/// Converts weights to candle's tensors by name.
fn to_tensors(weights: &Weights) -> HashMap<String, Tensor> {
    let tensor = |name: &str| {
        let (shape, values) = weights.tensor(name).unwrap();
        Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
    };
    let slots = weights.layout.slots.iter();
    slots.map(|slot| (slot.name.clone(), tensor(&slot.name))).collect()
}

/// Imports a checkpoint that candle writes; `name` must be unique.
fn import(name: &str, tensors: &HashMap<String, Tensor>) -> agorai_engine::Result<Weights> {
    let path = std::env::temp_dir().join(format!("agorai-candle-{}-{name}", std::process::id()));
    candle_core::safetensors::save(tensors, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    Weights::import(&TINY, &bytes)
}

#[test]
fn weights_survive_a_checkpoint_of_candle() {
    let weights = Weights::init(&TINY, 3).unwrap();
    let mut tensors = to_tensors(&weights);
    assert_eq!(import("same", &tensors).unwrap(), weights);
    // Tensors with other names are ignored, whatever their type.
    let other = Tensor::zeros(3, DType::U32, &Device::Cpu).unwrap();
    tensors.insert("position_ids".into(), other);
    assert_eq!(import("other", &tensors).unwrap(), weights);
}

#[test]
fn checkpoint_in_bfloat16_with_a_tied_head_is_imported_exactly() {
    let weights = Weights::init(&TINY, 3).unwrap();
    let mut tensors = to_tensors(&weights);
    for tensor in tensors.values_mut() {
        *tensor = tensor.to_dtype(DType::BF16).unwrap();
    }
    tensors.remove("lm_head.weight");
    let imported = import("bfloat16", &tensors).unwrap();
    let (_, embedding) = imported.tensor("model.embed_tokens.weight").unwrap();
    let (_, head) = imported.tensor("lm_head.weight").unwrap();
    assert_eq!(embedding, head);
    let rounded = |value: f32| f32::from_bits(value.to_bits() & 0xffff_0000);
    assert!(embedding.iter().all(|value| rounded(*value) == *value));
}

#[test]
fn checkpoint_is_refused_when_it_is_of_another_model() {
    let weights = Weights::init(&TINY, 3).unwrap();
    assert_eq!(Weights::import(&TINY, &weights.to_safetensors()).unwrap(), weights);
    assert!(Weights::import(&TINY, b"junk").is_err());
    let mut tensors = to_tensors(&weights);
    tensors.remove("model.norm.weight");
    assert!(import("missing", &tensors).is_err());
    let wrong = Tensor::zeros(24, DType::U32, &Device::Cpu).unwrap();
    tensors.insert("model.norm.weight".into(), wrong);
    assert!(import("wrong", &tensors).is_err());
}

/// A Llama in candle's differentiable operations.
struct Autograd(HashMap<String, Var>);

impl Autograd {
    fn tensor(&self, name: &str) -> &Tensor {
        &self.0[&format!("{name}.weight")]
    }

    fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.tensor(name).t()?)
    }

    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let square = x.sqr()?.mean_keepdim(D::Minus1)?;
        x.broadcast_div(&(square + 1e-5)?.sqrt()?)?
            .broadcast_mul(self.tensor(name))
    }

    /// Converts `[rows, heads * width]` to `[heads, rows, width]`, rotated if `turn`.
    fn heads(&self, x: &Tensor, width: usize, turn: bool) -> Result<Tensor> {
        let (rows, all) = x.dims2()?;
        let x = x.reshape((rows, all / width, width))?.transpose(0, 1)?;
        if !turn {
            return x.contiguous();
        }
        let half = width / 2;
        let angle = |row: usize, i: usize| {
            let theta = f64::from(TINY.rope_theta);
            row as f64 * theta.powf(-2.0 * i as f64 / width as f64)
        };
        let table = |function: fn(f64) -> f64| {
            let values: Vec<f32> = (0..rows)
                .flat_map(|row| (0..half).map(move |i| function(angle(row, i)) as f32))
                .collect();
            Tensor::from_vec(values, (1, rows, half), &Device::Cpu)
        };
        let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
        let (low, high) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
        let first = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
        let second = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
        Tensor::cat(&[first, second], 2)
    }

    fn softmax(x: &Tensor) -> Result<Tensor> {
        let e = x.exp()?;
        e.broadcast_div(&e.sum_keepdim(D::Minus1)?)
    }

    fn loss(&self, example: &Example) -> Result<Tensor> {
        let rows = example.tokens.len();
        let width = TINY.head_dim() as usize;
        let group = (TINY.heads / TINY.kv_heads) as usize;
        let tokens = Tensor::new(&example.tokens[..], &Device::Cpu)?;
        let mut x = self.tensor("model.embed_tokens").index_select(&tokens, 0)?;
        let mask: Vec<f32> = (0..rows * rows)
            .map(|at| if at % rows > at / rows { -1e4 } else { 0.0 })
            .collect();
        let mask = Tensor::from_vec(mask, (1, rows, rows), &Device::Cpu)?;
        for layer in 0..TINY.layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}");
            let normed = self.norm(&name("input_layernorm"), &x)?;
            let part =
                |part: &str, turn| self.heads(&self.linear(&name(&format!("self_attn.{part}")), &normed)?, width, turn);
            let (query, key, value) = (part("q_proj", true)?, part("k_proj", true)?, part("v_proj", false)?);
            let shared: Vec<u32> = (0..TINY.heads).map(|head| head / group as u32).collect();
            let shared = Tensor::new(&shared[..], &Device::Cpu)?;
            let (key, value) = (key.index_select(&shared, 0)?, value.index_select(&shared, 0)?);
            let scores = (query.matmul(&key.t()?)? / (width as f64).sqrt())?;
            let attended = Self::softmax(&scores.broadcast_add(&mask)?)?.matmul(&value)?;
            let attended = attended.transpose(0, 1)?.reshape((rows, TINY.dim as usize))?;
            x = (x + self.linear(&name("self_attn.o_proj"), &attended)?)?;
            let normed = self.norm(&name("post_attention_layernorm"), &x)?;
            let gate = self.linear(&name("mlp.gate_proj"), &normed)?;
            let gated = (gate.silu()? * self.linear(&name("mlp.up_proj"), &normed)?)?;
            x = (x + self.linear(&name("mlp.down_proj"), &gated)?)?;
        }
        let logits = self.linear("lm_head", &self.norm("model.norm", &x)?)?;
        let log = Self::softmax(&logits)?.log()?;
        let targets = Tensor::new(&example.targets[..], &Device::Cpu)?.unsqueeze(1)?;
        log.gather(&targets, 1)?.mean_all()?.neg()
    }
}

#[test]
fn gradient_of_every_tensor_agrees_with_candle() {
    let mut weights = Weights::init(&TINY, 5).unwrap();
    weights.values.iter_mut().for_each(|value| *value *= 5.0);
    let tokens: Vec<u32> = text(20).iter().map(|byte| u32::from(*byte)).collect();
    let example = Example {
        tokens: tokens[..19].to_vec(),
        targets: tokens[1..20].to_vec(),
    };
    let compute = ComputeConfig {
        isa: Isa::detect(),
        threads: 1,
    };
    let state = State::start(weights.values.clone());
    let mut trainer = Trainer::new(compute, &TINY, &weights.layout, state).unwrap();
    trainer.gradient(std::slice::from_ref(&example)).unwrap();
    let variables = to_tensors(&weights)
        .into_iter()
        .map(|(name, tensor)| (name, Var::from_tensor(&tensor).unwrap()));
    let candle = Autograd(variables.collect());
    let gradients = candle.loss(&example).unwrap().backward().unwrap();
    for slot in &weights.layout.slots {
        let ours = &trainer.last_gradient()[slot.range.clone()];
        let theirs = gradients.get(&candle.0[&slot.name]).unwrap();
        let theirs: Vec<f32> = theirs.flatten_all().unwrap().to_vec1().unwrap();
        let largest = theirs.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        assert!(largest > 1e-4, "{}: {largest}", slot.name);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let error = (ours - theirs).abs();
            assert!(error < 1e-3 * largest, "{}: {ours} is not {theirs}", slot.name);
        }
    }
}
