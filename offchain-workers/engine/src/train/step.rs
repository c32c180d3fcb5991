// SPDX-License-Identifier: Apache-2.0
//! One inner step: forward, backward, clipping, AdamW.

use super::state::State;
use crate::{
    backend::{AdamWState, Cpu, TrainingBackend},
    config::ModelConfig,
    data::Example,
    error::{Error, Result},
    loss::Total,
    model::{gradient, Checkpointing, Parameters, Tape, View},
    parallel::ComputeConfig,
    weights::{Layout, Slot},
};
use agorai_exact::adamw::AdamW;
use agorai_primitives::model::Architecture;
use std::ops::Range;

/// Decay rate of AdamW's first moments.
const BETA1: f32 = 0.9;
/// Decay rate of AdamW's second moments.
const BETA2: f32 = 0.95;
/// Epsilon of AdamW, added to the root of the second moments.
const EPS: f32 = 1e-8;
/// Decoupled weight decay of matrices; norms do not decay.
const WEIGHT_DECAY: f32 = 0.1;
/// Maximum norm of the gradient; a larger one is scaled down.
const CLIP: f32 = 1.0;

/// Performs the inner steps of a round on a training state.
pub struct Trainer<'a, B: TrainingBackend = Cpu> {
    backend: B,
    layout: &'a Layout,
    config: ModelConfig,
    angles: B::Angles,
    parameters: Parameters<B>,
    checkpointing: Checkpointing,
    tapes: Vec<Tape<B>>,
    gradient: B::Rows,
    /// The state between steps.
    pub state: State<B::Rows>,
}

impl<'a> Trainer<'a> {
    /// Returns a trainer on the CPU. `architecture` must be valid, `layout` be its layout.
    ///
    /// Errors: a state of another architecture.
    pub fn new(compute: ComputeConfig, architecture: &Architecture, layout: &'a Layout, state: State) -> Result<Self> {
        Self::on_backend(Cpu { compute }, architecture, layout, state)
    }
}

impl<'a, B: TrainingBackend> Trainer<'a, B> {
    /// As [`Trainer::new`], on any backend.
    pub fn on_backend(backend: B, architecture: &Architecture, layout: &'a Layout, state: State) -> Result<Self> {
        let parts = [&state.values, &state.first, &state.second];
        if parts.iter().any(|part| part.len() != layout.len()) {
            return Err(Error::Spec("the state is one of another architecture"));
        }
        let config = ModelConfig::from(architecture);
        let frequencies = config.rope.frequencies(config.head_dim, &[])?;
        let mut gradient = B::Rows::default();
        backend.resize(&mut gradient, layout.len())?;
        Ok(Self {
            layout,
            angles: backend.angles(&frequencies, config.context)?,
            config,
            parameters: Parameters::default(),
            checkpointing: Checkpointing::Off,
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

    /// Sets which activations are retained for the backward pass.
    pub fn with_checkpointing(self, checkpointing: Checkpointing) -> Self {
        Self { checkpointing, ..self }
    }

    /// Computes the gradient of the mean loss over all tokens of the examples, which must be of equal length. Returns
    /// the losses.
    pub fn gradient(&mut self, examples: &[Example]) -> Result<Total> {
        let tokens: usize = examples.iter().map(|example| example.tokens.len()).sum();
        if tokens == 0 {
            return Err(Error::Spec("a training step has no tokens"));
        }
        let (backend, layout) = (&self.backend, self.layout);
        self.parameters
            .pack(backend, &self.config, layout, &self.state.values)?;
        let view = View {
            config: &self.config,
            layout,
            parameters: &self.parameters,
            angles: &self.angles,
        };
        let checkpointing = self.checkpointing;
        self.tapes.resize_with(examples.len(), || Tape::new(checkpointing));
        let scale = 1.0 / tokens as f32;
        gradient(backend, &view, &mut self.tapes, examples, scale, &mut self.gradient)?;
        let mut total = Total::default();
        for tape in &self.tapes {
            total.add(&backend.values(tape.losses())?);
        }
        Ok(total)
    }

    /// Returns the last gradient, in the layout's order.
    pub fn last_gradient(&self) -> &B::Rows {
        &self.gradient
    }

    /// Performs one AdamW step on some examples. Returns their losses before it.
    pub fn step(&mut self, examples: &[Example], rate: f32) -> Result<Total> {
        let total = self.gradient(examples)?;
        let slots = &self.layout.slots;
        let ranges: Vec<Range<usize>> = slots.iter().map(|slot| slot.range.clone()).collect();
        let scale = self.backend.clip(&ranges, &self.gradient, CLIP)?;
        let optimiser = |slot: &Slot| AdamW {
            learning_rate: rate,
            beta1: BETA1,
            beta2: BETA2,
            eps: EPS,
            weight_decay: if slot.is_matrix() { WEIGHT_DECAY } else { 0.0 },
        };
        let tensors: Vec<_> = ranges.into_iter().zip(slots.iter().map(optimiser)).collect();
        self.state.step += 1;
        let state = AdamWState {
            values: &mut self.state.values,
            first: &mut self.state.first,
            second: &mut self.state.second,
            step: self.state.step,
        };
        self.backend.adamw(&tensors, scale, &self.gradient, state)?;
        Ok(total)
    }
}
