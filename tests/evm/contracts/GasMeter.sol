// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Measures a call as x402's gas snapshots do: execution alone, without the 21,000 and the
/// calldata of a transaction, after `warm` calls in the same transaction have read every word that
/// the measured call touches.
/// @dev A view call reads a word without changing it, so a word is warm and yet as the transaction
/// found it: SSTORE costs what it costs to a first write.
contract GasMeter {
	event Measured(uint256 gasUsed);

	struct Call {
		address target;
		bytes data;
	}

	function measure(Call[] calldata warm, Call calldata measured) external payable {
		for (uint256 i = 0; i < warm.length; i++) {
			(bool read, ) = warm[i].target.staticcall(warm[i].data);
			require(read, "warming failed");
		}
		bytes memory data = measured.data;
		address target = measured.target;
		uint256 before = gasleft();
		(bool ok, bytes memory result) = target.call{value: msg.value}(data);
		uint256 used = before - gasleft();
		if (!ok) {
			assembly ("memory-safe") {
				revert(add(result, 0x20), mload(result))
			}
		}
		emit Measured(used);
	}

	receive() external payable {}
}
