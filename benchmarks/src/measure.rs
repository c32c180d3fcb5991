// SPDX-License-Identifier: Apache-2.0
//! What every measurement uses: the result type, the number of threads, the median.

use std::error::Error;

/// The result of a measurement; an error ends the benchmark.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Threads of both sides: the bounds hold for this number.
pub const THREADS: usize = 2;

/// Returns the median of the samples: of an even number, the mean of the middle two; of none, NaN.
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    match samples.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => samples[middle],
        _ => (samples[middle - 1] + samples[middle]) / 2.0,
    }
}
