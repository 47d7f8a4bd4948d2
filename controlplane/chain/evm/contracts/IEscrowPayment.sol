// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeErrors} from "./INodeRegistry.sol";
import {Mode, Status} from "./SessionRecord.sol";

/// @title Types, events and errors of the escrow
/// @notice Bytes are inner IP bytes, 1 GB is 10^9 of them. Times are Unix seconds of the block.
/// Amounts are smallest units of the session's asset (wei for the native coin, which is asset 0). A
/// deadline D has passed when the block's time is ≥ D.
interface IEscrowPayment is INodeErrors {
	/// @notice Everything a purchase depends on; its EIP-712 struct hash is the `termsHash` a
	/// buyer commits to.
	/// @param feeBps platform's share of the cost, 1/10,000
	/// @param attestor who may attest usage; 0 for nobody
	/// @param windowSec time to dispute a proposal
	/// @param graceSec time that the node has for claiming after the end
	struct SessionTerms {
		uint256 nodeId;
		address asset;
		uint256 pricePerGB;
		address payout;
		uint256 feeBps;
		address treasury;
		address attestor;
		uint256 windowSec;
		uint256 graceSec;
		bytes32 wgPublicKey;
		address usageSigner;
	}

	/// @notice What a buyer orders.
	/// @param dataGB units of 10^9 bytes, 1 … 2^32-1
	/// @param duration seconds, 1 … 90 days
	/// @param mode 0 voucher, 1 attested, 2 optimistic; for the session's life
	/// @param voucherSigner the buyer or a session key of its own; 0 to have every voucher
	/// refused
	/// @param attestor one that the node accepts, or 0
	/// @param salt chosen by the buyer; with the buyer's address it makes the session's id
	/// @param termsHash see SessionTerms; a mismatch reverts
	struct Order {
		uint256 nodeId;
		uint256 dataGB;
		uint256 duration;
		uint8 mode;
		address voucherSigner;
		address attestor;
		bytes32 salt;
		bytes32 termsHash;
	}

	/// @notice An ERC-2612 permit. A deadline of 0 means that there is none.
	struct Permit {
		uint256 value;
		uint256 deadline;
		uint8 v;
		bytes32 r;
		bytes32 s;
	}

	/// @notice EIP-712 UsageVoucher by the session's voucher signer, signature as in EIP-2098
	/// (r, yParity ‖ s). All zero means that there is none.
	struct Voucher {
		uint256 cumulativeBytes;
		bytes32 r;
		bytes32 vs;
	}

	/// @notice EIP-2098 signature of an EIP-712 UsageAttestation by the session's attestor.
	struct Attestation {
		bytes32 r;
		bytes32 vs;
	}

	/// @notice One item of finalizeBatch.
	struct Finalization {
		bytes32 sessionId;
		uint256 bytesUsed;
		bytes32 checkpointsRoot;
		Voucher voucher;
	}

	/// @notice One item of proposeBatch.
	struct Proposal {
		bytes32 sessionId;
		uint256 bytesUsed;
		bytes32 checkpointsRoot;
	}

	/// @notice A session as one can read it.
	/// @param claimedBytes paid so far, final once settled
	/// @param deadline Closed: reclaim from. Proposed: end of the window. Disputed: end of the
	/// attestor's time
	/// @param deposit all that was paid in
	/// @param held what of it is neither credited nor drawn
	/// @param refundable what the buyer can draw now
	struct SessionView {
		Status status;
		Mode mode;
		address buyer;
		address voucherSigner;
		uint256 boughtBytes;
		uint256 claimedBytes;
		uint256 proposedBytes;
		uint256 createdAt;
		uint256 expiry;
		uint256 deadline;
		uint256 deposit;
		uint256 held;
		uint256 refundable;
		bytes32 termsHash;
		uint256 nodeId;
		address asset;
		uint256 pricePerGB;
		address payout;
		uint256 feeBps;
		address treasury;
		address attestor;
		uint256 windowSec;
		uint256 graceSec;
	}

