// SPDX-License-Identifier: Apache-2.0
//! Decoders of every family: accuracy against a binary64 reference, identical bits with any threads, instruction sets
//! and batches, and answers that are checked and opened.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{
    backend::Cpu,
    config::Part,
    decoder::{Decoder, Operation, MAX_BATCH_TOKENS},
    files::{BlockFormat, ElementType, ModelFile},
    generate::{answer, check_answer, open, Leaf, Recorders, Request, Sampler},
    model::Model,
    parallel::ComputeConfig,
    trace::Recorder,
    Error, Weights,
};
use agorai_exact::{quant::quantise_q8_0, sampling::CHUNK, softmax::softmax, Isa};
use agorai_primitives::{job::Sampling, model::Architecture, receipt::Trace};
use common::{
    models::{self, FAMILIES},
    reference::Reference,
};

const DETECTED: fn(usize) -> ComputeConfig = |threads| ComputeConfig {
    isa: Isa::detect(),
    threads,
};

/// Stores matrices in the given element type, vectors in binary32.
fn stored(element: ElementType) -> impl FnMut(Part, &[f32]) -> (ElementType, Vec<u8>) {
    move |part, values| match element {
        _ if part.is_vector() => models::f32s(part, values),
        ElementType::Block(BlockFormat::Q8_0) => (element, quantise_q8_0(values).unwrap()),
        ElementType::Bf16 => {
            let halves = values.iter().map(|value| (value.to_bits() >> 16) as u16);
            (element, halves.flat_map(u16::to_le_bytes).collect())
        }
        _ => models::f32s(part, values),
    }
}

fn file(family: &str, element: ElementType) -> ModelFile {
    let writer = models::with_tokenizer(models::metadata(family));
    let bytes = models::with_tensors(writer, 5, family != "llama", stored(element)).finish();
    ModelFile::from_gguf(Box::new(bytes)).unwrap()
}

fn decoder(compute: ComputeConfig, file: &ModelFile) -> Decoder {
    Decoder::load(Cpu { compute }, file, &mut || {}).unwrap()
}

fn tokens(count: u32) -> Vec<u32> {
    (0..count).map(|i| (i * i * 7 + 3 * i) % 300).collect()
}

#[test]
fn logits_of_every_family_agree_with_the_reference() {
    for family in FAMILIES {
        for element in [ElementType::F32, ElementType::Bf16] {
            let file = file(family, element);
            let tokens = tokens(40);
            let decoder = decoder(DETECTED(2), &file);
            let mut session = decoder.session(tokens.len()).unwrap();
            session.feed(&tokens, None).unwrap();
            let logits = session.logits(0..tokens.len()).unwrap();
            let expected = Reference::new(&file).logits(&tokens);
            let largest = expected.iter().flatten().fold(0.0, |a: f64, b| a.max(b.abs()));
            assert!(largest > 0.1, "{family}: {largest}");
            for (ours, expected) in logits.chunks_exact(models::VOCAB).zip(&expected) {
                for (ours, expected) in ours.iter().zip(expected) {
                    let error = (f64::from(*ours) - expected).abs();
                    assert!(error < 1e-4 * largest, "{family}: {ours} is not {expected}");
                }
            }
        }
    }
}

/// 8-bit weights and activations change logits little.
#[test]
fn logits_of_quantised_weights_are_near_those_of_the_same_weights_in_binary64() {
    for family in FAMILIES {
        let file = file(family, ElementType::Block(BlockFormat::Q8_0));
        let tokens = tokens(20);
        let decoder = decoder(DETECTED(1), &file);
        let mut session = decoder.session(tokens.len()).unwrap();
        session.feed(&tokens, None).unwrap();
        let logits = session.logits(0..tokens.len()).unwrap();
        let plain = self::file(family, ElementType::F32);
        let expected = Reference::new(&plain).logits(&tokens).concat();
        let square = |x: f64| x * x;
        let size: f64 = expected.iter().map(|x| square(*x)).sum();
        let pairs = logits.iter().zip(&expected);
        let error: f64 = pairs.map(|(a, b)| square(f64::from(*a) - b)).sum();
        assert!(error < square(0.05) * size, "{family}: {}", (error / size).sqrt());
    }
}

