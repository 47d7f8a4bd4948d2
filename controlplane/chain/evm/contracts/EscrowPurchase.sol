// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {EscrowBase} from "./EscrowBase.sol";
import {INodeRegistry} from "./INodeRegistry.sol";
import {Head, Mode, Status, SessionRecord, SIGNER_IS_BUYER} from "./SessionRecord.sol";

/// @title Buying
/// @notice Creates sessions, tops them up, and holds the two settings that the owner has: the fee
/// and the treasury of sessions still to be created. A buyer's termsHash fixes both, so changing
/// them under a pending purchase makes it revert.
abstract contract EscrowPurchase is EscrowBase, Ownable2Step {
	using SessionRecord for Head;

	bytes32 public constant TERMS_TYPEHASH = keccak256(
		"SessionTerms(uint256 nodeId,address asset,uint256 pricePerGB,address payout,uint256 feeBps,address treasury,address attestor,uint256 windowSec,uint256 graceSec,bytes32 wgPublicKey,address usageSigner)"
	);
	uint256 public constant MAX_DURATION_SEC = 90 days;
	uint256 public constant DEFAULT_FEE_BPS = 100;

	/// @notice The fee can never be set above this, 1/10,000.
	uint256 public immutable feeCapBps;
	/// @notice Credited with the fee of sessions created from now on.
	address public treasury;
	/// @notice Fee of sessions created from now on, 1/10,000 of the cost.
	uint16 public feeBps;

	uint32 private _termsCount;
	mapping(bytes32 termsHash => uint32 termsId) private _termsIdOf;

	/// @param feeCapBps_ highest fee ever, 1/10,000; the fee starts at 1 % or at the cap if
	/// that is lower
	constructor(address owner_, address treasury_, uint256 feeCapBps_) Ownable(owner_) {
		if (feeCapBps_ > 10_000) revert BadFee();
		feeCapBps = feeCapBps_;
		_setFee(feeCapBps_ < DEFAULT_FEE_BPS ? feeCapBps_ : DEFAULT_FEE_BPS);
		_setTreasury(treasury_);
	}

	/// @notice Fee for sessions to come. Owner only.
	function setFee(uint256 feeBps_) external onlyOwner {
		_setFee(feeBps_);
	}

	/// @notice Treasury for sessions to come. Owner only.
	function setTreasury(address treasury_) external onlyOwner {
		_setTreasury(treasury_);
	}

	/// @notice The terms under which a session would be created now, and their hash. A buyer
	/// compares them with what it was shown before it signs; reverts where the node does not
	/// sell so.
	function currentTerms(
		uint256 nodeId,
		address asset,
		address attestor
	) external view returns (SessionTerms memory terms, bytes32 termsHash) {
		terms = _termsOf(
			registry.offerOf(nodeId, asset, attestor),
			nodeId,
			asset,
			attestor
		);
		termsHash = _hashTerms(terms);
	}

	/// @notice Id of the session that this buyer makes with this salt; no other buyer, chain or
	/// contract can have it.
	function sessionIdOf(address buyer, bytes32 salt) public view returns (bytes32) {
		return keccak256(abi.encode(block.chainid, address(this), buyer, salt));
	}

	/// @notice Buys a session for the native coin; msg.value is the exact price. Anyone.
	/// @return sessionId keccak256(abi.encode(chainId, escrow, buyer, salt))
	function createSession(
		uint256 nodeId,
		uint256 dataGB,
		uint256 duration,
		uint8 mode,
		address voucherSigner,
		address attestor,
		bytes32 salt,
		bytes32 termsHash
	) external payable nonReentrant returns (bytes32 sessionId) {
		Order memory order = Order(
			nodeId,
			dataGB,
			duration,
			mode,
			voucherSigner,
			attestor,
			salt,
			termsHash
		);
		uint256 cost;
		(sessionId, cost) = _create(order, address(0));
		if (msg.value != cost) revert WrongValue();
	}

	/// @notice Buys a session for a token, which the escrow pulls from the caller. Anyone.
	/// @param maxCost the purchase reverts where it would cost more, smallest units
	/// @param permit optional ERC-2612 permit of the caller; one that fails is ignored if the
	/// allowance suffices
	function createSessionWithToken(
		Order calldata order,
		address token,
		uint256 maxCost,
		Permit calldata permit
	) external nonReentrant returns (bytes32 sessionId) {
		if (token == address(0)) revert WrongAsset();
		uint256 cost;
		(sessionId, cost) = _create(order, token);
		_pull(token, cost, maxCost, permit);
	}

	/// @notice Adds data, and if wanted time, at the session's own price; msg.value is the
	/// exact price. Buyer only; only while open, unexpired, not closed, nothing proposed, and
	/// the node sells.
	/// @param extraGB units of 10^9 bytes, at least 1
	/// @param extraDuration seconds; the new expiry is at most 90 days from now
	function topUp(
		bytes32 sessionId,
		uint256 extraGB,
		uint256 extraDuration
	) external payable nonReentrant {
		uint256 cost = _topUp(sessionId, extraGB, extraDuration, address(0));
		if (msg.value != cost) revert WrongValue();
	}

	/// @notice Same for a session that was bought with a token.
	function topUpWithToken(
		bytes32 sessionId,
		uint256 extraGB,
		uint256 extraDuration,
		address token,
		uint256 maxCost,
		Permit calldata permit
	) external nonReentrant {
		if (token == address(0)) revert WrongAsset();
		uint256 cost = _topUp(sessionId, extraGB, extraDuration, token);
		_pull(token, cost, maxCost, permit);
	}

	function _create(
		Order memory order,
		address asset
	) private returns (bytes32 sessionId, uint256 cost) {
		if (order.dataGB == 0 || order.dataGB > type(uint32).max) revert BadDataAmount();
		if (order.duration == 0 || order.duration > MAX_DURATION_SEC) revert BadDuration();
		if (order.mode > uint8(type(Mode).max)) revert BadMode();
		Mode mode = Mode(order.mode);
		if (mode == Mode.Voucher && order.voucherSigner == address(0))
			revert VoucherSignerRequired();
		if (mode == Mode.Attested && order.attestor == address(0))
			revert AttestorRequired();
		sessionId = sessionIdOf(msg.sender, order.salt);
		Session storage session = _sessions[sessionId];
		if (session.head != 0) revert SessionExists();

		INodeRegistry.Offer memory offer = registry.openSession(
			order.nodeId,
			asset,
			order.attestor
		);
		SessionTerms memory terms = _termsOf(offer, order.nodeId, asset, order.attestor);
		if (_hashTerms(terms) != order.termsHash) revert TermsMismatch();

		Head memory head;
		head.boughtGB = uint32(order.dataGB);
		head.termsId = _recordTerms(terms, order.termsHash);
		head.status = Status.Open;
		head.mode = mode;
		if (order.voucherSigner == msg.sender) head.flags = SIGNER_IS_BUYER;
		else session.voucherSigner = order.voucherSigner;
		session.head = head.pack();
		session.buyer = msg.sender;
		session.createdAt = uint40(block.timestamp);
		session.expiry = uint40(block.timestamp + order.duration);
		cost = order.dataGB * terms.pricePerGB;
		_emitCreated(sessionId, order, terms, mode, cost);
	}

	function _emitCreated(
		bytes32 sessionId,
		Order memory order,
		SessionTerms memory terms,
		Mode mode,
		uint256 cost
	) private {
		emit SessionCreated(
			sessionId,
			order.nodeId,
			msg.sender,
			order.termsHash,
			terms,
			order.dataGB * 1e9,
			block.timestamp + order.duration,
			mode,
			order.voucherSigner,
			cost
		);
	}

	function _topUp(
		bytes32 sessionId,
		uint256 extraGB,
		uint256 extraDuration,
		address asset
	) private returns (uint256 cost) {
		Head memory head = _load(sessionId);
		Session storage session = _sessions[sessionId];
		TermsRecord storage terms = _terms[head.termsId];
		if (session.buyer != msg.sender) revert NotBuyer();
		if (head.status != Status.Open) revert WrongStatus();
		if (block.timestamp >= session.expiry) revert Expired();
		if (asset != terms.asset) revert WrongAsset();
		if (extraGB == 0 || extraGB > type(uint32).max - head.boughtGB)
			revert BadDataAmount();
		if (extraDuration > MAX_DURATION_SEC) revert BadDuration();
		uint256 expiry = session.expiry + extraDuration;
		if (expiry > block.timestamp + MAX_DURATION_SEC) revert BadDuration();
		if (!registry.isActive(terms.nodeId)) revert NodeInactive();

		head.boughtGB += uint32(extraGB);
		_store(sessionId, head);
		if (extraDuration != 0) session.expiry = uint40(expiry);
		cost = extraGB * terms.pricePerGB;
		emit SessionToppedUp(sessionId, head.boughtBytes(), expiry, cost);
	}

	/// Takes `cost` from the caller and proves that all of it arrived.
	function _pull(
		address token,
		uint256 cost,
		uint256 maxCost,
		Permit calldata permit
	) private {
		if (cost > maxCost) revert CostAboveMaximum();
		if (permit.deadline != 0 && token.code.length != 0) {
			// Someone may have sent this permit first: what counts is the allowance.
			try
				IERC20Permit(token).permit(
					msg.sender,
					address(this),
					permit.value,
					permit.deadline,
					permit.v,
					permit.r,
					permit.s
				)
			{} catch {}
		}
		if (IERC20(token).allowance(msg.sender, address(this)) < cost)
			revert AllowanceTooLow();
		uint256 before = IERC20(token).balanceOf(address(this));
		SafeERC20.safeTransferFrom(IERC20(token), msg.sender, address(this), cost);
		if (IERC20(token).balanceOf(address(this)) != before + cost) revert FeeOnTransfer();
	}

	function _termsOf(
		INodeRegistry.Offer memory offer,
		uint256 nodeId,
		address asset,
		address attestor
	) private view returns (SessionTerms memory terms) {
		terms.nodeId = nodeId;
		terms.asset = asset;
		terms.pricePerGB = offer.pricePerGB;
		terms.payout = offer.payout;
		terms.feeBps = feeBps;
		terms.treasury = treasury;
		terms.attestor = attestor;
		terms.windowSec = offer.windowSec;
		terms.graceSec = offer.graceSec;
		terms.wgPublicKey = offer.wgPublicKey;
		terms.usageSigner = offer.usageSigner;
	}

	function _hashTerms(SessionTerms memory terms) private pure returns (bytes32) {
		return keccak256(abi.encode(TERMS_TYPEHASH, terms));
	}

	/// The registry bounds every value to the width that it has here.
	function _recordTerms(
		SessionTerms memory terms,
		bytes32 termsHash
	) private returns (uint32 termsId) {
		termsId = _termsIdOf[termsHash];
		if (termsId != 0) return termsId;
		termsId = ++_termsCount;
		_termsIdOf[termsHash] = termsId;
		TermsRecord storage record = _terms[termsId];
		record.payout = terms.payout;
		record.pricePerGB = uint96(terms.pricePerGB);
		record.asset = terms.asset;
		record.nodeId = uint64(terms.nodeId);
		record.feeBps = uint16(terms.feeBps);
		record.treasury = terms.treasury;
		record.windowSec = uint32(terms.windowSec);
		record.graceSec = uint32(terms.graceSec);
		record.attestor = terms.attestor;
		record.termsHash = termsHash;
	}

	function _setFee(uint256 feeBps_) private {
		if (feeBps_ > feeCapBps) revert BadFee();
		feeBps = uint16(feeBps_);
		emit FeeChanged(feeBps_);
	}

	function _setTreasury(address treasury_) private {
		if (treasury_ == address(0) || treasury_ == address(this)) revert BadAddress();
		treasury = treasury_;
		emit TreasuryChanged(treasury_);
	}
}