	/// @notice How a session was settled.
	enum Path {
		Finalized,
		Attested,
		Executed,
		Resolved,
		Reclaimed
	}

	event SessionCreated(
		bytes32 indexed sessionId,
		uint256 indexed nodeId,
		address indexed buyer,
		bytes32 termsHash,
		SessionTerms terms,
		uint256 boughtBytes,
		uint256 expiry,
		Mode mode,
		address voucherSigner,
		uint256 deposit
	);
	/// @param boughtBytes the new total
	/// @param expiry the new one
	/// @param paid for this top-up
	event SessionToppedUp(
		bytes32 indexed sessionId,
		uint256 boughtBytes,
		uint256 expiry,
		uint256 paid
	);
	/// @param reclaimFrom when the grace period ends
	event SessionClosed(bytes32 indexed sessionId, uint256 reclaimFrom);
	/// @param claimedBytes the new total
	/// @param operatorAmount credited by this claim
	/// @param feeAmount credited to the treasury by this claim
	event SessionClaimed(
		bytes32 indexed sessionId,
		uint256 claimedBytes,
		uint256 operatorAmount,
		uint256 feeAmount
	);
	event SettlementProposed(
		bytes32 indexed sessionId,
		uint256 bytesUsed,
		bytes32 checkpointsRoot,
		uint256 windowEnd
	);
	/// @param disputer buyer or voucher signer
	/// @param resolveUntil end of the attestor's time
	event SettlementDisputed(
		bytes32 indexed sessionId,
		address indexed disputer,
		uint256 bytesAccepted,
		uint256 proposedBytes,
		uint256 resolveUntil
	);
	/// @notice The last word on a session: operatorAmount + feeAmount + refund is the deposit.
	/// @param bytesUsed final
	/// @param checkpointsRoot 0 where this call names none (Executed: the proposal's holds;
	/// Reclaimed: there is none)
	/// @param operatorAmount of the whole session, claims included
	/// @param feeAmount of the whole session
	/// @param refund of the whole session, whether drawn yet or not
	event SessionSettled(
		bytes32 indexed sessionId,
		Path path,
		uint256 bytesUsed,
		bytes32 checkpointsRoot,
		uint256 operatorAmount,
		uint256 feeAmount,
		uint256 refund
	);
	/// @notice An item of a batch was passed over.
	/// @param reason selector of the error that the call for this session alone would have
	/// reverted with
	event BatchItemSkipped(bytes32 indexed sessionId, bytes4 reason);
	event RefundWithdrawn(bytes32 indexed sessionId, address to, uint256 amount);
	/// @notice The refund could not be pushed to the buyer; it waits for withdrawRefund.
	event RefundHeld(bytes32 indexed sessionId, uint256 amount);
	event Withdrawn(address indexed account, address indexed asset, address to, uint256 amount);
	event FeeChanged(uint256 feeBps);
	event TreasuryChanged(address treasury);

	error UnknownSession();
	error SessionExists();
	error WrongNode();
	error WrongStatus();
	error WrongMode();
	error NotOperatorOrSettler();
	error NotBuyer();
	error NotBuyerOrVoucherSigner();
	error BadMode();
	error BadDataAmount();
	error BadDuration();
	error BadAddress();
	error BadFee();
	error WrongAsset();
	error WrongValue();
	error CostAboveMaximum();
	error TermsMismatch();
	error VoucherSignerRequired();
	error AttestorRequired();
	error AllowanceTooLow();
	error FeeOnTransfer();
	error Expired();
	error VoucherRequired();
	error BadVoucher();
	error BadAttestation();
	error BytesBelowClaimed();
	error BytesAboveBought();
	error BytesAboveVoucher();
	error BytesAboveProposed();
	error WindowOpen();
	error WindowOver();
	error GraceNotOver();
	error NothingToWithdraw();
	error NotSelf();
}
