// SPDX-License-Identifier: Apache-2.0
//! What a node asks the runtime about requests.

use agorai_primitives::{JobId, RequestId};

sp_api::decl_runtime_apis! {
    /// What a node asks the runtime about requests.
    pub trait InferenceApi {
        /// The job that answers a request, whose provisional output an engine may have; `None` for an
        /// unknown or forgotten request.
        fn job_of(request: RequestId) -> Option<JobId>;
    }
}
