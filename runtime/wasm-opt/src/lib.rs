// SPDX-License-Identifier: Apache-2.0
//! The part of the crate `wasm-opt` that `substrate-wasm-builder` calls, without Binaryen.
//!
//! The builder runs Binaryen at optimisation level 0 with two passes: it strips DWARF sections, and it lowers
//! sign-extension operators. The target `wasm32v1-none` has no sign-extension operators, so only the first
//! pass changes the module, and it needs no optimiser. Compiling Binaryen takes several minutes of a processor.
//!
//! The workspace's `Cargo.toml` puts this crate in place of the published one. To build with Binaryen, remove that
//! `[patch.crates-io]` entry.

use std::{fmt, fs, io, path::Path};

/// Eight bytes: the magic number and version 1.
const HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// A transformation of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Removes the custom sections whose names start with `.debug_`.
    StripDwarf,
    /// Replaces sign-extension operators. Nothing to do: the runtime's target has none.
    SignextLowering,
}

/// Why a module cannot be transformed.
#[derive(Debug)]
pub enum OptimizationError {
    /// A file cannot be read or written.
    Io(io::Error),
    /// The bytes at this offset are no WebAssembly section.
    Malformed(usize),
}

impl fmt::Display for OptimizationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Malformed(offset) => write!(f, "malformed WebAssembly section at byte {offset}"),
        }
    }
}

impl std::error::Error for OptimizationError {}

impl From<io::Error> for OptimizationError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The passes to run over a module.
#[derive(Clone, Debug, Default)]
pub struct OptimizationOptions {
    passes: Vec<Pass>,
}

impl OptimizationOptions {
    /// No optimisation: only the added passes run.
    pub fn new_opt_level_0() -> Self {
        Self::default()
    }

    /// Allows the operators of WebAssembly 1.0 only. No pass of this crate adds others.
    pub fn mvp_features_only(&mut self) -> &mut Self {
        self
    }

    /// Keeps the section `name`, whatever the argument is.
    pub fn debug_info(&mut self, _: bool) -> &mut Self {
        self
    }

    /// Adds a pass.
    pub fn add_pass(&mut self, pass: Pass) -> &mut Self {
        self.passes.push(pass);
        self
    }

    /// Reads a module from `from`, runs the passes and writes the result to `to`, which may be the same file.
    pub fn run(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), OptimizationError> {
        let module = fs::read(from)?;
        let module = if self.passes.contains(&Pass::StripDwarf) {
            strip_dwarf(&module)?
        } else {
            module
        };
        Ok(fs::write(to, module)?)
    }
}

/// The module without its `.debug_` custom sections.
fn strip_dwarf(module: &[u8]) -> Result<Vec<u8>, OptimizationError> {
    if !module.starts_with(HEADER) {
        return Err(OptimizationError::Malformed(0));
    }
    let mut stripped = HEADER.to_vec();
    let mut start = HEADER.len();
    while start < module.len() {
        let malformed = OptimizationError::Malformed(start);
        let section = &module[start..];
        let Some((length, width)) = leb128(&section[1..]) else {
            return Err(malformed);
        };
        let body = 1 + width;
        let Some(contents) = section.get(body..).and_then(|rest| rest.get(..length)) else {
            return Err(malformed);
        };
        if section[0] != 0 || !is_dwarf(contents) {
            stripped.extend_from_slice(&section[..body + length]);
        }
        start += body + length;
    }
    Ok(stripped)
}

/// Whether the contents of a custom section start with a name of DWARF's.
fn is_dwarf(contents: &[u8]) -> bool {
    leb128(contents).is_some_and(|(length, width)| {
        let name = contents[width..].get(..length);
        name.is_some_and(|name| name.starts_with(b".debug_"))
    })
}

/// An unsigned 32-bit number in LEB128 at the start of `bytes`, and how many bytes it takes.
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(u32::try_from(value).ok()?).ok()?, i + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, contents: &[u8]) -> Vec<u8> {
        let mut bytes = vec![id, contents.len() as u8];
        bytes.extend_from_slice(contents);
        bytes
    }

    #[test]
    fn only_dwarf_sections_are_stripped() {
        let kept = [section(1, b"types"), section(0, b"\x04name...")].concat();
        let module = [
            HEADER,
            &section(0, b"\x0b.debug_info1234"),
            &kept,
            &section(0, b"\x0a.debug_str"),
        ]
        .concat();
        assert_eq!(strip_dwarf(&module).unwrap(), [HEADER, &kept].concat());
    }

    #[test]
    fn malformed_modules_are_refused_with_the_offset() {
        for (module, offset) in [
            (b"not wasm".to_vec(), 0),
            ([HEADER, &[1]].concat(), 8),
            ([HEADER, &[1, 200, 1, 0]].concat(), 8),
            (
                [HEADER, &section(1, b"ab"), &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 1]].concat(),
                12,
            ),
        ] {
            assert!(matches!(strip_dwarf(&module), Err(OptimizationError::Malformed(at)) if at == offset));
        }
    }
}
