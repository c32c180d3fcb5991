// SPDX-License-Identifier: Apache-2.0
//! Parts of the mock runtimes: members with keys, a node with an engine, and authorized transactions.
//!
//! Members are the accounts 1..=n with equal bonds; their keys derive from their accounts. The set and the block
//! randomness are thread-local values that a test sets.

use agorai_engine_interface::{testing::FakeEngine, ComputeExt};
use agorai_primitives::{
    crypto::CommitteePair,
    traits::{Member, SessionMembers},
    Balance, SessionIndex, COMMITTEE_KEY_TYPE,
};
use codec::Decode;
use frame_support::traits::{Authorize, Randomness};
use frame_system::RawOrigin;
use parking_lot::RwLock;
use sp_core::{
    offchain::{
        testing::{PoolState, TestOffchainExt, TestTransactionPoolExt},
        OffchainDbExt, OffchainWorkerExt, TransactionPoolExt,
    },
    Pair, H256,
};
use sp_io::TestExternalities;
use sp_keystore::{testing::MemoryKeystore, Keystore, KeystoreExt};
use sp_runtime::{
    traits::{BlakeTwo256, Dispatchable},
    transaction_validity::{TransactionSource, TransactionValidityError},
    BuildStorage, DispatchError,
};
use std::sync::Arc;

/// Account type of the mock runtimes.
pub type AccountId = u64;
/// Extrinsic type of a mock runtime with authorized calls.
pub type Extrinsic<Call, Runtime> = sp_runtime::testing::TestXt<Call, frame_system::AuthorizeCall<Runtime>>;
/// Block type of a mock runtime with authorized calls.
pub type Block<Call, Runtime> =
    sp_runtime::generic::Block<sp_runtime::generic::Header<u64, BlakeTwo256>, Extrinsic<Call, Runtime>>;

/// The current session of [`MockMembers`].
pub const SESSION: SessionIndex = 4;
/// Bond of a member, in the smallest unit.
pub const BOND: Balance = 100;

pub use values::{BlockRandomness, Members};

// The macro generates functions and constants without documentation.
#[allow(missing_docs)]
mod values {
    use super::{AccountId, Member, H256};

    frame_support::parameter_types! {
        /// The members of the session.
        pub static Members: Vec<Member<AccountId>> = Vec::new();
        /// The value that [`super::MockRandomness`] returns.
        pub static BlockRandomness: Option<H256> = None;
    }
}

/// The members in [`Members`], in session [`SESSION`].
pub struct MockMembers;

impl SessionMembers<AccountId> for MockMembers {
    fn session() -> SessionIndex {
        SESSION
    }
    fn members() -> Vec<Member<AccountId>> {
        Members::get()
    }
    fn member(account: &AccountId) -> Option<Member<AccountId>> {
        Members::get().into_iter().find(|member| member.account == *account)
    }
}

/// The value in [`BlockRandomness`], whatever the subject.
pub struct MockRandomness;

impl Randomness<Option<H256>, u64> for MockRandomness {
    fn random(_: &[u8]) -> (Option<H256>, u64) {
        (BlockRandomness::get(), 0)
    }
}

/// Returns the key pair of a member.
pub fn key_pair(account: AccountId) -> CommitteePair {
    CommitteePair::from_string(&key_seed(account), None).expect("the secret URI is valid")
}

/// Returns the secret URI from which [`key_pair`] and the keystore derive the key of a member.
fn key_seed(account: AccountId) -> String {
    format!("//Member{account}")
}

/// Makes the accounts 1..=`count` the members, each with the bond [`BOND`], and clears the block randomness.
pub fn set_members(count: AccountId) {
    let member = |account| Member {
        account,
        key: key_pair(account).public(),
        bond: BOND,
    };
    Members::set((1..=count).map(member).collect());
    BlockRandomness::set(None);
}

/// Returns a chain in block 1 on which accounts have these balances.
pub fn funded_chain<Runtime>(balances: Vec<(AccountId, Balance)>) -> TestExternalities
where
    Runtime: frame_system::Config<AccountId = AccountId> + pallet_balances::Config<Balance = Balance>,
{
    let mut storage = frame_system::GenesisConfig::<Runtime>::default()
        .build_storage()
        .expect("the default genesis is valid");
    let genesis = pallet_balances::GenesisConfig::<Runtime> {
        balances,
        ..Default::default()
    };
    genesis
        .assimilate_storage(&mut storage)
        .expect("a balances genesis is valid");
    let mut ext = TestExternalities::from(storage);
    ext.execute_with(|| frame_system::Pallet::<Runtime>::set_block_number(1u32.into()));
    ext
}

/// Why a transaction fails.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    /// `authorize` refuses the transaction.
    Refused(TransactionValidityError),
    /// The call returns an error.
    Dispatch(DispatchError),
}

