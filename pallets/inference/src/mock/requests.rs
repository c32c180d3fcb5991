// SPDX-License-Identifier: Apache-2.0
//! The calls and verdicts of a request.

use super::{
    AccountId, Balances, Failed, Inference, Members, RuntimeCall, RuntimeOrigin, Test, FEE, MODEL, OUTPUT, PROMPT,
    SESSION, TOKENS, USER,
};
use crate::{
    claim::{ClaimBody, CLAIM_DOMAIN},
    request::{Certainty, Prompt, RequestRecord, RequestStatus},
    Call, HoldReason, NextRequest, Requests,
};
use agorai_primitives::{
    job::Sampling,
    message::Message,
    receipt::{output_result, Trace},
    traits::{JobHandler as _, JobKind, Verdict},
    Balance, CommitteeSignature, ModelId, RequestId,
};
use frame_support::traits::fungible::InspectHold;
use pallet_support::SignedReports;
use pallet_testing::{self as testing, key_pair};
use sp_core::{Pair, H256};
use sp_runtime::DispatchResult;

pub fn sampling() -> Sampling {
    Sampling {
        max_tokens: 4,
        temperature_milli: 700,
        top_k: 40,
        top_p_milli: 950,
        seed: 1,
        stop: None,
    }
}

pub fn prompt(text: &[u8]) -> Prompt {
    text.to_vec().try_into().unwrap()
}

/// The arguments of `request`, with valid defaults.
pub struct RequestCall {
    pub who: AccountId,
    pub model: ModelId,
    pub prompt: Prompt,
    pub sampling: Sampling,
    pub max_fee: Balance,
}

impl Default for RequestCall {
    fn default() -> Self {
        Self {
            who: USER,
            model: MODEL,
            prompt: prompt(PROMPT),
            sampling: sampling(),
            max_fee: FEE,
        }
    }
}

impl RequestCall {
    pub fn dispatch(self) -> DispatchResult {
        Inference::request(
            RuntimeOrigin::signed(self.who),
            self.model,
            self.prompt,
            self.sampling,
            Certainty::Checked,
            self.max_fee,
        )
    }

    /// Dispatches the call, which must succeed, and returns the request's id.
    pub fn request(self) -> RequestId {
        self.dispatch().unwrap();
        NextRequest::<Test>::get() - 1
    }
}

/// Makes a request with the default arguments and returns its id.
pub fn request() -> RequestId {
    RequestCall::default().request()
}

pub fn record(request: RequestId) -> RequestRecord<AccountId, u64> {
    Requests::<Test>::get(request).unwrap()
}

/// The current executor of a request, or the one that answered it.
pub fn executor(request: RequestId) -> AccountId {
    match record(request).status {
        RequestStatus::Waiting { executor, .. }
        | RequestStatus::Claimed { executor, .. }
        | RequestStatus::Settled { executor, .. } => executor,
        RequestStatus::Refunded => panic!("request {request} is refunded"),
    }
}

/// The escrow held on an account, in plancks.
pub fn on_hold(who: AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Escrow.into(), &who)
}

/// The trace of a generation with the result `output`.
pub fn trace(output: &[u8], tokens: u32) -> Trace {
    Trace {
        result: output_result(output, tokens),
        root: H256([2; 32]),
        secret: H256([3; 32]),
    }
}

/// The claim of the current executor of `request`, with the answer [`OUTPUT`].
pub fn claim_message(request: RequestId) -> Message<AccountId, ClaimBody> {
    let record = record(request);
    Message {
        member: executor(request),
        session: SESSION,
        job: record.job,
        body: ClaimBody {
            attempt: record.attempt(),
            output: OUTPUT.to_vec().try_into().unwrap(),
            tokens: TOKENS,
            claim: trace(OUTPUT, TOKENS).claim(),
        },
    }
}

/// Signs a claim with the key of `member`.
pub fn sign(member: AccountId, message: &Message<AccountId, ClaimBody>) -> CommitteeSignature {
    key_pair(member).sign(&message.digest(CLAIM_DOMAIN, &Inference::genesis_hash()))
}

/// Authorizes and dispatches a call.
pub fn submit(call: impl Into<RuntimeCall>) -> Result<(), Failed> {
    testing::submit(call.into())
}

/// Signs a claim with the key of its member and submits it.
pub fn submit_message(message: Message<AccountId, ClaimBody>) -> Result<(), Failed> {
    let signature = sign(message.member, &message);
    submit(Call::submit_claim { message, signature })
}

/// The current executor of `request` claims the answer [`OUTPUT`].
pub fn claim(request: RequestId) -> Result<(), Failed> {
    submit_message(claim_message(request))
}

/// Ends the claim on `request` with `verdict`.
pub fn decide(request: RequestId, verdict: Verdict<AccountId>) {
    Inference::on_verdict(JobKind::Inference, record(request).job, verdict);
}

/// Settles the claim on `request` with receipts of all members but the executor.
pub fn confirm(request: RequestId) {
    let executor = executor(request);
    let members = Members::get().into_iter().map(|member| member.account);
    let checkers = members.filter(|member| *member != executor).collect();
    decide(request, Verdict::Settled { checkers });
}
