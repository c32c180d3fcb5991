// SPDX-License-Identifier: Apache-2.0
//! Every operation compiled to WebAssembly, without vectors and fused multiply-adds, gives the same bits and the
//! same errors as on every instruction set, for random shapes and adversarial numbers.
#![allow(clippy::unwrap_used)]

extern crate alloc;

#[path = "../wasm/src/cases/mod.rs"]
mod cases;

use std::path::{Path, PathBuf};
use std::process::Command;

use agorai_exact::Isa;
use cases::CASES;
use wasmtime::{Engine, Instance, Module, Store};

const TARGET: &str = "wasm32v1-none";
const SEEDS: u64 = 300;

/// Builds the module with the toolchain of the runtime (see `scripts/wasm-target.sh`).
fn build() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exact-wasm");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("wasm/Cargo.toml");
    let mut cargo = match std::env::var("WASM_BUILD_TOOLCHAIN") {
        Ok(toolchain) if !toolchain.is_empty() => {
            let mut rustup = Command::new("rustup");
            rustup.args(["run", &toolchain, "cargo"]);
            rustup
        }
        _ => Command::new("cargo"),
    };
    cargo
        .args(["build", "--release", "--offline"])
        .args(["--target", TARGET, "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        // Flags for the host's processor do not apply to WebAssembly.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let built = cargo.output().expect("cargo starts");
    assert!(
        built.status.success(),
        "no wasm module: `./x setup` installs the target {TARGET}\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    target.join(TARGET).join("release/agorai_exact_wasm.wasm")
}

#[test]
fn wasm_has_the_bits_of_every_instruction_set() {
    let engine = Engine::default();
    let module = Module::from_file(&engine, build()).unwrap();
    for (case, (name, _)) in CASES.iter().enumerate() {
        let mut accepted = 0;
        for seed in 0..SEEDS {
            // Each case has seeds of its own.
            let seed = seed << 16 | case as u64;
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let digest = instance
                .get_typed_func::<(u32, u64), u64>(&mut store, "digest")
                .unwrap()
                .call(&mut store, (case as u32, seed))
                .unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
            for isa in Isa::available() {
                let native = cases::run(case, isa, seed);
                assert_eq!(native.digest, digest, "{name}, seed {seed}, {isa:?}");
                accepted += u64::from(native.accepted && isa == Isa::Scalar);
            }
        }
        println!("{name}: {accepted} of {SEEDS} accepted");
        assert!(2 * accepted > SEEDS, "{name}: only {accepted} were accepted");
    }
}
