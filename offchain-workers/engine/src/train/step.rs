// SPDX-License-Identifier: Apache-2.0
//! One inner step: forward, backward, clipping, AdamW.

use super::State;
use crate::{
    data::Example,
    loss::Total,
    model::{gradient, rope, Direction, Keep, Matrices, Shape, Tape, View},
    parallel::Means,
    weights::{Layout, Slot},
    Error, Result,
};
use agorai_exact::{adamw, adamw::AdamW, reduce, rope::RopeTable};
use agorai_primitives::model::Architecture;

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
/// Parameters that one task updates.
const TOGETHER: usize = 1 << 16;

/// Makes inner steps on a state.
pub struct Trainer<'a> {
    means: Means,
    layout: &'a Layout,
    shape: Shape,
    rope: RopeTable,
    forward: Matrices,
    backward: Matrices,
    keep: Keep,
    tapes: Vec<Tape>,
    gradient: Vec<f32>,
    /// The state between steps.
    pub state: State,
}

impl<'a> Trainer<'a> {
    /// Of a valid architecture and its layout, from a state.
    pub fn new(
        means: Means,
        architecture: &Architecture,
        layout: &'a Layout,
        state: State,
    ) -> Result<Self> {
        let parts = [&state.values, &state.first, &state.second];
        if parts.iter().any(|part| part.len() != layout.len()) {
            return Err(Error::Spec("a state of another architecture"));
        }
        Ok(Self {
            means,
            layout,
            shape: Shape::new(architecture),
            rope: rope(architecture)?,
            forward: Matrices::default(),
            backward: Matrices::default(),
            keep: Keep::All,
            tapes: Vec::new(),
            gradient: vec![0.0; layout.len()],
            state,
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
        let Self {
            means,
            layout,
            shape,
            state,
            ..
        } = self;
        let (means, shape) = (*means, *shape);
        for (matrices, direction) in [
            (&mut self.forward, Direction::Forward),
            (&mut self.backward, Direction::Backward),
        ] {
            matrices.pack(means, &shape, layout, &state.values, direction)?;
        }
        let view = View {
            shape,
            values: &state.values,
            layout,
            matrices: &self.forward,
            rope: &self.rope,
        };
        let backward = &self.backward;
        let scale = 1.0 / tokens as f32;
        let keep = self.keep;
        self.tapes.resize_with(examples.len(), || Tape::new(keep));
        gradient(
            means,
            view,
            backward,
            &mut self.tapes,
            examples,
            scale,
            &mut self.gradient,
        )?;
        let mut total = Total::default();
        for tape in &self.tapes {
            total.add(tape.losses());
        }
        Ok(total)
    }

    /// The last gradient, in the layout's order.
    pub fn last_gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// One step of AdamW with a learning rate on some examples; returns their losses before it.
    pub fn step(&mut self, examples: &[Example], rate: f32) -> Result<Total> {
        let total = self.gradient(examples)?;
        let isa = self.means.isa;
        let slots = &self.layout.slots;
        let mut squares = vec![0.0; slots.len()];
        let gradient = &self.gradient;
        self.means
            .run(squares.iter_mut().zip(slots).map(|(square, slot)| {
                move || {
                    *square = reduce::sum_sq16(isa, &gradient[slot.range.clone()])?;
                    Ok(())
                }
            }))?;
        let scale = adamw::clip_scale(adamw::norm_of_squares(isa, &squares)?, CLIP)?;
        self.state.step += 1;
        let step = self.state.step;
        let tasks = pieces(slots, &mut self.state, gradient);
        self.means.run(tasks.into_iter().map(|piece| {
            move || {
                let optimiser = AdamW {
                    learning_rate: rate,
                    beta1: BETA1,
                    beta2: BETA2,
                    eps: EPS,
                    weight_decay: if piece.decays { WEIGHT_DECAY } else { 0.0 },
                };
                Ok(optimiser.step(
                    isa,
                    step,
                    scale,
                    piece.values,
                    piece.gradient,
                    piece.first,
                    piece.second,
                )?)
            }
        }))?;
        Ok(total)
    }
}

/// Some neighbouring parameters of one tensor.
struct Piece<'a> {
    decays: bool,
    values: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    gradient: &'a [f32],
}

fn pieces<'a>(slots: &[Slot], state: &'a mut State, gradient: &'a [f32]) -> Vec<Piece<'a>> {
    let (mut values, mut first, mut second) = (
        &mut state.values[..],
        &mut state.first[..],
        &mut state.second[..],
    );
    let mut gradient = gradient;
    let mut all = Vec::new();
    for slot in slots {
        let mut left = slot.range.len();
        while left > 0 {
            let count = left.min(TOGETHER);
            left -= count;
            let here;
            (here, gradient) = gradient.split_at(count);
            all.push(Piece {
                decays: slot.is_matrix(),
                values: take(&mut values, count),
                first: take(&mut first, count),
                second: take(&mut second, count),
                gradient: here,
            });
        }
    }
    all
}

fn take<'a>(rest: &mut &'a mut [f32], count: usize) -> &'a mut [f32] {
    let (here, after) = std::mem::take(rest).split_at_mut(count);
    *rest = after;
    here
}
