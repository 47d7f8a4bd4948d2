// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {EscrowBase} from "./EscrowBase.sol";
import {Head, Status, DRAWN_EXCESS, DRAWN_REST} from "./SessionRecord.sol";

/// @title Paying out
/// @notice The only calls that leave the escrow with money. Each pays the one who asks, so whoever
/// cannot be paid harms nobody else; the refund that a single settlement pushes is an attempt with
/// capped gas, whose failure changes nothing.
abstract contract EscrowPayouts is EscrowBase {
	/// Enough for a contract wallet's receive function; not enough to make settling dear.
	uint256 internal constant PUSH_NATIVE_GAS = 30_000;
	/// Enough for a proxied stablecoin's transfer to a new holder.
	uint256 internal constant PUSH_TOKEN_GAS = 100_000;

	/// @notice Pays the caller's credits in an asset (0 = native coin). Operators' payout
	/// addresses and treasuries.
	function withdraw(address asset) external returns (uint256) {
		return withdrawTo(asset, msg.sender);
	}

	/// @notice Same, to another address: a payout address that a token refuses is not the end
	/// of the money.
	function withdrawTo(
		address asset,
		address to
	) public nonReentrant returns (uint256 amount) {
		_requireRecipient(to);
		amount = withdrawable[msg.sender][asset];
		if (amount == 0) revert NothingToWithdraw();
		withdrawable[msg.sender][asset] = 0;
		emit Withdrawn(msg.sender, asset, to, amount);
		_pay(asset, to, amount);
	}

	/// @notice Pays what a session owes its buyer. Buyer only; in dispute (what lies above the
	/// proposal) or once settled.
	function withdrawRefund(bytes32 sessionId) external nonReentrant returns (uint256 amount) {
		address asset;
		(amount, asset) = _drawRefund(sessionId, msg.sender);
		if (amount == 0) revert NothingToWithdraw();
		_pay(asset, msg.sender, amount);
	}

	/// @notice Pays many refunds of the caller, to an address of its choice; one transfer for
	/// neighbours of one asset. Sessions that owe nothing are passed over.
	function withdrawRefunds(bytes32[] calldata sessionIds, address to) external nonReentrant {
		_requireRecipient(to);
		address due;
		uint256 sum;
		for (uint256 i = 0; i < sessionIds.length; i++) {
			(uint256 amount, address asset) = _drawRefund(sessionIds[i], to);
			if (asset != due) {
				if (sum != 0) _pay(due, to, sum);
				due = asset;
				sum = 0;
			}
			sum += amount;
		}
		if (sum != 0) _pay(due, to, sum);
	}

	/// Marks the refund as drawn; the caller of this function pays it.
	function _drawRefund(
		bytes32 sessionId,
		address to
	) private returns (uint256 amount, address asset) {
		Head memory head = _load(sessionId);
		if (_sessions[sessionId].buyer != msg.sender) revert NotBuyer();
		asset = _terms[head.termsId].asset;
		amount = _refundable(head, _terms[head.termsId].pricePerGB);
		if (amount != 0) {
			head.flags |= head.status == Status.Settled ? DRAWN_REST : DRAWN_EXCESS;
			_store(sessionId, head);
			emit RefundWithdrawn(sessionId, to, amount);
		}
	}

	/// Tries to hand the buyer the refund of a session that was just settled. Takes `head` as
	/// stored.
	function _pushRefund(bytes32 sessionId, Head memory head) internal {
		TermsRecord storage terms = _terms[head.termsId];
		uint256 amount = _refundable(head, terms.pricePerGB);
		if (amount == 0) return;
		uint8 flagsBefore = head.flags;
		address buyer = _sessions[sessionId].buyer;
		head.flags |= DRAWN_REST;
		_store(sessionId, head);
		if (_tryPay(terms.asset, buyer, amount)) {
			emit RefundWithdrawn(sessionId, buyer, amount);
		} else {
			head.flags = flagsBefore;
			_store(sessionId, head);
			emit RefundHeld(sessionId, amount);
		}
	}

	function _requireRecipient(address to) private view {
		if (to == address(0) || to == address(this)) revert BadAddress();
	}

	function _pay(address asset, address to, uint256 amount) private {
		if (asset == address(0)) Address.sendValue(payable(to), amount);
		else SafeERC20.safeTransfer(IERC20(asset), to, amount);
	}

	/// @notice Sends tokens of the escrow, or reverts. Only the escrow itself may call it.
	/// @dev A call of its own, so that a token which moves the money and then answers that it did not
	/// is undone as a whole: otherwise the refund would be paid here and be drawn once more.
	function pushToken(address asset, address to, uint256 amount) external {
		if (msg.sender != address(this)) revert NotSelf();
		SafeERC20.safeTransfer(IERC20(asset), to, amount);
	}

	/// Never reverts and copies nothing of what comes back.
	function _tryPay(address asset, address to, uint256 amount) private returns (bool ok) {
		if (asset == address(0)) {
			assembly ("memory-safe") {
				ok := call(PUSH_NATIVE_GAS, to, amount, 0, 0, 0, 0)
			}
			return ok;
		}
		try this.pushToken{gas: PUSH_TOKEN_GAS}(asset, to, amount) {
			return true;
		} catch {
			return false;
		}
	}
}