fn read(compute: ComputeConfig, file: &ModelFile, batch: usize) -> (Vec<u32>, Trace) {
    let decoder = decoder(compute, file);
    let tokens = tokens(100);
    let mut session = decoder.session(tokens.len()).unwrap();
    let mut recorder = Recorder::default();
    for part in tokens.chunks(batch) {
        session.feed(part, Some(&mut recorder)).unwrap();
    }
    let last = (tokens.len() - 1) % batch;
    let logits = session.logits(last..last + 1).unwrap();
    let bits = logits.iter().map(|x| x.to_bits()).collect();
    (bits, recorder.finish(Default::default()))
}

#[test]
fn bits_do_not_depend_on_threads_instruction_set_or_batch() {
    for family in FAMILIES {
        for element in [ElementType::F32, ElementType::Block(BlockFormat::Q8_0)] {
            let file = file(family, element);
            let expected = read(DETECTED(1), &file, 100);
            for (threads, batch) in [(1, 1), (2, 100), (3, 7), (8, 100)] {
                assert_eq!(read(DETECTED(threads), &file, batch), expected, "{family}");
            }
            for isa in Isa::available() {
                let compute = ComputeConfig { isa, threads: 2 };
                assert_eq!(read(compute, &file, 64), expected, "{family} {isa:?}");
            }
        }
    }
}

fn request(compute: ComputeConfig, sampling: Sampling) -> Request {
    Request {
        prompt: tokens(30),
        limit: 40,
        sampler: Sampler::new(compute, &sampling),
        stop: vec![],
    }
}

const WARM: Sampling = Sampling {
    max_tokens: 40,
    temperature_milli: 900,
    top_k: 0,
    top_p_milli: 0,
    seed: 3,
    stop: None,
};

#[test]
fn check_accepts_only_the_answer_and_yields_the_same_trace() {
    for family in FAMILIES {
        let file = file(family, ElementType::Block(BlockFormat::Q8_0));
        let decoder = decoder(DETECTED(2), &file);
        let request = request(DETECTED(2), WARM);
        let mut made = Recorders::default();
        let mut nothing = || Ok(());
        let tokens = answer(&decoder, &request, Some(&mut made), &mut nothing, &mut |_| Ok(()));
        let tokens = tokens.unwrap();
        let check = |tokens: &[u32], recorders: Option<&mut Recorders>| {
            check_answer(&decoder, &request, tokens, recorders, &mut |_| Ok(())).unwrap()
        };
        let mut checked = Recorders::default();
        assert!(check(&tokens, Some(&mut checked)), "{family}");
        let trace = |recorders: Recorders| recorders.finish().finish(Default::default());
        assert_eq!(trace(made), trace(checked));
        for at in [0, 20, 39] {
            let mut wrong = tokens.clone();
            wrong[at] = (wrong[at] + 1) % 300;
            assert!(!check(&wrong, None), "{family} {at}");
        }
        assert!(!check(&tokens[..39], None));
        assert!(!check(&[], None));
        let mut unknown = tokens.clone();
        unknown[7] = 300;
        assert!(!check(&unknown, None));
    }
}

/// The answer starts in any of several feeds.
#[test]
fn answer_longer_than_a_feed_is_checked() {
    let architecture = Architecture {
        vocab: 300,
        dim: 32,
        layers: 2,
        heads: 2,
        kv_heads: 1,
        ff: 64,
        context: 1024,
        rope_theta: 10_000,
    };
    let weights = Weights::init(&architecture, 4).unwrap();
    let compute = DETECTED(2);
    let model = Model::new(compute, weights).unwrap();
    for prompt in [
        1,
        MAX_BATCH_TOKENS - 1,
        MAX_BATCH_TOKENS,
        MAX_BATCH_TOKENS + 1,
        2 * MAX_BATCH_TOKENS + 5,
    ] {
        let request = Request {
            prompt: tokens(prompt as u32),
            limit: MAX_BATCH_TOKENS + 30,
            sampler: Sampler::new(compute, &WARM),
            stop: vec![],
        };
        let (mut made, mut checked) = (Recorders::default(), Recorders::default());
        let (decoder, should_continue) = (model.decoder(), &mut || Ok(()));
        let tokens = answer(decoder, &request, Some(&mut made), should_continue, &mut |_| Ok(()));
        let mut tokens = tokens.unwrap();
        let check = |tokens: &[u32], recorders: Option<&mut Recorders>| {
            check_answer(decoder, &request, tokens, recorders, &mut |_| Ok(())).unwrap()
        };
        assert!(check(&tokens, Some(&mut checked)), "{prompt}");
        let trace = |recorders: Recorders| recorders.finish().finish(Default::default());
        assert_eq!(trace(made), trace(checked), "{prompt}");
        tokens[MAX_BATCH_TOKENS + 29] ^= 1;
        assert!(!check(&tokens, None), "{prompt}");
    }
}

