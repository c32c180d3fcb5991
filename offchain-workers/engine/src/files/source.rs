// SPDX-License-Identifier: Apache-2.0
//! Bytes that are read where they lie: a model is streamed, never copied whole into memory.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// Bytes that can be read at any offset by several threads.
pub trait Source: Send + Sync {
    /// How many bytes there are.
    fn size(&self) -> u64;
    /// Fills `buffer` with the bytes from `offset`; an error of kind `UnexpectedEof` beyond the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A file that stays open. One that is made shorter while it is read gives an error.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    size: u64,
}

impl FileSource {
    /// Opens a file for reading.
    pub fn open(path: &Path) -> io::Result<Self> {
        File::open(path)?.try_into()
    }
}

impl TryFrom<File> for FileSource {
    type Error = io::Error;

    fn try_from(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let part = usize::try_from(offset)
            .ok()
            .and_then(|from| self.get(from..from.checked_add(buffer.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(part);
        Ok(())
    }
}

impl Source for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_at(offset, buffer)
    }
}
