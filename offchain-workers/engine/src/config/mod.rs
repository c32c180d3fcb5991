// SPDX-License-Identifier: Apache-2.0
//! The description of a model: its sizes, its settings and its tensors.
//!
//! [`ModelConfig`] is the one description that the rest of the engine computes from. It is derived from the chain's
//! [`Architecture`](agorai_primitives::model::Architecture), from the metadata of a GGUF file or from a Hugging Face
//! `config.json` (the latter two in [`files`](crate::files)).
//!
//! | module | contents |
//! |---|---|
//! | `model` | [`ModelConfig`], model families, activations, attention heads |
//! | `rope` | the rotary position embedding and its frequencies |
//! | `parts` | the tensors of a model and their shapes |
//! | `unchecked` | the bounds of every size and setting |
//! | `architecture` | the configuration of a chain model |

mod architecture;
mod model;
mod parts;
mod rope;
mod unchecked;

pub use model::{Activation, Family, Heads, ModelConfig};
pub use parts::{BlockPart, Part};
pub use rope::{Rope, RopeScaling};
pub(crate) use unchecked::{global_every, Unchecked};
pub use unchecked::{OutOfBounds, MAX_LAYERS};
