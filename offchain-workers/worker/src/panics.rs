// SPDX-License-Identifier: GPL-3.0-only
//! A panic of a job must not end the node.
//!
//! Substrate's panic hook ends the process before anything can be caught. So a hook goes in front of it:
//! on threads that compute it writes the panic to the log and lets the thread unwind to whoever started
//! the job; for all others the former hook does what it did.

use std::{
    panic::{set_hook, take_hook},
    sync::Once,
    thread,
};

/// How the names of threads begin that compute: the worker's own and those that the engine starts.
pub const THREADS: &str = "compute";

/// Sets the hook, once. Hooks that are set later must leave these threads alone as well.
pub fn survive_those_of_jobs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let former = take_hook();
        set_hook(Box::new(move |info| {
            let current = thread::current();
            match current.name() {
                Some(name) if name.starts_with(THREADS) => {
                    log::error!(target: "compute", "{info}");
                }
                _ => former(info),
            }
        }));
    });
}
