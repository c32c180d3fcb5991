// SPDX-License-Identifier: GPL-3.0-only
//! Output of a command: results on stdout; progress, notes and errors on stderr.

use crate::error::Error;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

/// The streams that a command writes to.
pub struct Output {
    json: bool,
    bars: MultiProgress,
    live: bool,
    in_line: AtomicBool,
}

impl Output {
    /// Returns the output of a command; with `json`, stdout has exactly one JSON object and stderr only errors.
    pub fn new(json: bool) -> Self {
        let live = !json && std::io::stderr().is_terminal();
        let target = if live {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            json,
            bars: MultiProgress::with_draw_target(target),
            live,
            in_line: AtomicBool::new(false),
        }
    }

    /// Writes a line of a result; nothing with `--json`.
    pub fn line(&self, text: impl AsRef<str>) {
        if !self.json {
            self.bars.suspend(|| println!("{}", text.as_ref()));
        }
    }

    /// Writes a piece of provisional text to stderr and flushes it; the first piece has a heading.
    pub fn piece(&self, text: &str, first: bool) {
        if !self.json {
            let heading = if first { "provisional: " } else { "" };
            self.in_line.store(true, Relaxed);
            self.bars.suspend(|| {
                let mut stderr = std::io::stderr().lock();
                // A closed stderr must not end the wait for the settlement.
                let _ = write!(stderr, "{heading}{text}").and_then(|()| stderr.flush());
            });
        }
    }

    /// Ends the line of provisional text, if one was begun.
    pub fn end_of_pieces(&self) {
        if self.in_line.swap(false, Relaxed) {
            self.note("");
        }
    }

    /// Writes a note about the progress of the command to stderr; nothing with `--json`.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.json {
            self.bars.suspend(|| eprintln!("{}", text.as_ref()));
        }
    }

    /// Writes the result: the object with `--json`, else `text`.
    pub fn result(&self, json: &serde_json::Value, text: impl AsRef<str>) {
        if self.json {
            println!("{json}");
        } else {
            self.line(text);
        }
    }

    /// Writes the result as one line of JSON, with and without `--json`.
    pub fn object(&self, json: &serde_json::Value) {
        self.bars.suspend(|| println!("{json}"));
    }

    /// Writes an error to stderr, and with `--json` also as the object on stdout.
    pub fn error(&self, error: &Error) {
        if self.json {
            println!("{}", error.json());
        }
        self.bars.suspend(|| eprintln!("error: {error}"));
    }

    /// Returns a progress bar over `length` units; without a terminal only its title is written, once.
    pub fn bar(&self, title: &str, length: u64, bytes: bool) -> ProgressBar {
        self.announce(title);
        let template = if bytes {
            "{msg} [{bar:30}] {bytes}/{total_bytes}"
        } else {
            "{msg} [{bar:30}] {pos}/{len} {elapsed}"
        };
        let bar = self.bars.add(ProgressBar::new(length));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(title.to_owned());
        bar
    }

    /// Returns a spinner for work of unknown length.
    pub fn spinner(&self, title: &str) -> ProgressBar {
        self.announce(title);
        let bar = self.bars.add(ProgressBar::new_spinner());
        bar.set_message(title.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    fn announce(&self, title: &str) {
        if !self.live {
            self.note(title);
        }
    }
}
