// SPDX-License-Identifier: Apache-2.0
//! The rows of the benchmark with their bounds, and their output as JSON and as a table.

use crate::measure::Result;
use std::path::Path;

/// The bound on a ratio.
#[derive(Clone, Copy)]
pub enum Bound {
    /// A lower bound, for rates.
    AtLeast(f64),
    /// An upper bound, for times and memory.
    AtMost(f64),
}

/// A comparison: its name, the unit of both figures, the bound on their ratio.
#[derive(Clone, Copy)]
pub struct Kind {
    name: &'static str,
    unit: &'static str,
    bound: Bound,
}

const fn kind(name: &'static str, unit: &'static str, bound: Bound) -> Kind {
    Kind { name, unit, bound }
}

/// The binary32 matrix product.
pub const GEMM: Kind = kind("gemm_f32_vs_gemm_crate", "GFLOP/s", Bound::AtLeast(1.0));
/// The training step.
pub const TRAIN: Kind = kind("train_vs_pytorch", "tok/s", Bound::AtLeast(1.0));
/// Generation and checking with a published model, in the order in which they are measured.
pub const MODEL: [Kind; 8] = [
    kind("prefill_vs_llamacpp", "tok/s", Bound::AtLeast(1.0)),
    kind("decode_vs_llamacpp", "tok/s", Bound::AtLeast(1.0)),
    kind("prefill_vs_candle", "tok/s", Bound::AtLeast(10.0)),
    kind("decode_vs_candle", "tok/s", Bound::AtLeast(2.5)),
    kind("check_vs_generate_time", "s", Bound::AtMost(0.125)),
    kind("trace_overhead", "s", Bound::AtMost(0.05)),
    kind("threads2_vs_1_prefill", "tok/s", Bound::AtLeast(1.8)),
    kind("peak_memory_vs_model_bytes", "bytes", Bound::AtMost(1.5)),
];

/// Our figure and the peer's in the same unit; the ratio is ours / the peer's.
pub struct Row {
    kind: Kind,
    value: Option<f64>,
    /// The peer's figure, or the reason why it is missing.
    peer: std::result::Result<f64, String>,
}

impl Row {
    /// Creates a row. `value` is `None` if our side could not be measured.
    pub fn new(kind: Kind, value: Option<f64>, peer: std::result::Result<f64, String>) -> Self {
        Self { kind, value, peer }
    }

    /// Returns ours / the peer's, if both were measured.
    pub fn ratio(&self) -> Option<f64> {
        Some(self.value? / self.peer.as_ref().ok()?)
    }

    /// Whether the ratio meets the bound; `None` without a ratio.
    pub fn met(&self) -> Option<bool> {
        let ratio = self.ratio()?;
        Some(match self.kind.bound {
            Bound::AtLeast(bound) => ratio >= bound,
            Bound::AtMost(bound) => ratio <= bound,
        })
    }

    /// Returns both figures and the ratio as text.
    pub fn figures(&self) -> String {
        let ours = self.value.map_or("-".into(), figure);
        match (&self.peer, self.ratio()) {
            (Ok(peer), Some(ratio)) => {
                format!("{ours} against {} {}, ratio {ratio:.3}", figure(*peer), self.kind.unit)
            }
            (Err(reason), _) => format!("{ours} {}, skipped: {reason}", self.kind.unit),
            (Ok(_), None) => format!("not measured, in {}", self.kind.unit),
        }
    }

    fn json(&self) -> serde_json::Value {
        let mut row = serde_json::json!({
            "name": self.kind.name,
            "value": self.value,
            "unit": self.kind.unit,
            "peer": self.peer.as_ref().ok(),
            "ratio": self.ratio(),
        });
        if let Err(reason) = &self.peer {
            row["skipped"] = reason.as_str().into();
        }
        row
    }
}

/// Formats a figure with about four significant digits.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}

/// Writes the rows as a JSON list, one row per line; creates the folder.
pub fn write(path: &Path, rows: &[Row]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let lines: Vec<_> = rows.iter().map(|row| format!("  {}", row.json())).collect();
    std::fs::write(path, format!("[\n{}\n]\n", lines.join(",\n")))?;
    eprintln!("written: {}", path.display());
    Ok(())
}

/// Prints the rows as a table, with the verdict on each bound.
pub fn print(rows: &[Row]) {
    println!(
        "{:<28}{:>12}{:>12}  {:<9}{:>8}  {:<9}",
        "", "ours", "peer", "unit", "ratio", "bound"
    );
    for row in rows {
        let text = |value: Option<f64>| value.map_or("-".into(), figure);
        let ratio = row.ratio().map_or("-".into(), |ratio| format!("{ratio:.3}"));
        let bound = match row.kind.bound {
            Bound::AtLeast(bound) => format!(">= {bound}"),
            Bound::AtMost(bound) => format!("<= {bound}"),
        };
        let verdict = match (row.met(), &row.peer) {
            (Some(true), _) => "met",
            (Some(false), _) => "MISSED",
            (None, Err(reason)) => &format!("skipped: {reason}"),
            (None, Ok(_)) => "not measured",
        };
        println!(
            "{:<28}{:>12}{:>12}  {:<9}{:>8}  {:<9}{verdict}",
            row.kind.name,
            text(row.value),
            text(row.peer.as_ref().ok().copied()),
            row.kind.unit,
            ratio,
            bound
        );
    }
}
