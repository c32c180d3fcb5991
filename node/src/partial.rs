// SPDX-License-Identifier: GPL-3.0-only
//! The components of a node that need no network: client, database, transaction pool, import queue.

use crate::{
    client::{Block, FullBackend, FullClient, HostFunctions, SelectChain},
    rpc,
};
use agorai_runtime::{Hash, RuntimeApi};
use sc_client_api::BlockBackend;
use sc_consensus_babe::{BabeBlockImport, BabeLink};
use sc_consensus_grandpa::{
    FinalityProofProvider, GrandpaBlockImport, GrandpaPruningFilter, LinkHalf, SharedVoterState,
};
use sc_executor::{HeapAllocStrategy, WasmExecutor, DEFAULT_HEAP_ALLOC_STRATEGY};
use sc_rpc::SubscriptionTaskExecutor;
use sc_service::{error::Error as ServiceError, Configuration, PartialComponents};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool::TransactionPoolHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_babe::inherents::BabeCreateInherentDataProviders;
use std::sync::Arc;

type GrandpaImport = GrandpaBlockImport<FullBackend, Block, FullClient, SelectChain>;
/// The block import pipeline: BABE, then GRANDPA, then the client.
pub type BlockImport =
    BabeBlockImport<Block, FullClient, GrandpaImport, BabeCreateInherentDataProviders<Block>, SelectChain>;
/// Builds the RPC module of a node.
pub type RpcBuilder = Box<dyn Fn(SubscriptionTaskExecutor) -> Result<jsonrpsee::RpcModule<()>, ServiceError>>;

/// The consensus components of a running node.
pub struct Consensus {
    /// Verifies and imports blocks.
    pub block_import: BlockImport,
    /// Connects the block import with the GRANDPA voter.
    pub grandpa: LinkHalf<Block, FullClient, SelectChain>,
    /// BABE's configuration and epoch changes.
    pub babe: BabeLink<Block>,
    /// State of the GRANDPA voter, shared with the RPC.
    pub voter_state: SharedVoterState,
}

/// The components that [`new`] returns.
pub type PartialNode = PartialComponents<
    FullClient,
    FullBackend,
    SelectChain,
    sc_consensus::DefaultImportQueue<Block>,
    TransactionPoolHandle<Block, FullClient>,
    (RpcBuilder, Consensus, Option<Telemetry>),
>;

/// Interval in blocks at which GRANDPA justifications are stored.
pub const JUSTIFICATION_PERIOD: u32 = 512;

/// Opens the database and builds the components that need no network.
pub fn new(config: &Configuration) -> Result<PartialNode, ServiceError> {
    let telemetry = config
        .telemetry_endpoints
        .clone()
        .filter(|endpoints| !endpoints.is_empty())
        .map(|endpoints| -> Result<_, sc_telemetry::Error> {
            let worker = TelemetryWorker::new(16)?;
            let telemetry = worker.handle().new_telemetry(endpoints);
            Ok((worker, telemetry))
        })
        .transpose()?;

    let heap = config
        .executor
        .default_heap_pages
        .map_or(DEFAULT_HEAP_ALLOC_STRATEGY, |pages| HeapAllocStrategy::Static {
            extra_pages: pages as _,
        });
    let executor = WasmExecutor::<HostFunctions>::builder()
        .with_execution_method(config.executor.wasm_method)
        .with_onchain_heap_alloc_strategy(heap)
        .with_offchain_heap_alloc_strategy(heap)
        .with_max_runtime_instances(config.executor.max_runtime_instances)
        .with_runtime_cache_size(config.executor.runtime_cache_size)
        .build();

    let (client, backend, keystore_container, task_manager) = sc_service::new_full_parts::<Block, RuntimeApi, _>(
        config,
        telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
        executor,
        // Warp sync proofs need the blocks with GRANDPA justifications.
        vec![Arc::new(GrandpaPruningFilter)],
    )?;
    let client = Arc::new(client);

    let telemetry = telemetry.map(|(worker, telemetry)| {
        task_manager.spawn_handle().spawn("telemetry", None, worker.run());
        telemetry
    });

    let select_chain = sc_consensus::LongestChain::new(backend.clone());
    let transaction_pool = Arc::from(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );

    let (grandpa_import, grandpa) = sc_consensus_grandpa::block_import(
        client.clone(),
        JUSTIFICATION_PERIOD,
        &client,
        select_chain.clone(),
        telemetry.as_ref().map(|telemetry| telemetry.handle()),
    )?;
    let babe_config = sc_consensus_babe::configuration(&*client)?;
    let slot_duration = babe_config.slot_duration();
    let (block_import, babe) = sc_consensus_babe::block_import(
        babe_config,
        grandpa_import.clone(),
        client.clone(),
        Arc::new(move |_, _| async move {
            let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
            let slot = sp_consensus_babe::inherents::InherentDataProvider::from_timestamp_and_slot_duration(
                *timestamp,
                slot_duration,
            );
            Ok((slot, timestamp))
        }) as BabeCreateInherentDataProviders<Block>,
        select_chain.clone(),
        OffchainTransactionPoolFactory::new(transaction_pool.clone()),
    )?;

    let (import_queue, babe_worker) = sc_consensus_babe::import_queue(sc_consensus_babe::ImportQueueParams {
        link: babe.clone(),
        block_import: block_import.clone(),
        justification_import: Some(Box::new(grandpa_import)),
        client: client.clone(),
        slot_duration,
        spawner: &task_manager.spawn_essential_handle(),
        registry: config.prometheus_registry(),
        telemetry: telemetry.as_ref().map(|telemetry| telemetry.handle()),
    })?;

    let voter_state = SharedVoterState::empty();
    let authority_set = grandpa.shared_authority_set().clone();
    let proofs = FinalityProofProvider::new_for_service(backend.clone(), Some(authority_set.clone()));
    let rpc_builder = {
        let (client, pool, select_chain) = (client.clone(), transaction_pool.clone(), select_chain.clone());
        let (keystore, voter_state) = (keystore_container.keystore(), voter_state.clone());
        let justifications = grandpa.justification_stream();
        move |executor: SubscriptionTaskExecutor| {
            rpc::create(rpc::Deps {
                client: client.clone(),
                pool: pool.clone(),
                select_chain: select_chain.clone(),
                babe: babe_worker.clone(),
                keystore: keystore.clone(),
                grandpa: rpc::GrandpaDeps {
                    voter_state: voter_state.clone(),
                    authority_set: authority_set.clone(),
                    justifications: justifications.clone(),
                    executor,
                    proofs: proofs.clone(),
                },
            })
            .map_err(ServiceError::Application)
        }
    };

    Ok(PartialComponents {
        client,
        backend,
        task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: (
            Box::new(rpc_builder),
            Consensus {
                block_import,
                grandpa,
                babe,
                voter_state,
            },
            telemetry,
        ),
    })
}

/// Returns the hash of the genesis block.
pub fn genesis_hash(client: &FullClient) -> Result<Hash, ServiceError> {
    client
        .block_hash(0)?
        .ok_or_else(|| ServiceError::Other("the database has no genesis block: delete it with purge-chain".into()))
}
