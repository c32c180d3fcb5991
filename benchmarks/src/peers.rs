// SPDX-License-Identifier: Apache-2.0
//! The peers: programs that time themselves and print one line of JSON; `scripts/peers.sh` installs them.

use crate::measure::Result;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A peer's figure, or the reason why it is missing.
pub type Figure<T> = std::result::Result<T, String>;

/// Tokens per second.
#[derive(Clone, Copy)]
pub struct Speed {
    /// Prefill of the prompt.
    pub prefill: f64,
    /// Decoding after the prefill.
    pub decode: f64,
}

/// The locations of the peers.
pub struct Peers {
    scripts: PathBuf,
    python: PathBuf,
    candle: PathBuf,
    /// The model file.
    pub model: Figure<PathBuf>,
}

const INSTALL: &str = "is not installed, see scripts/peers.sh";

impl Peers {
    /// Locates Python and the model in `$AGORAI_PEERS`, by default `~/.cache/agorai/peers`, and the candle program in the
    /// target folder of this program.
    pub fn find() -> Result<Self> {
        let folder = match std::env::var_os("AGORAI_PEERS") {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(std::env::var_os("HOME").ok_or("HOME is not set")?).join(".cache/agorai/peers"),
        };
        // target/release/agorai-bench
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(2).ok_or("no target folder")?;
        let model = folder.join("gemma.gguf");
        Ok(Self {
            scripts: Path::new(env!("CARGO_MANIFEST_DIR")).join("peers"),
            python: folder.join("venv/bin/python"),
            candle: target.join("peers/release/agorai-peers"),
            model: match model.is_file() {
                true => Ok(model),
                false => Err(format!("{} {INSTALL}", model.display())),
            },
        })
    }

    /// Returns GFLOP/s of the `gemm` crate for each shape on one thread.
    pub fn gemm(&self) -> Figure<Vec<f64>> {
        let result = run(self.candle_program(1)?.arg("gemm"))?;
        let speeds = result["gflops"].as_array().map(|list| list.iter().map(Value::as_f64));
        let speeds: Option<Vec<f64>> = speeds.and_then(|list| list.collect());
        speeds.ok_or("the gemm crate's output lacks gflops".into())
    }

    /// Returns the speeds of candle's `quantized_gemma3`.
    pub fn candle(&self, model: &Path, threads: usize) -> Figure<Speed> {
        speed(&run(self.candle_program(threads)?.arg("model").arg(model))?)
    }

    /// Returns the speeds of llama.cpp.
    pub fn llama_cpp(&self, model: &Path, threads: usize) -> Figure<Speed> {
        let mut command = self.python("llama_cpp", "llama_cpp.py")?;
        speed(&run(command
            .arg("time")
            .arg(model)
            .args(["--threads", &threads.to_string()]))?)
    }

    /// Returns the tokens per second of PyTorch's training step.
    pub fn pytorch(&self, threads: usize) -> Figure<f64> {
        let mut command = self.python("torch", "pytorch.py")?;
        number(&run(command.args(["--threads", &threads.to_string()]))?, "train")
    }

    fn candle_program(&self, threads: usize) -> Figure<Command> {
        if !self.candle.is_file() {
            return Err(format!("the candle program {INSTALL}"));
        }
        let mut command = Command::new(&self.candle);
        command.env("RAYON_NUM_THREADS", threads.to_string());
        Ok(command)
    }

    fn python(&self, package: &str, script: &str) -> Figure<Command> {
        let mut probe = Command::new(&self.python);
        probe.args([
            "-c",
            &format!("import importlib.util as u; assert u.find_spec('{package}')"),
        ]);
        let found = probe.stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return Err(format!("the Python package {package} {INSTALL}"));
        }
        let mut command = Command::new(&self.python);
        command.arg(self.scripts.join(script));
        Ok(command)
    }
}

/// Returns the peak memory, in bytes, of a fresh process that serves one request.
pub fn peak_memory(model: &Path) -> Result<f64> {
    // The link leads to this program even if a build has replaced its file.
    let result = run(Command::new("/proc/self/exe").arg("serve").arg(model))?;
    Ok(result.as_f64().ok_or("the served request printed no number")?)
}

/// Runs a program and parses the last line that it prints as JSON.
fn run(command: &mut Command) -> Figure<Value> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.trim_end().lines().last().unwrap_or("");
        return Err(format!("{name} ended with {}: {last}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.trim_end().lines().last().unwrap_or("");
    serde_json::from_str(last).map_err(|error| format!("{name} printed no JSON: {error}"))
}

fn number(result: &Value, name: &str) -> Figure<f64> {
    result[name].as_f64().ok_or(format!("the output lacks {name}"))
}

fn speed(result: &Value) -> Figure<Speed> {
    Ok(Speed {
        prefill: number(result, "prefill")?,
        decode: number(result, "decode")?,
    })
}
