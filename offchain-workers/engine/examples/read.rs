// SPDX-License-Identifier: Apache-2.0
//! Reads token ids with a model's file and says how fast: `read MODEL THREADS`.
use agorai_engine::{
    backend::Cpu, decoder::Decoder, files::ModelFile, generate::*, parallel::Means,
};
use agorai_exact::Isa;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("a model")?;
    let threads: usize = args.next().and_then(|t| t.parse().ok()).unwrap_or(1);
    let means = Means {
        isa: Isa::detect(),
        threads,
    };
    let started = Instant::now();
    let file = ModelFile::open(path.as_ref())?;
    let decoder = Decoder::load(Cpu { means }, &file, &mut || {})?;
    println!("loaded in {:.2} s", started.elapsed().as_secs_f64());
    let prompt: Vec<u32> = (0..128).map(|i| (i * 7919) % 30000 + 1000).collect();
    let request = Request {
        prompt: prompt.clone(),
        limit: 64,
        sampler: Sampler::greedy(means),
        stop: vec![],
    };
    means.job(|| -> agorai_engine::Result<()> {
        for _ in 0..if std::env::args().nth(3).is_some() {
            60
        } else {
            0
        } {
            let mut session = decoder.session(256)?;
            let t = Instant::now();
            session.feed(&prompt, None)?;
            session.logits(127..128)?;
            eprintln!("prefill {:.0} tok/s", 128.0 / t.elapsed().as_secs_f64());
        }
        for _ in 0..4 {
            let mut session = decoder.session(256)?;
            let t = Instant::now();
            session.feed(&prompt, None)?;
            session.logits(127..128)?;
            println!("prefill {:.0} tok/s", 128.0 / t.elapsed().as_secs_f64());
            for trace in [false, true] {
                let mut recorders = Recorders::new(means);
                let mut first = None;
                let tokens = answer(
                    &decoder,
                    &request,
                    trace.then_some(&mut recorders),
                    &mut || Ok(()),
                    &mut |_| {
                        first.get_or_insert(Instant::now());
                        Ok(())
                    },
                )?;
                let s = first.map_or(0.0, |t| t.elapsed().as_secs_f64());
                println!(
                    "decode (trace {trace}) {:.1} tok/s {:?}",
                    63.0 / s,
                    &tokens[..12]
                );
                let t = Instant::now();
                let mut recorders = Recorders::new(means);
                let ok = check_answer(
                    &decoder,
                    &request,
                    &tokens,
                    trace.then_some(&mut recorders),
                    &mut |_| Ok(()),
                )?;
                println!("check {ok} {:.3} s", t.elapsed().as_secs_f64());
            }
        }
        Ok(())
    })?;
    Ok(())
}
