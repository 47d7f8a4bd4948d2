// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IEscrowPayment} from "./IEscrowPayment.sol";
import {INodeRegistry} from "./INodeRegistry.sol";
import {
	Head,
	Status,
	SessionRecord,
	Split,
	DRAWN_EXCESS,
	DRAWN_REST,
	SIGNER_IS_BUYER
} from "./SessionRecord.sol";

/// @title Storage and arithmetic that every part of the escrow shares
/// @notice A session is three words: what settling writes, the buyer with the times, the voucher
/// signer. Price, asset, payout, fee, treasury, attestor and windows are copied at creation into a
/// record that is never changed; sessions with equal terms share it, which saves four fresh words
/// for each sale and three cold reads for each settlement in a batch.
abstract contract EscrowBase is IEscrowPayment, EIP712, ReentrancyGuardTransient {
	using SessionRecord for Head;

	bytes32 public constant VOUCHER_TYPEHASH = keccak256(
		"UsageVoucher(bytes32 sessionId,uint256 cumulativeBytes)"
	);
	bytes32 public constant ATTESTATION_TYPEHASH = keccak256(
		"UsageAttestation(bytes32 sessionId,uint256 bytesUsed,bytes32 checkpointsRoot)"
	);

	INodeRegistry public immutable registry;

	/// Written once, when the first session under these terms is created.
	struct TermsRecord {
		address payout;
		uint96 pricePerGB;
		address asset;
		uint64 nodeId;
		uint16 feeBps;
		address treasury;
		uint32 windowSec;
		uint32 graceSec;
		address attestor;
		bytes32 termsHash;
	}

	struct Session {
		uint256 head; // SessionRecord
		address buyer;
		uint40 createdAt;
		uint40 expiry;
		address voucherSigner; // not written where SIGNER_IS_BUYER
	}

	mapping(bytes32 sessionId => Session) internal _sessions;
	mapping(uint256 termsId => TermsRecord) internal _terms;
	/// @notice What `withdraw` would pay: operators' and treasury's credits, smallest units of
	/// the asset.
	mapping(address account => mapping(address asset => uint256)) public withdrawable;

	constructor(INodeRegistry registry_) {
		if (address(registry_).code.length == 0) revert BadAddress();
		registry = registry_;
	}

	function _load(bytes32 sessionId) internal view returns (Head memory head) {
		head = SessionRecord.unpack(_sessions[sessionId].head);
		if (head.status == Status.None) revert UnknownSession();
	}

	function _store(bytes32 sessionId, Head memory head) internal {
		_sessions[sessionId].head = head.pack();
	}

	function _requireOperatorOrSettler(uint256 nodeId) internal view {
		if (!registry.maySettle(nodeId, msg.sender)) revert NotOperatorOrSettler();
	}

	/// Checks are shared by single calls, which revert with the reason, and batches, which
	/// report it.
	function _require(bytes4 reason) internal pure {
		if (reason != 0) {
			assembly ("memory-safe") {
				mstore(0, reason)
				revert(0, 4)
			}
		}
	}

	function _credit(address account, address asset, uint256 amount) internal {
		if (amount != 0) withdrawable[account][asset] += amount;
	}

	/// ECDSA alone, never the signer's code: ERC-1271 would let a contract disown a voucher
	/// after the service.
	function _signedBy(
		address signer,
		bytes32 structHash,
		bytes32 r,
		bytes32 vs
	) internal view returns (bool) {
		if (signer == address(0)) return false;
		(address recovered, ECDSA.RecoverError err, ) = ECDSA.tryRecover(
			_hashTypedDataV4(structHash),
			r,
			vs
		);
		return err == ECDSA.RecoverError.NoError && recovered == signer;
	}

	/// 0 where the buyer named nobody.
	function _voucherSigner(
		bytes32 sessionId,
		Head memory head
	) internal view returns (address) {
		Session storage session = _sessions[sessionId];
		return head.flags & SIGNER_IS_BUYER != 0 ? session.buyer : session.voucherSigner;
	}

	function _isVoucher(
		bytes32 sessionId,
		Head memory head,
		Voucher calldata voucher
	) internal view returns (bool) {
		bytes32 structHash = keccak256(
			abi.encode(VOUCHER_TYPEHASH, sessionId, voucher.cumulativeBytes)
		);
		return
			_signedBy(
				_voucherSigner(sessionId, head),
				structHash,
				voucher.r,
				voucher.vs
			);
	}

	function _isAttestation(
		bytes32 sessionId,
		address attestor,
		uint256 bytesUsed,
		bytes32 checkpointsRoot,
		Attestation calldata attestation
	) internal view returns (bool) {
		bytes32 structHash = keccak256(
			abi.encode(ATTESTATION_TYPEHASH, sessionId, bytesUsed, checkpointsRoot)
		);
		return _signedBy(attestor, structHash, attestation.r, attestation.vs);
	}

	/// What the buyer can draw now: above a disputed proposal at once, the rest when settled.
	function _refundable(
		Head memory head,
		uint256 pricePerGB
	) internal pure returns (uint256 amount) {
		if (head.status != Status.Disputed && head.status != Status.Settled) return 0;
		if (head.flags & DRAWN_REST != 0) return 0;
		uint256 deposit = Split.cost(head.boughtBytes(), pricePerGB);
		uint256 excess = deposit - Split.cost(head.proposedBytes, pricePerGB);
		bool excessDrawn = head.flags & DRAWN_EXCESS != 0;
		if (head.status == Status.Disputed) return excessDrawn ? 0 : excess;
		amount = deposit - Split.cost(head.claimedBytes, pricePerGB);
		// Only a dispute lets the excess be drawn early, and then nothing above the
		// proposal can be claimed any more.
		if (excessDrawn) amount -= excess;
	}
}
