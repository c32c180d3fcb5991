// SPDX-License-Identifier: Apache-2.0
//! The CPU time of other programs. Peers whose threads spin while they wait lose many times more speed to them than the
//! engine does, so the ratios of a busy machine favour the engine.

use crate::measure::median;
use std::time::Duration;

/// The share of the machine's CPU time up to which the figures are valid.
const MAX_SHARE: f64 = 0.1;

/// Shares of the machine's CPU time that other programs used, sampled between timings.
#[derive(Default)]
pub struct SystemLoad(Vec<f64>);

impl SystemLoad {
    /// Takes a sample over half a second in which the benchmark sleeps. Without effect on systems that have no
    /// `/proc/stat`.
    pub fn sample(&mut self) {
        let before = times();
        std::thread::sleep(Duration::from_millis(500));
        if let (Some((busy, all)), Some((busy_after, all_after))) = (before, times()) {
            self.0.push((busy_after - busy) / (all_after - all).max(1.0));
        }
    }

    /// Returns the median share in percent, if it exceeds the limit.
    pub fn excess(self) -> Option<f64> {
        let share = median(self.0);
        (share > MAX_SHARE).then_some(100.0 * share)
    }
}

/// Busy time (including time stolen by the hypervisor) and total time of all processors since boot, in ticks.
fn times() -> Option<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let fields = text.lines().next()?.strip_prefix("cpu ")?;
    // user nice system idle iowait irq softirq steal; guest time is included in user.
    let times: Vec<f64> = fields
        .split_whitespace()
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    let all: f64 = times.iter().sum();
    Some((all - times.get(3)? - times.get(4)?, all))
}
