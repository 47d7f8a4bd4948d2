// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A wallet that is a contract: its owner signs for it (ERC-1271), unless a test tells it to
/// answer as no wallet should.
contract Wallet {
	enum Behaviour {
		Owner,
		Revert,
		BurnGas,
		WrongWord,
		TwoWords,
		DirtyWord
	}

	address public immutable owner;
	Behaviour public behaviour;

	constructor(address owner_) {
		owner = owner_;
	}

	function set(Behaviour behaviour_) external {
		behaviour = behaviour_;
	}

	/// @notice Calls in the name of this contract, and fails as the callee fails.
	function run(
		address target,
		bytes calldata data
	) external payable returns (bytes memory result) {
		bool ok;
		(ok, result) = target.call{value: msg.value}(data);
		if (!ok) {
			assembly ("memory-safe") {
				revert(add(result, 0x20), mload(result))
			}
		}
	}

	/// @notice Yes to 96 octets: the owner's signature and padding, as no account makes one.
	function isValidSignature(
		bytes32 digest,
		bytes calldata signature
	) external view returns (bytes4) {
		if (behaviour == Behaviour.Revert) revert("not today");
		if (behaviour == Behaviour.BurnGas) while (true) {}
		bytes32 word = bytes32(bytes4(0x1626ba7e));
		if (behaviour == Behaviour.TwoWords) {
			assembly ("memory-safe") {
				mstore(0x00, word)
				mstore(0x20, word)
				return(0x00, 0x40)
			}
		}
		if (behaviour == Behaviour.DirtyWord) {
			assembly ("memory-safe") {
				mstore(0x00, or(word, 1))
				return(0x00, 0x20)
			}
		}
		if (behaviour == Behaviour.WrongWord || signature.length != 96) return 0xffffffff;
		(bytes32 r, bytes32 s, uint8 v) = (
			bytes32(signature[0:32]),
			bytes32(signature[32:64]),
			uint8(signature[64])
		);
		return ecrecover(digest, v, r, s) == owner ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
	}

	receive() external payable {}
}
