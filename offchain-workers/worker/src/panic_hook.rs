// SPDX-License-Identifier: GPL-3.0-only
//! A panic hook that lets a panic of a job unwind.
//!
//! Substrate's panic hook ends the process. This hook precedes it: on compute threads it logs the panic and lets the
//! thread unwind to the job's `catch_unwind`; on all other threads it calls the previous hook.

use std::{
    panic::{set_hook, take_hook},
    sync::Once,
    thread,
};

/// Name prefix of compute threads: the worker's own, and those that the engine starts.
pub const THREAD_PREFIX: &str = "compute";

/// Installs the hook, once per process. Hooks that are installed later must not end the process on compute threads.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            let current = thread::current();
            match current.name() {
                Some(name) if name.starts_with(THREAD_PREFIX) => {
                    log::error!(target: "compute", "{info}");
                }
                _ => previous(info),
            }
        }));
    });
}
