// SPDX-License-Identifier: Apache-2.0
//! The scalar reference, which follows the definition literally.

use super::{Accumulate, Product, Products, PANEL};
use crate::fma::fma;
use crate::simd::Scalar;

impl Products for Scalar {
    unsafe fn product(p: &Product<'_>, out: &mut [f32], stride: usize) {
        for i in 0..p.m {
            let row = &mut out[i * stride..][..p.n];
            for (j, to) in row.iter_mut().enumerate() {
                let column = (j / PANEL) * p.right.panel + j % PANEL;
                let mut acc = match p.accumulate {
                    Accumulate::Overwrite => 0.0,
                    Accumulate::Add => *to,
                };
                for k in 0..p.k {
                    let a = p.left.data[i * p.left.row + k * p.left.step];
                    let b = p.right.data[column + k * p.right.row];
                    acc = fma(a, b, acc);
                }
                *to = acc;
            }
        }
    }
}
