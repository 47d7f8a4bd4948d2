// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A contract wallet that behaves as a test tells it to when it is handed money, and whose
/// ERC-1271 says yes to anything.
contract Actor {
	enum Behaviour {
		Accept,
		Refuse,
		BurnGas,
		Bomb,
		Reenter,
		Shout
	}

	Behaviour public behaviour;
	address private _target;
	bytes private _data;

	/// @notice What came of calling back while being paid.
	event Reentered(bool ok, bytes4 reason);
	/// @notice Hash of what a question that was let in was answered with.
	event Answered(bytes32 hash);

	function set(Behaviour behaviour_, address target, bytes calldata data) external {
		behaviour = behaviour_;
		_target = target;
		_data = data;
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

	function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
		return 0x1626ba7e;
	}

	receive() external payable {
		if (behaviour == Behaviour.Accept) return;
		if (behaviour == Behaviour.Refuse) revert("no, thank you");
		if (behaviour == Behaviour.BurnGas) while (true) {}
		if (behaviour == Behaviour.Bomb) {
			// Nearly as much as the gas of the capped push can make, so that whoever copies it
			// pays as much again.
			assembly {
				return(0, 90000)
			}
		}
		if (behaviour == Behaviour.Shout) {
			// A log as long as the capped push pays for, in the receipt of whoever pays.
			assembly {
				log0(0, 3000)
			}
			return;
		}
		(bool ok, bytes memory result) = _target.call(_data);
		emit Reentered(ok, bytes4(result));
		if (ok) emit Answered(keccak256(result));
	}
}
