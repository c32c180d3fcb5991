// SPDX-License-Identifier: Apache-2.0
//! A decoder out of a model's parts.

use super::{
    block::{Block, Matrices},
    rope::{frequencies, local_frequencies},
    Decoder,
};
use crate::{
    backend::{Backend, MatrixRows},
    files::{BlockPart, ElementType, ModelConfig, ModelFile, Part},
    Result,
};
use std::sync::Arc;

/// The weights of a model, part by part; what a part's shape is follows from the configuration.
pub trait Parts {
    /// What the model is.
    fn config(&self) -> &ModelConfig;
    /// A matrix.
    fn matrix(&self, part: Part) -> Result<Box<dyn MatrixRows + '_>>;
    /// The weight of a norm, or a bias.
    fn vector(&self, part: Part) -> Result<Vec<f32>>;
}

impl<B: Backend> Decoder<B> {
    /// Takes a model's weights in, part by part. `each` is told of every block that is in.
    pub fn load(backend: B, parts: &dyn Parts, each: &mut dyn FnMut()) -> Result<Self> {
        let config = Arc::new(parts.config().clone());
        let matrix = |part| backend.matrix(&mut *parts.matrix(part)?);
        let vector = |part| backend.upload(parts.vector(part)?);
        let mut blocks = Vec::with_capacity(config.layers);
        for layer in 0..config.layers {
            let matrix = |part| matrix(Part::Block(layer, part));
            let vector = |part| vector(Part::Block(layer, part));
            let when = |there: bool, part| there.then(|| vector(part)).transpose();
            let bias = match config.qkv_bias {
                true => Some([
                    vector(BlockPart::QueryBias)?,
                    vector(BlockPart::KeyBias)?,
                    vector(BlockPart::ValueBias)?,
                ]),
                false => None,
            };
            let head_norms = match config.qk_norm {
                true => Some([vector(BlockPart::QueryNorm)?, vector(BlockPart::KeyNorm)?]),
                false => None,
            };
            blocks.push(Block {
                local: config.local[layer],
                attention_norm: vector(BlockPart::AttentionNorm)?,
                matrices: Matrices {
                    query: matrix(BlockPart::Query)?,
                    key: matrix(BlockPart::Key)?,
                    value: matrix(BlockPart::Value)?,
                    output: matrix(BlockPart::Output)?,
                    gate: matrix(BlockPart::Gate)?,
                    up: matrix(BlockPart::Up)?,
                    down: matrix(BlockPart::Down)?,
                },
                bias,
                head_norms,
                post_attention_norm: when(config.post_norms, BlockPart::PostAttentionNorm)?,
                ff_norm: vector(BlockPart::FfNorm)?,
                post_ff_norm: when(config.post_norms, BlockPart::PostFfNorm)?,
            });
            each();
        }
        Ok(Self {
            embedding: matrix(Part::Embedding)?,
            norm: vector(Part::Norm)?,
            head: (!config.tied_head).then(|| matrix(Part::Head)).transpose()?,
            frequencies: frequencies(&config, parts)?,
            local_frequencies: local_frequencies(&config)?,
            blocks,
            config,
            backend,
        })
    }
}

impl Parts for ModelFile {
    fn config(&self) -> &ModelConfig {
        self.config()
    }

    fn matrix(&self, part: Part) -> Result<Box<dyn MatrixRows + '_>> {
        Ok(Box::new(FileRows {
            file: self,
            part,
            shape: self.shape(part)?,
            element: self.element(part)?,
        }))
    }

    fn vector(&self, part: Part) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        self.read_f32(part, 0, 1, &mut values)?;
        Ok(values)
    }
}

/// One matrix of a file.
struct FileRows<'a> {
    file: &'a ModelFile,
    part: Part,
    shape: (usize, usize),
    element: ElementType,
}

impl MatrixRows for FileRows<'_> {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn element(&self) -> ElementType {
        self.element
    }

    fn read(&mut self, first: usize, count: usize, to: &mut Vec<u8>) -> Result<()> {
        Ok(self.file.read_rows(self.part, first, count, to)?)
    }
}
