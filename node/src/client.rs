// SPDX-License-Identifier: GPL-3.0-only
//! The node's block type, client and database.

use agorai_runtime::{Header, RuntimeApi};
use sc_executor::WasmExecutor;

/// A block with opaque transactions: only the runtime decodes them, because an upgraded runtime may change their
/// format.
pub type Block = sp_runtime::generic::Block<Header, sp_runtime::OpaqueExtrinsic>;
/// The host functions that the runtime may import.
pub type HostFunctions = (sp_io::SubstrateHostFunctions, agorai_engine_interface::HostFunctions);
/// The client of the chain: storage, runtime calls, block import.
pub type FullClient = sc_service::TFullClient<Block, RuntimeApi, WasmExecutor<HostFunctions>>;
/// The database behind the client.
pub type FullBackend = sc_service::TFullBackend<Block>;
/// The fork choice rule: the longest chain that contains the finalized block.
pub type SelectChain = sc_consensus::LongestChain<FullBackend, Block>;
