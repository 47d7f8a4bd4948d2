// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeRegistry} from "./INodeRegistry.sol";

/// @title Public listing of tollwire nodes
/// @notice Operators describe their nodes here; buyers read it. It holds no money and nobody but a
/// node's operator can change the node's entry: there is no owner. Sessions and bytes served are
/// totals that the bound escrow alone raises. Load, country, city and coordinates live off chain
/// behind `metadataHash`.
contract NodeRegistry is INodeRegistry {
	uint256 public constant MIN_WINDOW_SEC = 1 hours;
	uint256 public constant MAX_WINDOW_SEC = 7 days;
	uint256 public constant MIN_GRACE_SEC = 6 hours;
	uint256 public constant MAX_GRACE_SEC = 7 days;
	uint256 public constant DEFAULT_SEC = 24 hours;
	/// Octets; bounds what one page of a listing can weigh.
	uint256 public constant MAX_NAME = 64;
	uint256 public constant MAX_REGION = 32;
	uint256 public constant MAX_LOCATOR = 256;
	uint256 public constant MAX_PAGE = 100;

	/// @notice The part of an entry that has a fixed size.
	/// @param payout address that is credited with the earnings
	/// @param usageSigner key that signs usage checkpoints
	/// @param settler second key that may settle for the operator; 0 for none
	/// @param wgPublicKey WireGuard public key, 32 wire octets
	/// @param metadataHash keccak256 of the metadata document; 0 for none
	/// @param windowSec dispute window, 1 h to 7 days; 0 means 24 h
	/// @param graceSec grace period, 6 h to 7 days; 0 means 24 h
	struct NodeSettings {
		address payout;
		address usageSigner;
		address settler;
		bytes32 wgPublicKey;
		bytes32 metadataHash;
		uint32 windowSec;
		uint32 graceSec;
	}

	/// Words as they are read: the first at every sale and settlement; payout with the count
	/// that a sale raises; settler with the total that a settlement raises.
	struct Node {
		address operator;
		bool active;
		uint32 bandwidthMbps;
		uint24 windowSec;
		uint24 graceSec;
		address payout;
		uint64 sessions;
		address settler;
		uint96 servedBytes;
		address usageSigner;
		bytes32 wgPublicKey;
		bytes32 metadataHash;
		string name;
		string region;
		string endpoint;
		string apiUrl;
	}

	/// @notice One row of the listing. `pricePerGB` is the price in the native coin, 0 where
	/// the node takes none.
	struct NodeView {
		uint256 nodeId;
		uint256 pricePerGB;
		Node node;
	}

	event NodeRegistered(
		uint256 indexed nodeId,
		address indexed operator,
		string name,
		string region,
		uint256 pricePerGB,
		uint32 bandwidthMbps,
		string endpoint,
		string apiUrl,
		NodeSettings settings
	);
	event NodeUpdated(
		uint256 indexed nodeId,
		string name,
		string region,
		uint32 bandwidthMbps,
		string endpoint,
		string apiUrl,
		bytes32 metadataHash
	);
	event NodeActiveChanged(uint256 indexed nodeId, bool active);
	event PriceChanged(uint256 indexed nodeId, address indexed asset, uint256 pricePerGB);
	event PayoutChanged(uint256 indexed nodeId, address payout);
	event SettlerChanged(uint256 indexed nodeId, address settler);
	event UsageSignerChanged(uint256 indexed nodeId, address usageSigner);
	event WireGuardKeyChanged(uint256 indexed nodeId, bytes32 wgPublicKey);
	event WindowsChanged(uint256 indexed nodeId, uint32 windowSec, uint32 graceSec);
	event AttestorChanged(uint256 indexed nodeId, address indexed attestor, bool accepted);
	event EscrowBound(address escrow);

	error NotOperator();
	error NotEscrow();
	error NotDeployer();
	error AlreadyBound();
	error BadAddress();
	error BadKey();
	error BadText();
	error BadPrice();
	error BadWindow();
	error BadGrace();

	address private immutable _deployer;
	/// @notice The one contract that may raise totals; bound once, right after deployment.
	address public escrow;
	/// @notice Number of nodes ever registered; ids are 1 … nodeCount.
	uint256 public nodeCount;

	mapping(uint256 nodeId => Node) private _nodes;
	/// @notice Price of 10^9 bytes in smallest units of the asset (0 = native coin); 0 means
	/// not sold for this asset.
	mapping(uint256 nodeId => mapping(address asset => uint256)) public priceOf;
	/// @notice Attestors that a node accepts; the buyer names one of them.
	mapping(uint256 nodeId => mapping(address attestor => bool)) public acceptsAttestor;

	constructor() {
		_deployer = msg.sender;
	}

	modifier onlyOperator(uint256 nodeId) {
		address operator = _nodes[nodeId].operator;
		if (operator == address(0)) revert UnknownNode();
		if (operator != msg.sender) revert NotOperator();
		_;
	}

	modifier onlyEscrow() {
		if (msg.sender != escrow) revert NotEscrow();
		_;
	}

	/// @notice Names the escrow, once and for good. Deployer only; this is its only right.
	function bindEscrow(address escrow_) external {
		if (msg.sender != _deployer) revert NotDeployer();
		if (escrow != address(0)) revert AlreadyBound();
		if (escrow_.code.length == 0) revert BadAddress();
		escrow = escrow_;
		emit EscrowBound(escrow_);
	}

	/// @notice Lists a node; the caller becomes its operator. Anyone.
	/// @param pricePerGB wei for 10^9 bytes; 0 if the node is sold for tokens only
	/// @param bandwidthMbps advertised, 10^6 bits per second
	/// @param endpoint host:port of the WireGuard socket
	/// @param apiUrl base URL of the node's HTTP API
	/// @return nodeId 1, 2, 3, …; a buyer's termsHash binds a purchase to the keys behind it,
	/// not to the number alone
	function registerNode(
		string calldata name,
		string calldata region,
		uint256 pricePerGB,
		uint32 bandwidthMbps,
		string calldata endpoint,
		string calldata apiUrl,
		NodeSettings calldata settings
	) external returns (uint256 nodeId) {
		nodeId = ++nodeCount;
		Node storage node = _nodes[nodeId];
		node.operator = msg.sender;
		node.active = true;
		_setTexts(node, name, region, endpoint, apiUrl);
		node.bandwidthMbps = bandwidthMbps;
		node.metadataHash = settings.metadataHash;
		node.payout = _notZero(settings.payout);
		node.usageSigner = _notZero(settings.usageSigner);
		node.settler = settings.settler;
		node.wgPublicKey = _validKey(settings.wgPublicKey);
		_setWindows(node, settings.windowSec, settings.graceSec);
		priceOf[nodeId][address(0)] = _validPrice(pricePerGB);
		emit NodeRegistered(
			nodeId,
			msg.sender,
			name,
			region,
			pricePerGB,
			bandwidthMbps,
			endpoint,
			apiUrl,
			settings
		);
	}

	/// @notice Replaces what describes the node. Operator only.
	function updateNode(
		uint256 nodeId,
		string calldata name,
		string calldata region,
		uint32 bandwidthMbps,
		string calldata endpoint,
		string calldata apiUrl,
		bytes32 metadataHash
	) external onlyOperator(nodeId) {
		Node storage node = _nodes[nodeId];
		_setTexts(node, name, region, endpoint, apiUrl);
		node.bandwidthMbps = bandwidthMbps;
		node.metadataHash = metadataHash;
		emit NodeUpdated(
			nodeId,
			name,
			region,
			bandwidthMbps,
			endpoint,
			apiUrl,
			metadataHash
		);
	}

	/// @notice Starts or stops selling. Sessions that exist are not touched, except that they
	/// cannot be topped up.
	function setActive(uint256 nodeId, bool active) external onlyOperator(nodeId) {
		_nodes[nodeId].active = active;
		emit NodeActiveChanged(nodeId, active);
	}

	/// @notice Sets the price for one asset (0 = native coin); price 0 stops selling for it.
	/// Operator only.
	/// @param pricePerGB smallest units of the asset for 10^9 bytes, below 2^96
	function setPrice(
		uint256 nodeId,
		address asset,
		uint256 pricePerGB
	) external onlyOperator(nodeId) {
		priceOf[nodeId][asset] = _validPrice(pricePerGB);
		emit PriceChanged(nodeId, asset, pricePerGB);
	}

	/// @notice Address credited for sessions created from now on. Operator only.
	function setPayout(uint256 nodeId, address payout) external onlyOperator(nodeId) {
		_nodes[nodeId].payout = _notZero(payout);
		emit PayoutChanged(nodeId, payout);
	}

	/// @notice Key that may settle for the operator, at once and for all its sessions; 0 takes
	/// the right away.
	function setSettler(uint256 nodeId, address settler) external onlyOperator(nodeId) {
		_nodes[nodeId].settler = settler;
		emit SettlerChanged(nodeId, settler);
	}

	/// @notice Checkpoint signer of sessions created from now on. Operator only.
	function setUsageSigner(uint256 nodeId, address usageSigner) external onlyOperator(nodeId) {
		_nodes[nodeId].usageSigner = _notZero(usageSigner);
		emit UsageSignerChanged(nodeId, usageSigner);
	}

	/// @notice WireGuard public key of sessions created from now on. Operator only.
	function setWireGuardKey(
		uint256 nodeId,
		bytes32 wgPublicKey
	) external onlyOperator(nodeId) {
		_nodes[nodeId].wgPublicKey = _validKey(wgPublicKey);
		emit WireGuardKeyChanged(nodeId, wgPublicKey);
	}

	/// @notice Dispute window and grace of sessions created from now on, seconds; 0 means 24 h.
	/// Operator only.
	function setWindows(
		uint256 nodeId,
		uint32 windowSec,
		uint32 graceSec
	) external onlyOperator(nodeId) {
		_setWindows(_nodes[nodeId], windowSec, graceSec);
		emit WindowsChanged(nodeId, _nodes[nodeId].windowSec, _nodes[nodeId].graceSec);
	}

	/// @notice Accepts an attestor for sessions created from now on, or no longer. Operator
	/// only.
	function setAttestor(
		uint256 nodeId,
		address attestor,
		bool accepted
	) external onlyOperator(nodeId) {
		acceptsAttestor[nodeId][_notZero(attestor)] = accepted;
		emit AttestorChanged(nodeId, attestor, accepted);
	}

	/// @inheritdoc INodeRegistry
	function openSession(
		uint256 nodeId,
		address asset,
		address attestor
	) external onlyEscrow returns (Offer memory offer) {
		offer = offerOf(nodeId, asset, attestor);
		_nodes[nodeId].sessions++;
	}

	/// @inheritdoc INodeRegistry
	function addServed(uint256 nodeId, uint256 servedBytes) external onlyEscrow {
		// A total for display: it stays at its maximum rather than ever stand in the way of
		// a settlement.
		uint256 total = _nodes[nodeId].servedBytes + servedBytes;
		_nodes[nodeId].servedBytes =
			total > type(uint96).max ? type(uint96).max : uint96(total);
	}

	/// @inheritdoc INodeRegistry
	function offerOf(
		uint256 nodeId,
		address asset,
		address attestor
	) public view returns (Offer memory) {
		Node storage node = _nodes[nodeId];
		if (node.operator == address(0)) revert UnknownNode();
		if (!node.active) revert NodeInactive();
		uint256 pricePerGB = priceOf[nodeId][asset];
		if (pricePerGB == 0) revert AssetNotPriced();
		if (attestor != address(0) && !acceptsAttestor[nodeId][attestor])
			revert AttestorNotAccepted();
		return
			Offer(
				pricePerGB,
				node.payout,
				node.usageSigner,
				node.wgPublicKey,
				node.windowSec,
				node.graceSec
			);
	}

	/// @inheritdoc INodeRegistry
	function maySettle(uint256 nodeId, address caller) external view returns (bool) {
		Node storage node = _nodes[nodeId];
		return caller != address(0) && (caller == node.operator || caller == node.settler);
	}

	/// @inheritdoc INodeRegistry
	function isActive(uint256 nodeId) external view returns (bool) {
		return _nodes[nodeId].active;
	}

	/// @notice One entry.
	function getNode(uint256 nodeId) public view returns (NodeView memory) {
		if (_nodes[nodeId].operator == address(0)) revert UnknownNode();
		return NodeView(nodeId, priceOf[nodeId][address(0)], _nodes[nodeId]);
	}

	/// @notice A page of the listing, active and inactive alike, in the order of their ids.
	/// @param offset entries to pass over
	/// @param limit entries wanted; at most MAX_PAGE are returned
	/// @return page may be shorter than `limit`; empty past the end
	/// @return total number of nodes
	function listNodes(
		uint256 offset,
		uint256 limit
	) external view returns (NodeView[] memory page, uint256 total) {
		total = nodeCount;
		uint256 left = offset < total ? total - offset : 0;
		if (limit > MAX_PAGE) limit = MAX_PAGE;
		if (limit > left) limit = left;
		page = new NodeView[](limit);
		for (uint256 i = 0; i < limit; i++) page[i] = getNode(offset + i + 1);
	}

	function _setTexts(
		Node storage node,
		string calldata name,
		string calldata region,
		string calldata endpoint,
		string calldata apiUrl
	) private {
		if (bytes(name).length == 0 || bytes(name).length > MAX_NAME) revert BadText();
		if (bytes(region).length > MAX_REGION) revert BadText();
		if (bytes(endpoint).length > MAX_LOCATOR || bytes(apiUrl).length > MAX_LOCATOR)
			revert BadText();
		node.name = name;
		node.region = region;
		node.endpoint = endpoint;
		node.apiUrl = apiUrl;
	}

	function _setWindows(Node storage node, uint32 windowSec, uint32 graceSec) private {
		if (windowSec == 0) windowSec = uint32(DEFAULT_SEC);
		if (graceSec == 0) graceSec = uint32(DEFAULT_SEC);
		if (windowSec < MIN_WINDOW_SEC || windowSec > MAX_WINDOW_SEC) revert BadWindow();
		if (graceSec < MIN_GRACE_SEC || graceSec > MAX_GRACE_SEC) revert BadGrace();
		node.windowSec = uint24(windowSec);
		node.graceSec = uint24(graceSec);
	}

	function _notZero(address account) private pure returns (address) {
		if (account == address(0)) revert BadAddress();
		return account;
	}

	function _validKey(bytes32 key) private pure returns (bytes32) {
		if (key == 0) revert BadKey();
		return key;
	}

	/// The escrow keeps prices in 96 bits: with 2^32 GB a cost fits in 128.
	function _validPrice(uint256 pricePerGB) private pure returns (uint256) {
		if (pricePerGB > type(uint96).max) revert BadPrice();
		return pricePerGB;
	}
}