/// The check samples from chunks of many rows what generation sampled from one row.
#[test]
fn answer_is_checked_with_every_kind_of_sampling() {
    let decoder = decoder(DETECTED(2), &file("llama", ElementType::Block(BlockFormat::Q8_0)));
    for (temperature_milli, top_k, top_p_milli) in [
        (0, 0, 0),
        (900, 0, 0),
        (900, 7, 0),
        (900, 0, 800),
        (900, 300, 950),
        (900, 9, 500),
    ] {
        let sampling = Sampling {
            temperature_milli,
            top_k,
            top_p_milli,
            ..WARM
        };
        let request = request(DETECTED(2), sampling);
        let tokens = answer(&decoder, &request, None, &mut || Ok(()), &mut |_| Ok(())).unwrap();
        let check = |tokens: &[u32]| check_answer(&decoder, &request, tokens, None, &mut |_| Ok(())).unwrap();
        assert!(check(&tokens), "{top_k} {top_p_milli}");
        let mut wrong = tokens.clone();
        wrong[11] = (wrong[11] + 1) % 300;
        assert!(!check(&wrong), "{top_k} {top_p_milli}");
    }
}

#[test]
fn leaf_of_an_answer_is_opened_down_to_an_element() {
    let file = file("gemma3", ElementType::Block(BlockFormat::Q8_0));
    let decoder = decoder(DETECTED(2), &file);
    let request = request(DETECTED(2), WARM);
    let mut recorders = Recorders::default();
    let mut nothing = || Ok(());
    let tokens = answer(&decoder, &request, Some(&mut recorders), &mut nothing, &mut |_| Ok(()));
    let tokens = tokens.unwrap();
    let root = recorders.finish().finish(Default::default()).root;
    let open = |leaf| open(&decoder, &request, &tokens, leaf, &mut |_| Ok(()));
    for (position, block) in [(0, 0), (29, 6), (68, 3)] {
        let opening = open(Leaf::Block { position, block }).unwrap().unwrap();
        assert!(opening.verify(&root));
        let end = Operation::Out.elements(decoder.config()).end;
        assert_eq!(opening.operations.len(), 4 * end);
        assert!(opening.element(end - 1).is_some() && opening.element(end).is_none());
        // The root covers the outputs among the operations.
        let outputs = |operations: &[u8]| Operation::outputs(decoder.config(), operations);
        assert_eq!(outputs(&opening.operations), Some(opening.rows.clone()));
        assert_eq!(outputs(&opening.operations[..4 * end - 1]), None);
        for byte in 0..opening.rows.len() {
            let mut forged = opening.clone();
            forged.rows[byte] ^= 1;
            assert!(!forged.verify(&root), "byte {byte}");
        }
    }
    for (index, token) in tokens.iter().enumerate() {
        let opening = open(Leaf::Draw(index)).unwrap().unwrap();
        assert!(opening.verify(&root));
        // The vocabulary is one chunk, which has one best candidate.
        assert_eq!(opening.rows.len(), 8);
        assert_eq!(opening.rows[..4], token.to_le_bytes());
    }
    for leaf in [
        Leaf::Block { position: 69, block: 0 },
        Leaf::Block { position: 0, block: 7 },
        Leaf::Block {
            position: usize::MAX,
            block: 6,
        },
        Leaf::Draw(40),
        Leaf::Draw(usize::MAX),
    ] {
        assert_eq!(open(leaf).unwrap(), None, "{leaf:?}");
    }
}

/// The bytes that the leaf of a draw covers, from the definition: the best candidate of each chunk of the logits, then
/// those that remain after top-k and top-p, each by token.
fn covered(sampling: &Sampling, logits: &[f32]) -> Vec<u8> {
    let t = sampling.temperature_milli as f32 / 1e3;
    let z = logits.iter().map(|logit| if t > 0.0 { logit / t } else { *logit });
    let mut all: Vec<(usize, f32)> = z.enumerate().collect();
    let best = all.chunks(CHUNK).map(|part| {
        let larger = |best: (usize, f32), next: &(usize, f32)| match next.1 > best.1 {
            true => *next,
            false => best,
        };
        part.iter().fold(part[0], larger)
    });
    let best: Vec<_> = best.collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    match sampling.top_k {
        0 => {}
        k => all.truncate(k as usize),
    }
    if sampling.top_p_milli > 0 {
        let mut p: Vec<f32> = all.iter().map(|(_, z)| *z).collect();
        let width = p.len();
        softmax(Isa::Scalar, &mut p, width).unwrap();
        let mut sum = 0.0f32;
        let reached = p.iter().position(|p| {
            sum += p;
            sum >= sampling.top_p_milli as f32 / 1e3
        });
        all.truncate(reached.map_or(width, |last| last + 1));
    }
    if t == 0.0 {
        all.clear();
    }
    all.sort_by_key(|(token, _)| *token);
    let bytes = |(token, value): &(usize, f32)| [(*token as u32).to_le_bytes(), value.to_le_bytes()].concat();
    best.iter().chain(&all).flat_map(bytes).collect()
}

