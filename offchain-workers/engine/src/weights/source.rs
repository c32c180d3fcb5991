// SPDX-License-Identifier: Apache-2.0
//! The sources from which a decoder loads its weights: a model file, or flat parameters.

use super::{flat::Weights, layout::Layout};
use crate::{
    backend::MatrixRows,
    bytes::extend_le_bytes,
    config::{ModelConfig, Part},
    error::{Error, Result},
    files::ModelFile,
};
use agorai_exact::{element::ElementType, Operation};

/// The tensors of a model; their shapes follow from the configuration.
pub trait WeightSource {
    /// Returns the configuration of the model.
    fn config(&self) -> &ModelConfig;
    /// Returns the rows of a matrix.
    fn matrix(&self, part: Part) -> Result<Box<dyn MatrixRows + '_>>;
    /// Returns a tensor of one dimension: the weight of a norm, a bias, rotary divisors.
    fn vector(&self, part: Part) -> Result<Vec<f32>>;
}

impl WeightSource for ModelFile {
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

/// A matrix of a file.
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

/// The tensors of a chain model.
pub(crate) struct FlatSource<'a> {
    layout: &'a Layout,
    values: &'a [f32],
    config: ModelConfig,
}

impl<'a> FlatSource<'a> {
    pub(crate) fn new(weights: &'a Weights) -> Self {
        Self {
            layout: &weights.layout,
            values: &weights.values,
            config: ModelConfig::from(&weights.architecture),
        }
    }

    fn values(&self, part: Part) -> Result<&[f32]> {
        self.values
            .get(self.layout.range(part)?)
            .ok_or_else(|| Error::Weights(format!("{part:?} is missing")))
    }
}

impl WeightSource for FlatSource<'_> {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn matrix(&self, part: Part) -> Result<Box<dyn MatrixRows + '_>> {
        let (_, k) = part.shape(&self.config);
        let values = self.values(part)?;
        Ok(Box::new(FlatRows { values, k }))
    }

    fn vector(&self, part: Part) -> Result<Vec<f32>> {
        Ok(self.values(part)?.to_vec())
    }
}

/// A matrix of flat parameters.
struct FlatRows<'a> {
    values: &'a [f32],
    k: usize,
}

impl MatrixRows for FlatRows<'_> {
    fn shape(&self) -> (usize, usize) {
        (self.values.len() / self.k.max(1), self.k)
    }

    fn element(&self) -> ElementType {
        ElementType::F32
    }

    fn read(&mut self, first: usize, count: usize, to: &mut Vec<u8>) -> Result<()> {
        let rows = first * self.k..(first + count) * self.k;
        Operation("read").range_within("elements of the matrix", self.values.len(), &rows)?;
        to.clear();
        extend_le_bytes(to, &self.values[rows]);
        Ok(())
    }
}
