// SPDX-License-Identifier: Apache-2.0
//
// Deploys the tests' stablecoin (six decimals, permit) on a local chain whose accounts are unlocked, and
// gives some to an account.
//
//	node stablecoin.mjs RPC-URL DEPLOYER ACCOUNT UNITS
//
// Prints the token's address.
import { ethers } from "ethers";
import { mocks } from "../evm/chain.mjs";

const [rpcUrl, deployer, account, units] = process.argv.slice(2);
const provider = new ethers.JsonRpcProvider(rpcUrl, undefined, { staticNetwork: true });
const signer = await provider.getSigner(deployer);
const { abi, bytecode } = mocks().Stablecoin;
const token = await new ethers.ContractFactory(abi, bytecode, signer).deploy();
await token.waitForDeployment();
await (await token.mint(account, BigInt(units))).wait();
console.log(await token.getAddress());
provider.destroy();
