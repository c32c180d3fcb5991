// SPDX-License-Identifier: Apache-2.0
//! The runtime API for requests.

use agorai_primitives::{JobId, RequestId};

sp_api::decl_runtime_apis! {
    /// Reads requests.
    pub trait InferenceApi {
        /// The job that answers a request, with which a node streams the engine's provisional output; `None` if the
        /// request is unknown or removed.
        fn job_of(request: RequestId) -> Option<JobId>;
    }
}
