// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Proxy} from "@openzeppelin/contracts/proxy/Proxy.sol";

/// @notice A stablecoin as they are: six decimals, permit, a blacklist that stops both sides of a
/// transfer.
contract Stablecoin is ERC20Permit {
	mapping(address => bool) public blacklisted;

	error Blacklisted();

	constructor() ERC20("Test Dollar", "TUSD") ERC20Permit("Test Dollar") {}

	function decimals() public pure override returns (uint8) {
		return 6;
	}

	function mint(address to, uint256 amount) external {
		_mint(to, amount);
	}

	function setBlacklisted(address account, bool on) external {
		blacklisted[account] = on;
	}

	function _update(address from, address to, uint256 value) internal override {
		if (blacklisted[from] || blacklisted[to]) revert Blacklisted();
		super._update(from, to, value);
	}
}

/// @notice The same behind a proxy that reads its code's address from storage, as the large ones are.
contract ProxiedStablecoin is Proxy {
	// Far from the words that the code uses.
	bytes32 private constant SLOT = keccak256("tollwire.test.code");

	constructor(address code) {
		bytes32 slot = SLOT;
		assembly {
			sstore(slot, code)
		}
	}

	function _implementation() internal view override returns (address code) {
		bytes32 slot = SLOT;
		assembly {
			code := sload(slot)
		}
	}

	receive() external payable {}
}

/// @notice A token that behaves as a test tells it to.
contract HostileToken is ERC20 {
	enum Behaviour {
		Normal,
		TakeFee,
		GiveMore,
		ReturnFalse,
		Refuse,
		BurnGas,
		Bomb,
		ReturnTwo,
		Reenter,
		MoveAndFalse
	}

	Behaviour public behaviour;
	address private _target;
	bytes private _data;

	/// @notice What came of calling back in the middle of a transfer.
	event Reentered(bool ok, bytes4 reason);

	constructor() ERC20("Hostile", "HOST") {}

	function mint(address to, uint256 amount) external {
		_mint(to, amount);
	}

	function set(Behaviour behaviour_, address target, bytes calldata data) external {
		behaviour = behaviour_;
		_target = target;
		_data = data;
	}

	function transfer(address to, uint256 value) public override returns (bool) {
		return _move(msg.sender, to, value);
	}

	function transferFrom(
		address from,
		address to,
		uint256 value
	) public override returns (bool) {
		_spendAllowance(from, msg.sender, value);
		return _move(from, to, value);
	}

	function _move(address from, address to, uint256 value) private returns (bool) {
		Behaviour b = behaviour;
		if (b == Behaviour.ReturnFalse) return false;
		if (b == Behaviour.Refuse) revert("no");
		if (b == Behaviour.BurnGas) while (true) {}
		if (b == Behaviour.Bomb) {
			// As much as can be made and passed on once within the gas of a push, so that
			// whoever copies it once more pays for it.
			assembly {
				revert(0, 120000)
			}
		}
		if (b == Behaviour.Reenter) {
			(bool ok, bytes memory result) = _target.call(_data);
			emit Reentered(ok, bytes4(result));
		}
		_transfer(from, to, value);
		if (b == Behaviour.TakeFee) _burn(to, value / 100);
		if (b == Behaviour.GiveMore) _mint(to, 1);
		if (b == Behaviour.MoveAndFalse) return false;
		if (b == Behaviour.ReturnTwo) {
			assembly {
				mstore(0, 2)
				return(0, 32)
			}
		}
		return true;
	}
}

/// @notice A stablecoin of the old kind: transfers answer nothing, there is no permit, and its
/// blacklist stops the sender alone.
contract LegacyToken {
	uint8 public constant decimals = 6;
	mapping(address => uint256) public balanceOf;
	mapping(address => mapping(address => uint256)) public allowance;
	mapping(address => bool) public blacklisted;

	function mint(address to, uint256 amount) external {
		balanceOf[to] += amount;
	}

	function setBlacklisted(address account, bool on) external {
		blacklisted[account] = on;
	}

	function approve(address spender, uint256 amount) external {
		allowance[msg.sender][spender] = amount;
	}

	function transfer(address to, uint256 amount) external {
		require(!blacklisted[msg.sender]);
		balanceOf[msg.sender] -= amount;
		balanceOf[to] += amount;
	}

	function transferFrom(address from, address to, uint256 amount) external {
		require(!blacklisted[from]);
		allowance[from][msg.sender] -= amount;
		balanceOf[from] -= amount;
		balanceOf[to] += amount;
	}
}

/// @notice A token without permit whose fallback says yes to every call, as wrapped ether does.
contract PhantomToken is LegacyToken {
	fallback() external {}
}
