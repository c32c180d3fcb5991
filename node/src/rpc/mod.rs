// SPDX-License-Identifier: GPL-3.0-only
//! The RPC methods that the node adds to those of every Substrate node.

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

/// The components that the RPC methods read.
pub struct Deps<C, P, SC, B> {
    /// The client of the chain.
    pub client: Arc<C>,
    /// The transaction pool.
    pub pool: Arc<P>,
    /// The fork choice rule.
    pub select_chain: SC,
    /// Handle of the BABE worker.
    pub babe: BabeWorkerHandle<Block>,
    /// The node's keystore.
    pub keystore: KeystorePtr,
    /// The components of the GRANDPA methods.
    pub grandpa: GrandpaDeps<B>,
}

/// The components that the GRANDPA methods read.
pub struct GrandpaDeps<B> {
    /// State of the voter.
    pub voter_state: SharedVoterState,
    /// The authority set.
    pub authority_set: SharedAuthoritySet<Hash, BlockNumber>,
    /// Stream of new justifications.
    pub justifications: GrandpaJustificationStream<Block>,
    /// Runs subscriptions.
    pub executor: SubscriptionTaskExecutor,
    /// Builds proofs of finality.
    pub proofs: Arc<FinalityProofProvider<B, Block>>,
}

/// Builds the RPC module: system, transaction payment, BABE and GRANDPA. [`local`] is added later.
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
