// SPDX-License-Identifier: Apache-2.0
//! Attention follows its canonical order on every instruction set; decoding equals prefilling.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_exact::attention::{Attention, Scratch};
use agorai_exact::fma::fma;
use agorai_exact::{Error, Isa, PackedMatrix};
use common::{bits, chain, dot16, numbers, softmax, vector};
use proptest::prelude::*;

#[derive(Debug)]
struct Case {
    shape: Attention,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    dout: Vec<f32>,
}

impl Case {
    fn row<'a>(&self, x: &'a [f32], i: usize) -> &'a [f32] {
        &x[i * self.shape.width..][..self.shape.width]
    }

    /// The visible keys of a query.
    fn visible(&self, i: usize) -> std::ops::Range<usize> {
        let end = self.shape.offset + i + 1;
        end.saturating_sub(self.shape.window.unwrap_or(end))..end
    }

    fn packed(&self) -> PackedMatrix {
        PackedMatrix::from_out_in(self.k.len() / self.shape.width, self.shape.width, &self.k).unwrap()
    }

    fn forward(&self, isa: Isa) -> (Vec<f32>, Vec<f32>) {
        let mut p = vec![9.0; self.shape.queries * self.shape.keys()];
        let mut out = vec![9.0; self.q.len()];
        let mut scratch = Scratch::default();
        self.shape
            .forward(isa, &self.q, &self.packed(), &self.v, &mut p, &mut out, &mut scratch)
            .unwrap();
        (p, out)
    }

    /// Probabilities and output, computed naively.
    fn reference_forward(&self) -> (Vec<f32>, Vec<f32>) {
        let Attention {
            queries, width, scale, ..
        } = self.shape;
        let (mut p, mut out) = (vec![], vec![]);
        for i in 0..queries {
            let q = self.row(&self.q, i);
            let score = |j| {
                let terms = q.iter().copied().zip(self.row(&self.k, j).iter().copied());
                chain(0.0, terms) * scale
            };
            let visible = self.visible(i);
            let scores: Vec<f32> = visible.clone().map(score).collect();
            let row = softmax(&scores);
            for c in 0..width {
                let terms = row
                    .iter()
                    .enumerate()
                    .map(|(j, &p)| (p, self.v[(visible.start + j) * width + c]));
                out.push(chain(0.0, terms));
            }
            p.extend(vec![0.0; visible.start]);
            p.extend(&row);
            p.extend(vec![0.0; queries - 1 - i]);
        }
        (p, out)
    }

    /// dq, dk and dv, accumulated from the given dk and dv, computed naively.
    fn reference_backward(&self, p: &[f32], mut dk: Vec<f32>, mut dv: Vec<f32>) -> [Vec<f32>; 3] {
        let Attention {
            queries, width, scale, ..
        } = self.shape;
        let n = self.shape.keys();
        let mut dq = vec![];
        for i in 0..queries {
            let visible = self.visible(i);
            let p = &p[i * n..][visible.clone()];
            let dout = self.row(&self.dout, i);
            let score = |j| {
                let terms = dout.iter().copied().zip(self.row(&self.v, j).iter().copied());
                chain(0.0, terms)
            };
            let dp: Vec<f32> = visible.clone().map(score).collect();
            let dot = dot16(p, &dp);
            let ds: Vec<f32> = p.iter().zip(&dp).map(|(p, d)| (p * (d - dot)) * scale).collect();
            for (c, &d) in dout.iter().enumerate() {
                let terms = ds
                    .iter()
                    .enumerate()
                    .map(|(j, &ds)| (ds, self.k[(visible.start + j) * width + c]));
                dq.push(chain(0.0, terms));
                for j in 0..visible.len() {
                    let at = (visible.start + j) * width + c;
                    dk[at] = fma(ds[j], self.q[i * width + c], dk[at]);
                    dv[at] = fma(p[j], d, dv[at]);
                }
            }
        }
        [dq, dk, dv]
    }

    fn check(&self) {
        let (p, out) = self.reference_forward();
        let keys = self.shape.keys() * self.shape.width;
        let starts = [numbers(keys, 20), numbers(keys, 21)];
        let [dq, dk, dv] = self.reference_backward(&p, starts[0].clone(), starts[1].clone());
        for isa in Isa::available() {
            let ours = self.forward(isa);
            assert_eq!(bits(&ours.0), bits(&p), "{isa:?}");
            assert_eq!(bits(&ours.1), bits(&out), "{isa:?}");
            let [mut a, mut b, mut c] = [vec![9.0; dq.len()], starts[0].clone(), starts[1].clone()];
            self.shape
                .backward(
                    isa,
                    &self.q,
                    &self.k,
                    &self.v,
                    &p,
                    &self.dout,
                    &mut a,
                    &mut b,
                    &mut c,
                    &mut Scratch::default(),
                )
                .unwrap();
            assert_eq!(bits(&a), bits(&dq), "{isa:?}");
            assert_eq!(bits(&b), bits(&dk), "{isa:?}");
            assert_eq!(bits(&c), bits(&dv), "{isa:?}");
        }
    }
}

fn shape(queries: usize, offset: usize, width: usize) -> Attention {
    let scale = 1.0 / (width as f32).sqrt();
    Attention {
        queries,
        offset,
        width,
        scale,
        window: None,
    }
}

