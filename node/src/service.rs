// SPDX-License-Identifier: GPL-3.0-only
//! The running node: network, consensus, offchain workers.

use crate::{
    cli::ComputeParams,
    client::Block,
    compute,
    partial::{self, Consensus, PartialNode, JUSTIFICATION_PERIOD},
    rpc::local::{LocalRpc, LocalServer},
};
use agorai_blobs::serve::{Responder, ServeLimits, Server};
use agorai_engine_interface::ComputeExt;
use futures::{FutureExt, StreamExt};
use sc_client_api::Backend;
use sc_network::{
    config::{FullNetworkConfiguration, NetworkBackendType},
    Event, NetworkBackend, NetworkEventStream,
};
use sc_network_sync::WarpSyncConfig;
use sc_service::{error::Error as ServiceError, Configuration, PartialComponents, TaskManager};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_runtime::traits::Block as BlockT;
use std::{sync::Arc, time::Duration};

/// Fraction of a slot in which a block must be built.
const PROPOSAL_PORTION: f32 = 2f32 / 3f32;
/// Interval at which GRANDPA gossips its messages.
const GOSSIP_DURATION: Duration = Duration::from_millis(333);

type BlockHash = <Block as BlockT>::Hash;
/// The only supported network backend.
type Network = sc_network::Litep2pNetworkBackend;

/// Returns the responder for blob requests of peers, given the server of the node's store.
pub type BlobResponder = fn(Server) -> Arc<dyn Responder>;