/// Returns the result of [`submit`] when `authorize` refuses the transaction with `error`.
pub fn refused(error: impl Into<TransactionValidityError>) -> Result<(), Failed> {
    Err(Failed::Refused(error.into()))
}

/// Authorizes and dispatches a call, as the transaction extension `AuthorizeCall` does.
///
/// # Panics
/// If the call has no `authorize`.
pub fn submit<Call>(call: Call) -> Result<(), Failed>
where
    Call: Authorize + Dispatchable,
    Call::RuntimeOrigin: From<RawOrigin<AccountId>>,
{
    call.authorize(TransactionSource::External)
        .expect("the call has an authorize function")
        .map_err(Failed::Refused)?;
    call.dispatch(RawOrigin::Authorized.into())
        .map(|_| ())
        .map_err(|error| Failed::Dispatch(error.error))
}

/// Whether the current block has emitted the event.
pub fn emitted<Runtime: frame_system::Config>(event: impl Into<Runtime::RuntimeEvent>) -> bool {
    let event = event.into();
    let events = frame_system::Pallet::<Runtime>::events();
    events.into_iter().any(|record| record.event == event)
}

/// Puts the keys of these members into the keystore of `ext`.
fn register_keys(ext: &mut TestExternalities, members: &[AccountId]) {
    let keystore = MemoryKeystore::new();
    for member in members {
        keystore
            .sr25519_generate_new(COMMITTEE_KEY_TYPE, Some(&key_seed(*member)))
            .expect("the keystore accepts a seed");
    }
    ext.register_extension(KeystoreExt::new(keystore));
}

/// The offchain side of a node: a keystore, a transaction pool and, with [`TestNode::new`], an engine.
pub struct TestNode {
    /// The engine, whose results a test sets.
    pub engine: Arc<FakeEngine>,
    pool: Arc<RwLock<PoolState>>,
}

impl TestNode {
    /// Registers the externalities of a node that holds the keys of these members.
    pub fn new(ext: &mut TestExternalities, members: &[AccountId]) -> Self {
        let node = Self::without_engine(ext, members);
        ext.register_extension(ComputeExt::new(node.engine.clone()));
        node
    }

    /// Registers the externalities of a node without an engine: every job fails with `NoEngine`.
    pub fn without_engine(ext: &mut TestExternalities, members: &[AccountId]) -> Self {
        register_keys(ext, members);
        let (offchain, _) = TestOffchainExt::new();
        let (transactions, pool) = TestTransactionPoolExt::new();
        ext.register_extension(OffchainDbExt::new(offchain.clone()));
        ext.register_extension(OffchainWorkerExt::new(offchain));
        ext.register_extension(TransactionPoolExt::new(transactions));
        Self {
            engine: FakeEngine::new(),
            pool,
        }
    }

    /// Removes the transactions from the pool and returns their calls.
    ///
    /// # Panics
    /// If a transaction does not decode.
    pub fn take_calls<Call, Runtime>(&self) -> Vec<Call>
    where
        Extrinsic<Call, Runtime>: Decode,
        Runtime: frame_system::Config,
    {
        let transactions = std::mem::take(&mut self.pool.write().transactions);
        let decode = |bytes: Vec<u8>| Extrinsic::<Call, Runtime>::decode(&mut &bytes[..]);
        transactions
            .into_iter()
            .map(|bytes| decode(bytes).expect("the pool holds transactions").function)
            .collect()
    }
}

/// Implements `CreateAuthorizedTransaction` for a mock runtime.
#[macro_export]
macro_rules! impl_authorized_transactions {
    ($runtime:ty) => {
        impl<LocalCall> frame_system::offchain::CreateTransactionBase<LocalCall> for $runtime
        where
            <$runtime as frame_system::Config>::RuntimeCall: From<LocalCall>,
        {
            type RuntimeCall = <$runtime as frame_system::Config>::RuntimeCall;
            type Extrinsic = $crate::Extrinsic<Self::RuntimeCall, $runtime>;
        }

        impl<LocalCall> frame_system::offchain::CreateTransaction<LocalCall> for $runtime
        where
            <$runtime as frame_system::Config>::RuntimeCall: From<LocalCall>,
        {
            type Extension = frame_system::AuthorizeCall<$runtime>;
            fn create_transaction(call: Self::RuntimeCall, extension: Self::Extension) -> Self::Extrinsic {
                Self::Extrinsic::new_transaction(call, extension)
            }
        }

        impl<LocalCall> frame_system::offchain::CreateAuthorizedTransaction<LocalCall> for $runtime
        where
            <$runtime as frame_system::Config>::RuntimeCall: From<LocalCall>,
        {
            fn create_extension() -> Self::Extension {
                frame_system::AuthorizeCall::new()
            }
        }
    };
}
