// SPDX-License-Identifier: Apache-2.0
//! Compiles the runtime to wasm whenever it is built natively.

fn main() {
    #[cfg(feature = "std")]
    {
        // The wasm is built from the workspace's lock file also where the target folder lies elsewhere.
        const HINT: &str = "WASM_BUILD_WORKSPACE_HINT";
        if std::env::var_os(HINT).is_none() {
            std::env::set_var(HINT, concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        }
        substrate_wasm_builder::WasmBuilder::build_using_defaults();
    }
}
