// SPDX-License-Identifier: Apache-2.0
//! What other programs take of the machine. A peer whose threads wait by spinning loses many times more
//! speed to them than we do, so ratios of a busy machine flatter us and prove nothing.

use crate::report::median;
use std::time::Duration;

/// The share that others may take.
const MOST: f64 = 0.1;

/// Shares of all processors that others took, sampled between timings.
#[derive(Default)]
pub struct Others(Vec<f64>);

impl Others {
    /// Watches for half a second in which the benchmark itself does nothing. Without effect where the
    /// system does not tell.
    pub fn watch(&mut self) {
        let before = times();
        std::thread::sleep(Duration::from_millis(500));
        if let (Some((busy, all)), Some((busy_after, all_after))) = (before, times()) {
            self.0.push((busy_after - busy) / (all_after - all).max(1.0));
        }
    }

    /// The share that others took, in percent, where it is more than they may.
    pub fn too_much(self) -> Option<f64> {
        let share = median(self.0);
        (share > MOST).then_some(100.0 * share)
    }
}

/// Time in which the processors worked, for others' machines too, and all time, since the start.
fn times() -> Option<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let fields = text.lines().next()?.strip_prefix("cpu ")?;
    // user nice system idle iowait irq softirq steal; guests are in user already.
    let times: Vec<f64> = fields
        .split_whitespace()
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    let all: f64 = times.iter().sum();
    Some((all - times.get(3)? - times.get(4)?, all))
}