/// Starts a full node; a validator if the role in `config` is authority.
pub fn new_full(
    config: Configuration,
    compute: ComputeParams,
    blob_responder: BlobResponder,
) -> Result<TaskManager, ServiceError> {
    if !matches!(config.network.network_backend, NetworkBackendType::Litep2p) {
        return Err(ServiceError::Other(
            "the only supported network backend is litep2p: omit --network-backend".into(),
        ));
    }
    let parts: PartialNode = partial::new(&config)?;
    let PartialComponents {
        client,
        backend,
        mut task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: (rpc_builder, consensus, mut telemetry),
    } = parts;
    let Consensus {
        block_import,
        grandpa,
        babe,
        voter_state,
    } = consensus;

    let metrics =
        <Network as NetworkBackend<Block, BlockHash>>::register_notification_metrics(config.prometheus_registry());
    let mut net_config = FullNetworkConfiguration::<Block, BlockHash, Network>::new(
        &config.network,
        config.prometheus_registry().cloned(),
    );
    let genesis_hash = partial::genesis_hash(&client)?;
    let grandpa_protocol = sc_consensus_grandpa::protocol_standard_name(&genesis_hash, &config.chain_spec);
    let (grandpa_protocol_config, grandpa_notifications) =
        sc_consensus_grandpa::grandpa_peers_set_config::<Block, Network>(
            grandpa_protocol.clone(),
            metrics.clone(),
            net_config.peer_store_handle(),
        );
    net_config.add_notification_protocol(grandpa_protocol_config);

    let store = compute::open_store(&config, &compute)?;
    let blob_protocol = agorai_blobs::service::protocol_name(genesis_hash, config.chain_spec.fork_id());
    let (blob_config, blob_server) = agorai_blobs::service::request_response_config::<Block, Network>(
        blob_protocol.clone(),
        blob_responder(Server::new(store.clone(), ServeLimits::default())),
    );
    net_config.add_request_response_protocol(blob_config);

    let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
        backend.clone(),
        grandpa.shared_authority_set().clone(),
        Vec::new(),
    ));
    let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
        sc_service::build_network(sc_service::BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: transaction_pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    task_manager.spawn_handle().spawn("blobs", Some("blobs"), blob_server);
    let tokio = config.tokio_handle.clone();
    let blobs = agorai_blobs::service::blobs(
        store,
        network.clone(),
        sync_service.clone(),
        blob_protocol,
        tokio.clone(),
    );
    let engine = compute::start_engine(&compute, blobs.clone(), &tokio)?;
    let local = LocalRpc {
        client: client.clone(),
        blobs,
        engine: engine.clone(),
        info: compute::info(&compute),
    };
    let rpc_builder = Box::new(move |executor| {
        let mut module = rpc_builder(executor)?;
        module
            .merge(local.clone().into_rpc())
            .map_err(|error| ServiceError::Application(error.into()))?;
        Ok(module)
    });

    if config.offchain_worker.enabled {
        let workers = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
            runtime_api_provider: client.clone(),
            keystore: Some(keystore_container.keystore()),
            offchain_db: backend.offchain_storage(),
            transaction_pool: Some(OffchainTransactionPoolFactory::new(transaction_pool.clone())),
            network_provider: Arc::new(network.clone()),
            is_validator: config.role.is_authority(),
            enable_http_requests: false,
            custom_extensions: move |_| vec![Box::new(ComputeExt(engine.clone())) as _],
        })?;
        task_manager.spawn_handle().spawn(
            "offchain-workers-runner",
            "offchain-work",
            workers.run(client.clone(), task_manager.spawn_handle()).boxed(),
        );
    }

    let role = config.role;
    let force_authoring = config.force_authoring;
    let disable_grandpa = config.disable_grandpa;
    let name = config.network.node_name.clone();
    let registry = config.prometheus_registry().cloned();
    let discovery = sc_authority_discovery::WorkerConfig {
        publish_non_global_ips: config.network.allow_non_globals_in_dht,
        public_addresses: config.network.public_addresses.clone(),
        strict_record_validation: true,
        persisted_cache_directory: config.network.net_config_path.clone(),
        ..Default::default()
    };

    sc_service::spawn_tasks(sc_service::SpawnTasksParams {
        config,
        client: client.clone(),
        backend,
        task_manager: &mut task_manager,
        keystore: keystore_container.keystore(),
        transaction_pool: transaction_pool.clone(),
        rpc_builder,
        network: network.clone(),
        system_rpc_tx,
        tx_handler_controller,
        sync_service: sync_service.clone(),
        telemetry: telemetry.as_mut(),
        tracing_execute_block: None,
    })?;

    if role.is_authority() {
        let events = network
            .event_stream("authority-discovery")
            .filter_map(|event| async move {
                match event {
                    Event::Dht(event) => Some(event),
                    _ => None,
                }
            });
        let (worker, _service) = sc_authority_discovery::new_worker_and_service_with_config(
            discovery,
            client.clone(),
            Arc::new(network.clone()),
            Box::pin(events),
            sc_authority_discovery::Role::PublishAndDiscover(keystore_container.keystore()),
            registry.clone(),
            task_manager.spawn_handle(),
        );
        task_manager
            .spawn_handle()
            .spawn("authority-discovery-worker", Some("networking"), worker.run());

        let slot_duration = babe.config().slot_duration();
        let worker = sc_consensus_babe::start_babe(sc_consensus_babe::BabeParams {
            keystore: keystore_container.keystore(),
            client: client.clone(),
            select_chain,
            env: sc_basic_authorship::ProposerFactory::new(
                task_manager.spawn_handle(),
                client,
                transaction_pool.clone(),
                registry.as_ref(),
                telemetry.as_ref().map(|telemetry| telemetry.handle()),
            ),
            block_import,
            sync_oracle: sync_service.clone(),
            justification_sync_link: sync_service.clone(),
            create_inherent_data_providers: move |_, ()| async move {
                let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
                let slot = sp_consensus_babe::inherents::InherentDataProvider::from_timestamp_and_slot_duration(
                    *timestamp,
                    slot_duration,
                );
                Ok((slot, timestamp))
            },
            force_authoring,
            // Block production continues when finality lags, so that running jobs do not depend on offline voters.
            backoff_authoring_blocks: None::<()>,
            babe_link: babe,
            block_proposal_slot_portion: sc_consensus_babe::SlotProportion::new(PROPOSAL_PORTION),
            max_block_proposal_slot_portion: None,
            telemetry: telemetry.as_ref().map(|telemetry| telemetry.handle()),
        })?;
        task_manager
            .spawn_essential_handle()
            .spawn_blocking("babe", Some("block-authoring"), worker);
    }

    if !disable_grandpa {
        let voter = sc_consensus_grandpa::run_grandpa_voter(sc_consensus_grandpa::GrandpaParams {
            config: sc_consensus_grandpa::Config {
                gossip_duration: GOSSIP_DURATION,
                justification_generation_period: JUSTIFICATION_PERIOD,
                name: Some(name),
                observer_enabled: false,
                keystore: role.is_authority().then(|| keystore_container.keystore()),
                local_role: role,
                telemetry: telemetry.as_ref().map(|telemetry| telemetry.handle()),
                protocol_name: grandpa_protocol,
            },
            link: grandpa,
            network,
            sync: sync_service,
            notification_service: grandpa_notifications,
            voting_rule: sc_consensus_grandpa::VotingRulesBuilder::default().build(),
            prometheus_registry: registry,
            shared_voter_state: voter_state,
            telemetry: telemetry.as_ref().map(|telemetry| telemetry.handle()),
            offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(transaction_pool),
        })?;
        task_manager
            .spawn_essential_handle()
            .spawn_blocking("grandpa-voter", None, voter);
    }

    Ok(task_manager)
}