fn windowed(window: usize, shape: Attention) -> Attention {
    Attention {
        window: Some(window),
        ..shape
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let window = prop_oneof![Just(None), (1usize..90).prop_map(Some)];
    (1usize..40, 0usize..40, 1usize..40, window).prop_flat_map(|(t, offset, width, window)| {
        let (q, k) = (t * width, (t + offset) * width);
        let moderate = |n| prop::collection::vec(-3.0f32..3.0, n);
        (vector(q), moderate(k), moderate(k), moderate(q)).prop_map(move |(q, k, v, dout)| Case {
            shape: Attention {
                window,
                ..shape(t, offset, width)
            },
            // With huge queries every score would be infinite.
            q: q.into_iter().map(|x| x.clamp(-100.0, 100.0)).collect(),
            k,
            v,
            dout,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn attention_follows_its_canonical_order(case in cases()) {
        case.check();
    }
}

#[test]
fn attention_follows_its_canonical_order_over_long_contexts() {
    for (t, offset, width) in [(70, 0, 64), (1, 700, 64), (30, 300, 48), (270, 13, 16)] {
        for window in [None, Some(1), Some(64), Some(200)] {
            Case {
                shape: Attention {
                    window,
                    ..shape(t, offset, width)
                },
                q: numbers(t * width, 1),
                k: numbers((t + offset) * width, 2),
                v: numbers((t + offset) * width, 3),
                dout: numbers(t * width, 4),
            }
            .check();
        }
    }
}

#[test]
fn decoding_equals_prefilling_bit_for_bit() {
    let shaped = |window, t, offset, width| Attention {
        window,
        ..shape(t, offset, width)
    };
    for (t, width, window) in [(90, 64, None), (35, 24, None), (90, 64, Some(20)), (35, 24, Some(5))] {
        let whole = Case {
            shape: shaped(window, t, 0, width),
            q: numbers(t * width, 1),
            k: numbers(t * width, 2),
            v: numbers(t * width, 3),
            dout: vec![],
        };
        for isa in Isa::available() {
            let (_, prefill) = whole.forward(isa);
            let mut cache = PackedMatrix::with_capacity(width, t).unwrap();
            for i in 0..t {
                let key = whole.row(&whole.k, i);
                cache.push_columns(key, width, 0).unwrap();
                let q = whole.row(&whole.q, i);
                let mut p = vec![0.0; i + 1];
                let mut out = vec![0.0; width];
                shaped(window, 1, i, width)
                    .forward(isa, q, &cache, &whole.v, &mut p, &mut out, &mut Scratch::default())
                    .unwrap();
                assert_eq!(bits(&out), bits(whole.row(&prefill, i)), "{isa:?} {i}");
            }
            // Prefill in two parts.
            let cut = 17;
            let rest = Case {
                shape: shaped(window, t - cut, cut, width),
                q: whole.q[cut * width..].to_vec(),
                k: whole.k.clone(),
                v: whole.v.clone(),
                dout: vec![],
            };
            assert_eq!(bits(&rest.forward(isa).1), bits(&prefill[cut * width..]));
        }
    }
}

#[test]
fn no_queries_give_no_output() {
    let keys = PackedMatrix::from_out_in(3, 4, &[0.5; 12]).unwrap();
    let mut scratch = Scratch::default();
    for isa in Isa::ALL {
        let result = shape(0, 3, 4).forward(isa, &[], &keys, &[0.5; 12], &mut [], &mut [], &mut scratch);
        assert_eq!(result, Ok(()));
        let (mut dk, mut dv) = ([0.5; 12], [0.25; 12]);
        let result = shape(0, 3, 4).backward(
            isa,
            &[],
            &[0.5; 12],
            &[0.5; 12],
            &[],
            &[],
            &mut [],
            &mut dk,
            &mut dv,
            &mut scratch,
        );
        assert_eq!(result, Ok(()));
        assert_eq!((dk, dv), ([0.5; 12], [0.25; 12]));
    }
}

#[test]
fn wrong_shapes_are_rejected() {
    let keys = PackedMatrix::from_out_in(3, 4, &[0.5; 12]).unwrap();
    let mut scratch = Scratch::default();
    let (mut p, mut out) = ([0.0; 64], [0.0; 64]);
    let isa = Isa::detect();
    let mut run = |shape: Attention, q: usize, v: usize, np: usize| {
        let (q, v) = (vec![0.5; q], vec![0.5; v]);
        shape.forward(isa, &q, &keys, &v, &mut p[..np], &mut out[..q.len()], &mut scratch)
    };
    assert_eq!(run(shape(2, 1, 4), 8, 12, 6), Ok(()));
    assert!(matches!(run(shape(2, 1, 4), 7, 12, 6), Err(Error::Shape { .. })));
    assert!(matches!(run(shape(2, 1, 4), 8, 11, 6), Err(Error::Shape { .. })));
    assert!(matches!(run(shape(2, 1, 4), 8, 12, 5), Err(Error::Shape { .. })));
    assert!(matches!(run(shape(2, 2, 4), 8, 16, 8), Err(Error::Shape { .. })));
    let zero_width = Attention {
        width: 0,
        ..shape(2, 1, 4)
    };
    assert!(matches!(run(zero_width, 0, 0, 6), Err(Error::Shape { .. })));
    assert!(matches!(
        run(shape(usize::MAX, 1, 4), 8, 12, 6),
        Err(Error::Shape { .. })
    ));
    let nan_scale = Attention {
        scale: f32::NAN,
        ..shape(2, 1, 4)
    };
    assert_eq!(run(nan_scale, 8, 12, 6), Err(Error::Parameter));
    let empty_window = windowed(0, shape(2, 1, 4));
    assert_eq!(run(empty_window, 8, 12, 6), Err(Error::Parameter));
}
