// SPDX-License-Identifier: Apache-2.0
//! The stated upper bound of memory holds. This file has one test, because it measures the process.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{
    backend::Cpu,
    decoder::Decoder,
    files::ModelFile,
    generate::{answer, check_answer, Recorders, Request, Sampler},
    memory,
    parallel::ComputeConfig,
};
use agorai_exact::Isa;
use common::models;

/// Returns the peak memory of this process in bytes, if the system reports it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(1024 * line.split_whitespace().nth(1)?.parse::<u64>().ok()?)
}

#[test]
fn serving_stays_below_the_stated_bound_and_the_bound_is_tight() {
    let compute = ComputeConfig {
        isa: Isa::detect(),
        threads: 2,
    };
    for family in models::FAMILIES {
        let file = ModelFile::from_gguf(Box::new(models::gguf(family, 1))).unwrap();
        let stated = memory::serving(&file, 60, compute.threads).unwrap();
        // More than the weights, and less than twice the weights plus the fixed part.
        assert!(stated > file.bytes() && stated < 2 * file.bytes() + (256 << 20));
        let before = peak();
        let decoder = Decoder::load(Cpu { compute }, &file, &mut || {}).unwrap();
        let request = Request {
            prompt: (0..40).collect(),
            limit: 20,
            sampler: Sampler::greedy(compute),
            stop: vec![],
        };
        let mut recorders = Recorders::default();
        let (should_continue, on_token) = (&mut || Ok(()), &mut |_| Ok(()));
        let tokens = answer(&decoder, &request, Some(&mut recorders), should_continue, on_token).unwrap();
        assert!(check_answer(&decoder, &request, &tokens, None, &mut |_| Ok(())).unwrap());
        if let (Some(before), Some(after)) = (before, peak()) {
            assert!(after - before <= stated, "{} > {stated}", after - before);
        }
    }
}
