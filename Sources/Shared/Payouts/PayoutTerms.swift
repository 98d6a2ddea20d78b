/// What was accepted and may never change: the fields that the seal covers (DESIGN.md §3 "The seal").
public struct PayoutTerms: Hashable, Sendable {
  /// The payout's name.
  public let id: PayoutID
  /// Its name for ever.
  public let reference: Reference
  /// The canonical id of who asked for it.
  public let owner: String
  /// Which TRON network it is paid on.
  public let network: Network
  /// The token's contract.
  public let token: Address
  /// The token's name, `USDT` for now.
  public let asset: String
  /// Who is paid.
  public let recipient: Address
  /// How much, in micro-USDT.
  public let amount: Amount
  /// Which router's rules it follows.
  public let router: RouterType
  /// In which window it is paid.
  public let batchType: BatchType
  /// The client's batch, nil for a single payout.
  public let clientBatch: BatchID?
  /// The node it is for, with the kyc router.
  public let node: String?
  /// 32 bytes, with the kyc router.
  public let kycHash: [UInt8]?
  /// When it was accepted.
  public let createdAt: Timestamp
  /// When it may no longer be signed, if ever.
  public let expiresAt: Timestamp?

  /// The only asset for now.
  public static let usdt = "USDT"

  /// All fields, as accepted.
  public init(
    id: PayoutID, reference: Reference, owner: String, network: Network, token: Address, asset: String = usdt,
    recipient: Address, amount: Amount, router: RouterType, batchType: BatchType, clientBatch: BatchID? = nil,
    node: String? = nil, kycHash: [UInt8]? = nil, createdAt: Timestamp, expiresAt: Timestamp? = nil
  ) {
    self.id = id
    self.reference = reference
    self.owner = owner
    self.network = network
    self.token = token
    self.asset = asset
    self.recipient = recipient
    self.amount = amount
    self.router = router
    self.batchType = batchType
    self.clientBatch = clientBatch
    self.node = node
    self.kycHash = kycHash
    self.createdAt = createdAt
    self.expiresAt = expiresAt
  }
}

/// The TRON networks. Transactions carry no chain id, so the genesis block tells them apart (reference §7).
public enum Network: String, CaseIterable, Sendable {
  case mainnet, shasta, nile, devnet
}

/// The rules a payout follows.
public enum RouterType: String, CaseIterable, Sendable {
  /// No identity check: end users.
  case v0
  /// Node workers with identity check and compliance signature.
  case kyc
}

/// When a payout is paid.
public enum BatchType: String, CaseIterable, Sendable {
  case immediate, hourly, daily, weekly
}

/// Which payout of a window goes first.
public enum Priority: String, CaseIterable, Sendable {
  case low, normal, high, urgent
}

/// What a payout is for, by router (api.md "Enumerations").
public enum PayoutReason: String, CaseIterable, Sendable {
  case sessionRelay = "session_relay"
  case storageProof = "storage_proof"
  case validationSignature = "validation_signature"
  case uptimeReward = "uptime_reward"
  case governanceParticipation = "governance_participation"
  case custom
  case nodeOperation = "node_operation"
  case storageProvision = "storage_provision"
  case bandwidthRelay = "bandwidth_relay"
  case consensusParticipation = "consensus_participation"
  case governanceVoting = "governance_voting"
  case validationService = "validation_service"
  case maintenanceReward = "maintenance_reward"

  /// The reasons that a router's payouts may give.
  public static func allowed(by router: RouterType) -> [PayoutReason] {
    switch router {
    case .v0:
      [.sessionRelay, .storageProof, .validationSignature, .uptimeReward, .governanceParticipation, .custom]
    case .kyc:
      [
        .nodeOperation, .storageProvision, .bandwidthRelay, .consensusParticipation, .governanceVoting,
        .validationService, .uptimeReward, .maintenanceReward,
      ]
    }
  }
}
