// SPDX-License-Identifier: GPL-3.0-only
//! What the node answers, beyond what every Substrate node does.

pub mod local;

use crate::client::Block;
use agorai_runtime::{AccountId, Balance, BlockNumber, Hash, Nonce};
use jsonrpsee::RpcModule;
use sc_client_api::{AuxStore, Backend};
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_grandpa::{FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState};
use sc_rpc::SubscriptionTaskExecutor;
use sc_transaction_pool_api::TransactionPool;
use sp_api::ProvideRuntimeApi;
use sp_block_builder::BlockBuilder;
use sp_blockchain::{HeaderBackend, HeaderMetadata};
use sp_consensus::SelectChain;
use sp_consensus_babe::BabeApi;
use sp_keystore::KeystorePtr;
use std::sync::Arc;

/// What the answers are made from.
pub struct Deps<C, P, SC, B> {
    /// The chain.
    pub client: Arc<C>,
    /// Transactions that wait.
    pub pool: Arc<P>,
    /// Which fork is followed.
    pub select_chain: SC,
    /// Asks BABE for epochs.
    pub babe: BabeWorkerHandle<Block>,
    /// This node's keys.
    pub keystore: KeystorePtr,
    /// GRANDPA's votes.
    pub grandpa: GrandpaDeps<B>,
}

/// What GRANDPA's answers are made from.
pub struct GrandpaDeps<B> {
    /// Votes of the current round.
    pub voter_state: SharedVoterState,
    /// Who votes.
    pub authority_set: SharedAuthoritySet<Hash, BlockNumber>,
    /// Justifications as they come.
    pub justifications: GrandpaJustificationStream<Block>,
    /// Runs subscriptions.
    pub executor: SubscriptionTaskExecutor,
    /// Proves finality.
    pub proofs: Arc<FinalityProofProvider<B, Block>>,
}

/// All answers of this node that are not the SDK's own.
pub fn create<C, P, SC, B>(deps: Deps<C, P, SC, B>) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>>
where
    C: ProvideRuntimeApi<Block>
        + HeaderBackend<Block>
        + HeaderMetadata<Block, Error = sp_blockchain::Error>
        + AuxStore
        + Send
        + Sync
        + 'static,
    C::Api: substrate_frame_rpc_system::AccountNonceApi<Block, AccountId, Nonce>
        + pallet_transaction_payment_rpc::TransactionPaymentRuntimeApi<Block, Balance>
        + BabeApi<Block>
        + BlockBuilder<Block>,
    P: TransactionPool + 'static,
    SC: SelectChain<Block> + 'static,
    B: Backend<Block> + Send + Sync + 'static,
{
    use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
    use sc_consensus_babe_rpc::{Babe, BabeApiServer};
    use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
    use substrate_frame_rpc_system::{System, SystemApiServer};

    let Deps {
        client,
        pool,
        select_chain,
        babe,
        keystore,
        grandpa,
    } = deps;
    let GrandpaDeps {
        voter_state,
        authority_set,
        justifications,
        executor,
        proofs,
    } = grandpa;

    let mut module = RpcModule::new(());
    module.merge(System::new(client.clone(), pool).into_rpc())?;
    module.merge(TransactionPayment::new(client.clone()).into_rpc())?;
    module.merge(Babe::new(client, babe, keystore, select_chain).into_rpc())?;
    module.merge(Grandpa::new(executor, authority_set, voter_state, justifications, proofs).into_rpc())?;
    Ok(module)
}
