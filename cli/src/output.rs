// SPDX-License-Identifier: GPL-3.0-only
//! Results go to stdout; progress, notes and errors go to stderr.

use crate::error::Error;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

/// Where a command writes.
pub struct Output {
    json: bool,
    bars: MultiProgress,
    live: bool,
    in_line: AtomicBool,
}

impl Output {
    /// With `json`, stdout carries exactly one JSON object and stderr only errors.
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

    /// Whether `--json` is on.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A line of a result, for people.
    pub fn line(&self, text: impl AsRef<str>) {
        if !self.json {
            self.bars.suspend(|| println!("{}", text.as_ref()));
        }
    }

    /// A piece of provisional text, written at once to stderr; the first one has a heading.
    pub fn piece(&self, text: &str, first: bool) {
        if !self.json {
            let heading = if first { "provisional: " } else { "" };
            self.in_line.store(true, Relaxed);
            self.bars.suspend(|| {
                let mut stderr = std::io::stderr().lock();
                // A closed stderr is no reason to stop waiting for the settlement.
                let _ = write!(stderr, "{heading}{text}").and_then(|()| stderr.flush());
            });
        }
    }

    /// Ends the line of provisional text, if there is one.
    pub fn end_of_pieces(&self) {
        if self.in_line.swap(false, Relaxed) {
            self.note("");
        }
    }

    /// A note about what is going on.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.json {
            self.bars.suspend(|| eprintln!("{}", text.as_ref()));
        }
    }

    /// The result: with `--json` the object, else `text`.
    pub fn result(&self, json: &serde_json::Value, text: impl AsRef<str>) {
        if self.json {
            println!("{json}");
        } else {
            self.line(text);
        }
    }

    /// The result as a JSON line in both modes.
    pub fn object(&self, json: &serde_json::Value) {
        self.bars.suspend(|| println!("{json}"));
    }

    /// An error: on stderr, and with `--json` also as the object.
    pub fn error(&self, error: &Error) {
        if self.json {
            println!("{}", error.json());
        }
        self.bars.suspend(|| eprintln!("error: {error}"));
    }

    /// A bar over a known amount of work; without a terminal it says its title once.
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

    /// A spinner for work of unknown length.
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
