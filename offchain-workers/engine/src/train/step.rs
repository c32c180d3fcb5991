// SPDX-License-Identifier: Apache-2.0
//! One inner step: forward, backward, clipping, AdamW.

use super::State;
use crate::{
    backend::{Cpu, TrainingBackend},
    data::Example,
    loss::Total,
    model::{angles, gradient, Keep, Parameters, Shape, Tape, View},
    parallel::Means,
    weights::{Layout, Slot},
    Error, Result,
};
use agorai_exact::adamw::AdamW;
use agorai_primitives::model::Architecture;
use std::ops::Range;

/// Decay of AdamW's first moments.
const BETA1: f32 = 0.9;
/// Decay of AdamW's second moments.
const BETA2: f32 = 0.95;
/// Added to the root of AdamW's second moments.
const EPS: f32 = 1e-8;
/// Decoupled decay of matrices; norms do not decay.
const WEIGHT_DECAY: f32 = 0.1;
/// The gradient's norm is clipped to this.
const CLIP: f32 = 1.0;

/// Makes inner steps on a state.
pub struct Trainer<'a, B: TrainingBackend = Cpu> {
    backend: B,
    layout: &'a Layout,
    shape: Shape,
    angles: B::Angles,
    parameters: Parameters<B>,
    keep: Keep,
    tapes: Vec<Tape<B>>,
    gradient: B::Rows,
    /// The state between steps.
    pub state: State<B::Rows>,
}

impl<'a> Trainer<'a> {
    /// On the processor: of a valid architecture and its layout, from a state.
    pub fn new(means: Means, architecture: &Architecture, layout: &'a Layout, state: State) -> Result<Self> {
        Self::on(Cpu { means }, architecture, layout, state)
    }
}

impl<'a, B: TrainingBackend> Trainer<'a, B> {
    /// As [`Trainer::new`], on any backend.
    pub fn on(backend: B, architecture: &Architecture, layout: &'a Layout, state: State) -> Result<Self> {
        let parts = [&state.values, &state.first, &state.second];
        if parts.iter().any(|part| part.len() != layout.len()) {
            return Err(Error::Spec("a state of another architecture"));
        }
        let mut gradient = B::Rows::default();
        backend.resize(&mut gradient, layout.len())?;
        Ok(Self {
            layout,
            shape: Shape::new(architecture),
            angles: angles(&backend, architecture)?,
            parameters: Parameters::default(),
            keep: Keep::All,
            tapes: Vec::new(),
            gradient,
            state: State {
                values: backend.upload(state.values)?,
                first: backend.upload(state.first)?,
                second: backend.upload(state.second)?,
                step: state.step,
            },
            backend,
        })
    }

    /// The same trainer, keeping only so much on the way through the model.
    pub fn keeping(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }

    /// The gradient of the mean loss over all tokens of the examples, which must be of equal length; returns
    /// the losses.
    pub fn gradient(&mut self, examples: &[Example]) -> Result<Total> {
        let tokens: usize = examples.iter().map(|example| example.tokens.len()).sum();
        if tokens == 0 {
            return Err(Error::Spec("a step without tokens"));
        }
        let (backend, layout) = (&self.backend, self.layout);
        self.parameters.pack(backend, &self.shape, layout, &self.state.values)?;
        let view = View {
            shape: self.shape,
            layout,
            parameters: &self.parameters,
            angles: &self.angles,
        };
        let keep = self.keep;
        self.tapes.resize_with(examples.len(), || Tape::new(keep));
        let scale = 1.0 / tokens as f32;
        gradient(backend, &view, &mut self.tapes, examples, scale, &mut self.gradient)?;
        let mut total = Total::default();
        for tape in &self.tapes {
            total.add(&backend.values(tape.losses())?);
        }
        Ok(total)
    }

    /// The last gradient, in the layout's order.
    pub fn last_gradient(&self) -> &B::Rows {
        &self.gradient
    }

    /// One step of AdamW with a learning rate on some examples; returns their losses before it.
    pub fn step(&mut self, examples: &[Example], rate: f32) -> Result<Total> {
        let total = self.gradient(examples)?;
        let slots = &self.layout.slots;
        let places: Vec<Range<usize>> = slots.iter().map(|slot| slot.range.clone()).collect();
        let scale = self.backend.clip(&places, &self.gradient, CLIP)?;
        let optimiser = |slot: &Slot| AdamW {
            learning_rate: rate,
            beta1: BETA1,
            beta2: BETA2,
            eps: EPS,
            weight_decay: if slot.is_matrix() { WEIGHT_DECAY } else { 0.0 },
        };
        let tensors: Vec<_> = places.into_iter().zip(slots.iter().map(optimiser)).collect();
        self.state.step += 1;
        self.backend.adamw(&tensors, scale, &self.gradient, &mut self.state)?;
        Ok(total)
    }
}
