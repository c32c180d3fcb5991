// SPDX-License-Identifier: Apache-2.0
//! SCALE encodings of jobs, results and validators' messages: a value that is decoded encodes to the same bytes.
#![no_main]

use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec},
    message::Message,
    training::{Contribution, Corpus, Recipe},
};
use codec::{DecodeAll, Encode};

fn decode<T: DecodeAll + Encode>(mut bytes: &[u8]) {
    let whole = bytes;
    if let Ok(value) = T::decode_all(&mut bytes) {
        assert_eq!(value.encode(), whole);
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decode::<JobSpec>(data);
    decode::<JobResult>(data);
    decode::<JobFailure>(data);
    decode::<Message<[u8; 32], JobResult>>(data);
    decode::<Corpus>(data);
    decode::<Contribution>(data);
    decode::<Recipe>(data);
    if let Ok(recipe) = Recipe::decode_all(&mut &data[..]) {
        let _ = recipe.validate();
    }
});
