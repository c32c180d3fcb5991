// SPDX-License-Identifier: Apache-2.0
//! Builds the wasm runtime as part of a native build.

fn main() {
    #[cfg(feature = "std")]
    {
        // The wasm build finds the lock file of the workspace even if the target directory is outside of it.
        const HINT: &str = "WASM_BUILD_WORKSPACE_HINT";
        if std::env::var_os(HINT).is_none() {
            std::env::set_var(HINT, concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        }
        substrate_wasm_builder::WasmBuilder::build_using_defaults();
    }
}
