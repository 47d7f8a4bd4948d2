// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Why a node does not sell; the escrow passes these on, so they stand in its ABI as well.
interface INodeErrors {
	error UnknownNode();
	error NodeInactive();
	error AssetNotPriced();
	error AttestorNotAccepted();
}

/// @title What the escrow reads from and writes to the registry
/// @notice Nothing here moves money: the registry is a listing plus two totals that only the escrow
/// may raise.
interface INodeRegistry is INodeErrors {
	/// @notice What a node offers at this moment for one asset.
	/// @param pricePerGB smallest units of the asset for 10^9 bytes, never 0
	/// @param payout address that is credited with the operator's share
	/// @param usageSigner key that signs usage checkpoints off chain
	/// @param wgPublicKey the node's WireGuard (Curve25519) public key, as its 32 wire octets
	/// @param windowSec length of the dispute window, seconds
	/// @param graceSec time the node keeps for claiming after the end of a session, seconds
	struct Offer {
		uint256 pricePerGB;
		address payout;
		address usageSigner;
		bytes32 wgPublicKey;
		uint256 windowSec;
		uint256 graceSec;
	}

	/// @notice The offer of an active node; reverts with the reason where there is none.
	/// @param asset token, or 0 for the chain's native coin
	/// @param attestor 0 for none; otherwise one that the node's entry accepts
	function offerOf(
		uint256 nodeId,
		address asset,
		address attestor
	) external view returns (Offer memory);

	/// @notice Same, and counts one session more. Escrow only.
	function openSession(
		uint256 nodeId,
		address asset,
		address attestor
	) external returns (Offer memory);

	/// @notice Adds to the node's total of bytes served. Escrow only.
	/// @param servedBytes inner bytes that were settled
	function addServed(uint256 nodeId, uint256 servedBytes) external;

	/// @notice True for the node's operator and for its settler.
	function maySettle(uint256 nodeId, address caller) external view returns (bool);

	/// @notice True while the node exists and sells.
	function isActive(uint256 nodeId) external view returns (bool);
}
