// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

enum Status {
	None,
	Open,
	Closed,
	Proposed,
	Disputed,
	Settled
}

enum Mode {
	Voucher,
	Attested,
	Optimistic
}

/// @notice The one word of a session that settling reads and writes.
/// @dev Amounts of money are not kept: deposit, earnings, fee and refund all follow from the bytes
/// and the terms, so that no two of them can disagree. The refund therefore costs a settlement no
/// storage write of its own.
struct Head {
	uint64 claimedBytes; // paid to the operator so far; final once settled
	uint64 proposedBytes; // written once, by a proposal
	uint32 boughtGB; // units of 10^9 bytes
	uint32 termsId; // index of the immutable terms
	// Unix seconds. Closed: reclaim from. Proposed: end of the window. Disputed: end of the
	// attestor's time.
	uint40 deadline;
	Status status;
	Mode mode;
	uint8 flags; // DRAWN_* and SIGNER_IS_BUYER
}

// The refund above a disputed proposal was paid out.
uint8 constant DRAWN_EXCESS = 1;
// The rest of the refund, due at settlement, was paid out.
uint8 constant DRAWN_REST = 2;
// The buyer signs its own vouchers, so that no word is spent on naming another signer.
uint8 constant SIGNER_IS_BUYER = 4;

uint256 constant BYTES_PER_GB = 1e9;

/// @title Packing of a session's hot word
/// @dev Written by hand because the compiler stores the members of a struct one by one: eight
/// SSTOREs instead of one.
library SessionRecord {
	function unpack(uint256 word) internal pure returns (Head memory h) {
		h.claimedBytes = uint64(word);
		h.proposedBytes = uint64(word >> 64);
		h.boughtGB = uint32(word >> 128);
		h.termsId = uint32(word >> 160);
		h.deadline = uint40(word >> 192);
		h.status = Status(uint8(word >> 232));
		h.mode = Mode(uint8(word >> 240));
		h.flags = uint8(word >> 248);
	}

	function pack(Head memory h) internal pure returns (uint256) {
		return
			uint256(h.claimedBytes) |
			(uint256(h.proposedBytes) << 64) |
			(uint256(h.boughtGB) << 128) |
			(uint256(h.termsId) << 160) |
			(uint256(h.deadline) << 192) |
			(uint256(h.status) << 232) |
			(uint256(h.mode) << 240) |
			(uint256(h.flags) << 248);
	}

	function boughtBytes(Head memory h) internal pure returns (uint256) {
		unchecked {
			return uint256(h.boughtGB) * BYTES_PER_GB;
		}
	}
}

/// @title Splitting a deposit by cumulative bytes
/// @dev All figures are totals since the start of a session; what a claim pays is the difference of
/// two of them, so any split into claims ends at the same balances. Nothing overflows, so the
/// checks are left out: bytes < 2^62, price < 2^96, bps ≤ 10^4.
library Split {
	/// @return floor(n × pricePerGB / 10^9), smallest units
	function cost(uint256 n, uint256 pricePerGB) internal pure returns (uint256) {
		unchecked {
			return (n * pricePerGB) / BYTES_PER_GB;
		}
	}

	/// @return operatorAmount cost less fee, smallest units
	/// @return feeAmount floor(cost × bps / 10^4), smallest units
	function shares(
		uint256 n,
		uint256 pricePerGB,
		uint256 feeBps
	) internal pure returns (uint256 operatorAmount, uint256 feeAmount) {
		unchecked {
			uint256 total = (n * pricePerGB) / BYTES_PER_GB;
			feeAmount = (total * feeBps) / 10_000;
			operatorAmount = total - feeAmount;
		}
	}
}
