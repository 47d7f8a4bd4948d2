// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EscrowSettlement} from "./EscrowSettlement.sol";
import {Head, Status, SessionRecord} from "./SessionRecord.sol";

/// @title Settling many sessions of one node
/// @notice A batch calls nobody but the registry: once to know the caller, once for the totals at
/// its end. An item that a single call would refuse is passed over with an event that says why; the
/// others are not touched by it. Credits are summed in memory and written once for each account.
abstract contract EscrowBatch is EscrowSettlement {
	/// Sums of a batch, one row for each terms record met. The row in use stands open: its
	/// terms are `termsId` and `rates`, and what it gained since it was opened is in
	/// `operatorSum` and `feeSum`.
	struct Tally {
		uint256 nodeId;
		uint256 termsId;
		Rates rates;
		uint256 operatorSum;
		uint256 feeSum;
		uint256 servedBytes;
		uint256 current;
		uint256 rows;
		uint256[] termsIds;
		uint256[] operatorSums;
		uint256[] feeSums;
	}

	/// @notice finalizeSession for many sessions of one node. Operator or settler.
	function finalizeBatch(
		uint256 nodeId,
		Finalization[] calldata items
	) external nonReentrant {
		_requireOperatorOrSettler(nodeId);
		Tally memory tally = _newTally(nodeId, items.length);
		for (uint256 i = 0; i < items.length; i++) {
			Finalization calldata item = items[i];
			(Head memory head, bytes4 reason) = _open(tally, item.sessionId);
			if (reason == 0)
				reason = _checkFinalize(
					item.sessionId,
					head,
					item.bytesUsed,
					item.voucher
				);
			if (reason == 0)
				_book(
					tally,
					item.sessionId,
					head,
					item.bytesUsed,
					item.checkpointsRoot,
					Path.Finalized
				);
			else emit BatchItemSkipped(item.sessionId, reason);
		}
		_close(tally);
	}

	/// @notice proposeSettlement for many sessions of one node. Operator or settler.
	function proposeBatch(uint256 nodeId, Proposal[] calldata items) external nonReentrant {
		_requireOperatorOrSettler(nodeId);
		for (uint256 i = 0; i < items.length; i++) {
			Proposal calldata item = items[i];
			Head memory head = SessionRecord.unpack(_sessions[item.sessionId].head);
			TermsRecord storage terms = _terms[head.termsId];
			bytes4 reason;
			if (head.status == Status.None) reason = UnknownSession.selector;
			else if (terms.nodeId != nodeId) reason = WrongNode.selector;
			else reason = _checkPropose(head, item.bytesUsed);
			if (reason == 0)
				_propose(
					item.sessionId,
					head,
					item.bytesUsed,
					item.checkpointsRoot,
					terms.windowSec
				);
			else emit BatchItemSkipped(item.sessionId, reason);
		}
	}

	/// @notice execute for many sessions of one node. Anyone.
	function executeBatch(uint256 nodeId, bytes32[] calldata sessionIds) external nonReentrant {
		Tally memory tally = _newTally(nodeId, sessionIds.length);
		for (uint256 i = 0; i < sessionIds.length; i++) {
			bytes32 sessionId = sessionIds[i];
			(Head memory head, bytes4 reason) = _open(tally, sessionId);
			if (reason == 0) reason = _checkExecute(sessionId, head);
			if (reason == 0)
				_book(
					tally,
					sessionId,
					head,
					_executedBytes(head),
					0,
					Path.Executed
				);
			else emit BatchItemSkipped(sessionId, reason);
		}
		_close(tally);
	}

	function _newTally(
		uint256 nodeId,
		uint256 items
	) private pure returns (Tally memory tally) {
		tally.nodeId = nodeId;
		tally.termsIds = new uint256[](items);
		tally.operatorSums = new uint256[](items);
		tally.feeSums = new uint256[](items);
	}

	/// Loads a session and opens the row of its terms.
	function _open(
		Tally memory tally,
		bytes32 sessionId
	) private view returns (Head memory head, bytes4 reason) {
		head = SessionRecord.unpack(_sessions[sessionId].head);
		if (head.status == Status.None) return (head, UnknownSession.selector);
		if (head.termsId != tally.termsId) _openRow(tally, head.termsId);
		if (tally.rates.nodeId != tally.nodeId) reason = WrongNode.selector;
	}

	/// Terms ids begin at 1, so that the first session of a batch opens the first row.
	function _openRow(Tally memory tally, uint256 termsId) private view {
		_closeRow(tally);
		uint256 row = 0;
		while (row < tally.rows && tally.termsIds[row] != termsId) row++;
		if (row == tally.rows) {
			tally.termsIds[row] = termsId;
			tally.rows++;
		}
		tally.current = row;
		tally.termsId = termsId;
		tally.rates = _rates(termsId);
	}

	function _closeRow(Tally memory tally) private pure {
		if (tally.rows == 0) return;
		tally.operatorSums[tally.current] += tally.operatorSum;
		tally.feeSums[tally.current] += tally.feeSum;
		tally.operatorSum = 0;
		tally.feeSum = 0;
	}

	function _book(
		Tally memory tally,
		bytes32 sessionId,
		Head memory head,
		uint256 bytesUsed,
		bytes32 checkpointsRoot,
		Path path
	) private {
		Rates memory rates = tally.rates;
		(uint256 operatorAmount, uint256 feeAmount) = _raise(head, rates, bytesUsed);
		_settle(sessionId, head, rates, checkpointsRoot, path);
		unchecked {
			// Each amount is below 2^128, and a batch has far fewer than 2^128 items.
			tally.operatorSum += operatorAmount;
			tally.feeSum += feeAmount;
			tally.servedBytes += bytesUsed;
		}
	}

	/// Writes the credits, once for each account and asset, and the node's total.
	function _close(Tally memory tally) private {
		_closeRow(tally);
		for (uint256 row = 0; row < tally.rows; row++) {
			Rates memory rates = _rates(tally.termsIds[row]);
			_credit(
				rates.payout,
				rates.asset,
				_take(tally, row, rates.payout, rates.asset)
			);
			_credit(
				rates.treasury,
				rates.asset,
				_take(tally, row, rates.treasury, rates.asset)
			);
		}
		if (tally.servedBytes != 0) registry.addServed(tally.nodeId, tally.servedBytes);
	}

	/// Removes from the rows from `from` on all that belongs to this account and asset, and
	/// returns the sum.
	function _take(
		Tally memory tally,
		uint256 from,
		address account,
		address asset
	) private view returns (uint256 sum) {
		for (uint256 row = from; row < tally.rows; row++) {
			TermsRecord storage terms = _terms[tally.termsIds[row]];
			if (terms.asset != asset) continue;
			if (terms.payout == account) {
				sum += tally.operatorSums[row];
				tally.operatorSums[row] = 0;
			}
			if (terms.treasury == account) {
				sum += tally.feeSums[row];
				tally.feeSums[row] = 0;
			}
		}
	}
}