#[test]
fn leaf_of_a_draw_covers_the_best_of_each_chunk_and_the_remaining_candidates() {
    let architecture = Architecture {
        vocab: 2 * CHUNK as u32 + 808,
        dim: 32,
        layers: 1,
        heads: 2,
        kv_heads: 1,
        ff: 32,
        context: 64,
        rope_theta: 10_000,
    };
    for (temperature_milli, top_k, top_p_milli) in [
        (0, 0, 0),
        (0, 5, 900),
        (800, 0, 0),
        (800, 5, 0),
        (800, 1000, 900),
        // More than a chunk has.
        (800, 6000, 900),
        (800, 0, 950),
    ] {
        let sampling = Sampling {
            temperature_milli,
            top_k,
            top_p_milli,
            ..WARM
        };
        let mut traces = Vec::new();
        for threads in [1, 2, 3] {
            let compute = DETECTED(threads);
            let weights = Weights::init(&architecture, 4).unwrap();
            let model = Model::new(compute, weights).unwrap();
            let decoder = model.decoder();
            let request = Request {
                limit: 5,
                ..request(compute, sampling)
            };
            let (mut made, mut checked) = (Recorders::default(), Recorders::default());
            let making = &mut || Ok(());
            let answer = answer(decoder, &request, Some(&mut made), making, &mut |_| Ok(()));
            let answer = answer.unwrap();
            let checking = &mut |_| Ok(());
            let right = check_answer(decoder, &request, &answer, Some(&mut checked), checking);
            assert!(right.unwrap());
            traces.extend([made, checked].map(|r| r.finish().finish(Default::default())));

            let mut session = decoder.session(64).unwrap();
            let read = [&request.prompt, &answer[..4]].concat();
            session.feed(&read, None).unwrap();
            for (index, row) in (29..34).enumerate() {
                let opening = open(decoder, &request, &answer, Leaf::Draw(index), checking);
                let opening = opening.unwrap().unwrap();
                assert!(opening.verify(&traces[0].root));
                let logits = session.logits(row..row + 1).unwrap();
                match temperature_milli > 0 && top_k == 0 && top_p_milli == 0 {
                    // One of each chunk, among them the sampled one.
                    true => {
                        let tokens = opening.rows.chunks(8).map(|bytes| &bytes[..4]);
                        assert_eq!(tokens.len(), 3);
                        let drawn = answer[index].to_le_bytes();
                        assert!(tokens.into_iter().any(|token| token == drawn));
                    }
                    false => assert_eq!(opening.rows, covered(&sampling, &logits)),
                }
            }
        }
        assert!(traces.iter().all(|trace| *trace == traces[0]), "{sampling:?}");
    }
}

#[test]
fn session_refuses_tokens_beyond_its_room_or_outside_the_vocabulary() {
    let file = file("qwen3", ElementType::F32);
    let decoder = decoder(DETECTED(1), &file);
    let mut session = decoder.session(4).unwrap();
    assert!(matches!(session.feed(&[], None), Err(Error::Spec(_))));
    assert!(matches!(session.feed(&[1; 5], None), Err(Error::Spec(_))));
    assert!(session.feed(&[300], None).is_err());
    session.feed(&[1, 2, 3, 4], None).unwrap();
    assert!(matches!(session.feed(&[1], None), Err(Error::Spec(_))));
    assert!(matches!(session.logits(2..5), Err(Error::Spec(_))));
    assert_eq!(session.logits(1..3).unwrap().len(), 2 * models::VOCAB);
    // A session is not longer than the context.
    let mut session = decoder.session(usize::MAX).unwrap();
    session.feed(&[1; 128], None).unwrap();
    assert!(matches!(session.feed(&[1], None), Err(Error::Spec(_))));
}
