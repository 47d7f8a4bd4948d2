// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EscrowPayouts} from "./EscrowPayouts.sol";
import {Head, Mode, Status, SessionRecord, Split} from "./SessionRecord.sol";

/// @title Settling one session
/// @notice Who may move a session to its end, when, and with what proof. The checks are functions
/// that return the selector of the error, so that a batch can report what a single call reverts
/// with. The contracts' README has the state machine.
abstract contract EscrowSettlement is EscrowPayouts {
	using SessionRecord for Head;

	/// @notice Time that an attestor has after a dispute.
	uint256 public constant RESOLVE_SEC = 7 days;

	/// The terms that splitting needs.
	struct Rates {
		address payout;
		uint256 pricePerGB;
		address asset;
		uint256 nodeId;
		uint256 feeBps;
		address treasury;
	}

	/// @notice Pays the operator up to a voucher. Operator or settler, in every state before
	/// settled.
	/// @return claimedBytes the total paid for; unchanged where the voucher is not newer
	function claim(
		bytes32 sessionId,
		Voucher calldata voucher
	) external nonReentrant returns (uint256 claimedBytes) {
		Head memory head = _load(sessionId);
		Rates memory rates = _rates(head.termsId);
		_requireOperatorOrSettler(rates.nodeId);
		if (head.status == Status.Settled) revert WrongStatus();
		if (!_isVoucher(sessionId, head, voucher)) revert BadVoucher();
		uint256 limit = head.boughtBytes();
		if (head.status == Status.Proposed || head.status == Status.Disputed)
			limit = head.proposedBytes;
		claimedBytes = voucher.cumulativeBytes < limit ? voucher.cumulativeBytes : limit;
		if (claimedBytes <= head.claimedBytes) return head.claimedBytes;
		(uint256 operatorAmount, uint256 feeAmount) = _raise(head, rates, claimedBytes);
		_store(sessionId, head);
		_creditShares(rates, operatorAmount, feeAmount);
		emit SessionClaimed(sessionId, claimedBytes, operatorAmount, feeAmount);
	}

	/// @notice Settles at once with a voucher that covers bytesUsed, or without one at what was
	/// claimed. Operator or settler, while open or closed and nothing is proposed.
	/// @param checkpointsRoot Merkle root of the usage checkpoints, kept in the event only
	function finalizeSession(
		bytes32 sessionId,
		uint256 bytesUsed,
		bytes32 checkpointsRoot,
		Voucher calldata voucher
	) external nonReentrant {
		Head memory head = _load(sessionId);
		Rates memory rates = _rates(head.termsId);
		_requireOperatorOrSettler(rates.nodeId);
		_require(_checkFinalize(sessionId, head, bytesUsed, voucher));
		_settleOne(sessionId, head, rates, bytesUsed, checkpointsRoot, Path.Finalized);
	}

	/// @notice Settles at once with the attestor's word. Operator or settler, attested mode,
	/// before any dispute.
	function finalizeAttested(
		bytes32 sessionId,
		uint256 bytesUsed,
		bytes32 checkpointsRoot,
		Attestation calldata attestation
	) external nonReentrant {
		Head memory head = _load(sessionId);
		Rates memory rates = _rates(head.termsId);
		_requireOperatorOrSettler(rates.nodeId);
		if (head.mode != Mode.Attested) revert WrongMode();
		if (head.status == Status.Disputed || head.status == Status.Settled)
			revert WrongStatus();
		if (bytesUsed < head.claimedBytes) revert BytesBelowClaimed();
		if (bytesUsed > head.boughtBytes()) revert BytesAboveBought();
		address attestor = _terms[head.termsId].attestor;
		if (!_isAttestation(sessionId, attestor, bytesUsed, checkpointsRoot, attestation))
			revert BadAttestation();
		_settleOne(sessionId, head, rates, bytesUsed, checkpointsRoot, Path.Attested);
	}

	/// @notice Ends the buyer's use; from now on the grace period runs. Buyer, while open.
	function closeSession(bytes32 sessionId) external nonReentrant {
		Head memory head = _load(sessionId);
		Session storage session = _sessions[sessionId];
		if (session.buyer != msg.sender) revert NotBuyer();
		if (head.status != Status.Open) revert WrongStatus();
		uint256 end = session.expiry < block.timestamp ? session.expiry : block.timestamp;
		head.status = Status.Closed;
		head.deadline = uint40(end + _terms[head.termsId].graceSec);
		_store(sessionId, head);
		emit SessionClosed(sessionId, head.deadline);
	}

	/// @notice Proposes what was used, once. Operator or settler, attested and optimistic mode,
	/// while open or closed.
	function proposeSettlement(
		bytes32 sessionId,
		uint256 bytesUsed,
		bytes32 checkpointsRoot
	) external nonReentrant {
		Head memory head = _load(sessionId);
		_requireOperatorOrSettler(_terms[head.termsId].nodeId);
		_require(_checkPropose(head, bytesUsed));
		_propose(
			sessionId,
			head,
			bytesUsed,
			checkpointsRoot,
			_terms[head.termsId].windowSec
		);
	}

	/// @notice Contests a proposal; what the buyer accepts is paid and what lies above the
	/// proposal is its own again, at once. Buyer or voucher signer, within the window.
	/// @param bytesAccepted at least what was claimed, less than the proposal
	function dispute(bytes32 sessionId, uint256 bytesAccepted) external nonReentrant {
		Head memory head = _load(sessionId);
		bool isBuyer = msg.sender == _sessions[sessionId].buyer;
		if (!isBuyer && msg.sender != _voucherSigner(sessionId, head))
			revert NotBuyerOrVoucherSigner();
		if (head.status != Status.Proposed) revert WrongStatus();
		if (block.timestamp >= head.deadline) revert WindowOver();
		if (bytesAccepted < head.claimedBytes) revert BytesBelowClaimed();
		if (bytesAccepted >= head.proposedBytes) revert BytesAboveProposed();
		Rates memory rates = _rates(head.termsId);
		(uint256 operatorAmount, uint256 feeAmount) = _raise(head, rates, bytesAccepted);
		head.status = Status.Disputed;
		head.deadline = uint40(block.timestamp + RESOLVE_SEC);
		_store(sessionId, head);
		_creditShares(rates, operatorAmount, feeAmount);
		emit SettlementDisputed(
			sessionId,
			msg.sender,
			bytesAccepted,
			head.proposedBytes,
			head.deadline
		);
	}

	/// @notice Settles a dispute by the attestor's word. Anyone may carry it, within 7 days.
	/// @param bytesUsed at least what was accepted or claimed, at most the proposal
	function resolve(
		bytes32 sessionId,
		uint256 bytesUsed,
		bytes32 checkpointsRoot,
		Attestation calldata attestation
	) external nonReentrant {
		Head memory head = _load(sessionId);
		if (head.status != Status.Disputed) revert WrongStatus();
		if (block.timestamp >= head.deadline) revert WindowOver();
		if (bytesUsed < head.claimedBytes) revert BytesBelowClaimed();
		if (bytesUsed > head.proposedBytes) revert BytesAboveProposed();
		address attestor = _terms[head.termsId].attestor;
		if (!_isAttestation(sessionId, attestor, bytesUsed, checkpointsRoot, attestation))
			revert BadAttestation();
		_settleOne(
			sessionId,
			head,
			_rates(head.termsId),
			bytesUsed,
			checkpointsRoot,
			Path.Resolved
		);
	}

	/// @notice Settles at the proposal: the buyer at any time, anyone after an undisputed
	/// window. Or, in dispute, at what was accepted or claimed since: anyone, after the
	/// attestor's 7 days.
	function execute(bytes32 sessionId) external nonReentrant {
		Head memory head = _load(sessionId);
		_require(_checkExecute(sessionId, head));
		_settleOne(
			sessionId,
			head,
			_rates(head.termsId),
			_executedBytes(head),
			0,
			Path.Executed
		);
	}

	/// @notice Returns to the buyer what no claim covers. Buyer, where nothing was proposed and
	/// the grace has passed since the earlier of expiry and closeSession.
	function reclaim(bytes32 sessionId) external nonReentrant {
		Head memory head = _load(sessionId);
		Session storage session = _sessions[sessionId];
		if (session.buyer != msg.sender) revert NotBuyer();
		uint256 from = head.deadline;
		if (head.status == Status.Open)
			from = uint256(session.expiry) + _terms[head.termsId].graceSec;
		else if (head.status != Status.Closed) revert WrongStatus();
		if (block.timestamp < from) revert GraceNotOver();
		_settleOne(
			sessionId,
			head,
			_rates(head.termsId),
			head.claimedBytes,
			0,
			Path.Reclaimed
		);
	}

	function _checkFinalize(
		bytes32 sessionId,
		Head memory head,
		uint256 bytesUsed,
		Voucher calldata voucher
	) internal view returns (bytes4) {
		if (head.status != Status.Open && head.status != Status.Closed)
			return WrongStatus.selector;
		if (bytesUsed < head.claimedBytes) return BytesBelowClaimed.selector;
		if (bytesUsed > head.boughtBytes()) return BytesAboveBought.selector;
		if (voucher.r | voucher.vs == 0) {
			return
				bytesUsed == head.claimedBytes
					? bytes4(0)
					: VoucherRequired.selector;
		}
		if (bytesUsed > voucher.cumulativeBytes) return BytesAboveVoucher.selector;
		return _isVoucher(sessionId, head, voucher) ? bytes4(0) : BadVoucher.selector;
	}

	function _checkPropose(Head memory head, uint256 bytesUsed) internal pure returns (bytes4) {
		if (head.mode == Mode.Voucher) return WrongMode.selector;
		if (head.status != Status.Open && head.status != Status.Closed)
			return WrongStatus.selector;
		if (bytesUsed < head.claimedBytes) return BytesBelowClaimed.selector;
		return bytesUsed > head.boughtBytes() ? BytesAboveBought.selector : bytes4(0);
	}

	function _checkExecute(bytes32 sessionId, Head memory head) internal view returns (bytes4) {
		if (head.status != Status.Proposed && head.status != Status.Disputed)
			return WrongStatus.selector;
		if (block.timestamp >= head.deadline) return 0;
		// Accepting a proposal needs no waiting; a dispute is not the buyer's to end.
		if (head.status == Status.Proposed && _sessions[sessionId].buyer == msg.sender)
			return 0;
		return WindowOpen.selector;
	}

	function _executedBytes(Head memory head) internal pure returns (uint256) {
		return head.status == Status.Proposed ? head.proposedBytes : head.claimedBytes;
	}

	function _propose(
		bytes32 sessionId,
		Head memory head,
		uint256 bytesUsed,
		bytes32 checkpointsRoot,
		uint256 windowSec
	) internal {
		uint256 windowEnd = block.timestamp + windowSec;
		if (head.status == Status.Open) {
			uint256 expiry = _sessions[sessionId].expiry;
			if (windowEnd < expiry) windowEnd = expiry;
		}
		head.status = Status.Proposed;
		head.proposedBytes = uint64(bytesUsed);
		head.deadline = uint40(windowEnd);
		_store(sessionId, head);
		emit SettlementProposed(sessionId, bytesUsed, checkpointsRoot, windowEnd);
	}

	/// Raises the paid total in `head` to `bytesUsed`, which was checked to be no less, and
	/// says what the step is worth.
	function _raise(
		Head memory head,
		Rates memory rates,
		uint256 bytesUsed
	) internal pure returns (uint256 operatorAmount, uint256 feeAmount) {
		(operatorAmount, feeAmount) = Split.shares(
			bytesUsed,
			rates.pricePerGB,
			rates.feeBps
		);
		if (head.claimedBytes != 0) {
			(uint256 operatorPaid, uint256 feePaid) = Split.shares(
				head.claimedBytes,
				rates.pricePerGB,
				rates.feeBps
			);
			operatorAmount -= operatorPaid;
			feeAmount -= feePaid;
		}
		head.claimedBytes = uint64(bytesUsed);
	}

	/// Writes the end of a session whose paid total was raised to its last value; pays nothing
	/// to anyone.
	function _settle(
		bytes32 sessionId,
		Head memory head,
		Rates memory rates,
		bytes32 checkpointsRoot,
		Path path
	) internal {
		head.status = Status.Settled;
		_store(sessionId, head);
		uint256 bytesUsed = head.claimedBytes;
		(uint256 operatorTotal, uint256 feeTotal) = Split.shares(
			bytesUsed,
			rates.pricePerGB,
			rates.feeBps
		);
		uint256 refund =
			Split.cost(head.boughtBytes(), rates.pricePerGB) - operatorTotal - feeTotal;
		emit SessionSettled(
			sessionId,
			path,
			bytesUsed,
			checkpointsRoot,
			operatorTotal,
			feeTotal,
			refund
		);
	}

	function _settleOne(
		bytes32 sessionId,
		Head memory head,
		Rates memory rates,
		uint256 bytesUsed,
		bytes32 checkpointsRoot,
		Path path
	) private {
		(uint256 operatorAmount, uint256 feeAmount) = _raise(head, rates, bytesUsed);
		_settle(sessionId, head, rates, checkpointsRoot, path);
		_creditShares(rates, operatorAmount, feeAmount);
		if (bytesUsed != 0) registry.addServed(rates.nodeId, bytesUsed);
		_pushRefund(sessionId, head);
	}

	function _creditShares(
		Rates memory rates,
		uint256 operatorAmount,
		uint256 feeAmount
	) private {
		_credit(rates.payout, rates.asset, operatorAmount);
		_credit(rates.treasury, rates.asset, feeAmount);
	}

	function _rates(uint256 termsId) internal view returns (Rates memory rates) {
		TermsRecord storage terms = _terms[termsId];
		rates.payout = terms.payout;
		rates.pricePerGB = terms.pricePerGB;
		rates.asset = terms.asset;
		rates.nodeId = terms.nodeId;
		rates.feeBps = terms.feeBps;
		rates.treasury = terms.treasury;
	}
}
