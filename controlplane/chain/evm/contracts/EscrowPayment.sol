// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {EscrowBase} from "./EscrowBase.sol";
import {EscrowBatch} from "./EscrowBatch.sol";
import {EscrowPurchase} from "./EscrowPurchase.sol";
import {INodeRegistry} from "./INodeRegistry.sol";
import {Head, Status, SessionRecord, Split, DRAWN_EXCESS, DRAWN_REST} from "./SessionRecord.sol";

/// @title Escrow of prepaid VPN sessions
/// @notice A session is a prepaid, unidirectional channel for bytes. The buyer's deposit leaves
/// this contract by three ways only: to the operator and the treasury for bytes that a voucher, an
/// attestation, an accepted or an undisputed proposal proves, and to the buyer for the rest. There
/// is no owner power over deposits and credits, no upgrade and no pause.
contract EscrowPayment is EscrowPurchase, EscrowBatch {
	using SessionRecord for Head;

	/// @param owner_ may set fee and treasury of sessions to come
	/// @param feeCapBps_ highest fee ever, 1/10,000
	constructor(
		INodeRegistry registry_,
		address owner_,
		address treasury_,
		uint256 feeCapBps_
	)
		EIP712("tollwire EscrowPayment", "1")
		EscrowBase(registry_)
		EscrowPurchase(owner_, treasury_, feeCapBps_)
	{}

	/// @notice All there is to know of a session.
	function getSession(bytes32 sessionId) external view returns (SessionView memory view_) {
		Head memory head = _load(sessionId);
		Session storage session = _sessions[sessionId];
		TermsRecord storage terms = _terms[head.termsId];
		view_.status = head.status;
		view_.mode = head.mode;
		view_.buyer = session.buyer;
		view_.voucherSigner = _voucherSigner(sessionId, head);
		view_.boughtBytes = head.boughtBytes();
		view_.claimedBytes = head.claimedBytes;
		view_.proposedBytes = head.proposedBytes;
		view_.createdAt = session.createdAt;
		view_.expiry = session.expiry;
		view_.deadline = head.deadline;
		view_.termsHash = terms.termsHash;
		view_.nodeId = terms.nodeId;
		view_.asset = terms.asset;
		view_.pricePerGB = terms.pricePerGB;
		view_.payout = terms.payout;
		view_.feeBps = terms.feeBps;
		view_.treasury = terms.treasury;
		view_.attestor = terms.attestor;
		view_.windowSec = terms.windowSec;
		view_.graceSec = terms.graceSec;
		view_.deposit = Split.cost(view_.boughtBytes, view_.pricePerGB);
		view_.refundable = _refundable(head, view_.pricePerGB);
		view_.held = _held(head, view_);
	}

	/// @notice The EIP-712 domain separator of vouchers and attestations.
	function domainSeparator() external view returns (bytes32) {
		return _domainSeparatorV4();
	}

	function _held(Head memory head, SessionView memory view_) private pure returns (uint256) {
		if (head.flags & DRAWN_REST != 0) return 0;
		uint256 top = view_.deposit;
		if (head.flags & DRAWN_EXCESS != 0)
			top = Split.cost(head.proposedBytes, view_.pricePerGB);
		return top - Split.cost(head.claimedBytes, view_.pricePerGB);
	}
}
