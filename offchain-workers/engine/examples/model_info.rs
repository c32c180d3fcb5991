// SPDX-License-Identifier: Apache-2.0
//! Prints the configuration and the tensors of a model file or folder: `model_info PATH`.

use agorai_engine::files::ModelFile;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: model_info PATH")?;
    let file = ModelFile::open(path.as_ref())?;
    println!("{:#?}", file.config());
    for part in file.parts() {
        let (rows, row) = file.shape(part)?;
        println!("{part:?} {} [{rows}, {row}]", file.element(part)?.name());
    }
    println!("{} bytes", file.bytes());
    Ok(())
}
