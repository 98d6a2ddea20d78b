public import Payouts

/// What the registry of nodes whose identity is known asks of the ledger (`M023KYC`).
public protocol KYCLedger: Sendable {
  /// The same in somebody's hand, whose name stands beside each change.
  func acting(as actor: String) -> Self
  /// Registers a node for ``KYCNode/registrationMilliseconds``, as pending. One that has expired, or was rejected or
  /// suspended, is registered anew: its history keeps what stood there.
  ///
  /// - Parameter caller: who registers it, by canonical id.
  /// - Throws: `LedgerError`: `.outcomeUnknown` (asking again finds out), `.unavailable`, as do all of these.
  func register(_ terms: KYCTerms, by caller: String) async throws -> KYCRegistration
  /// A node as it stands by the ledger's clock; nil where none was registered so.
  func kycNode(_ id: String) async throws -> KYCNode?
  /// Takes a pending node for verified, and its nonce for used, for ever.
  ///
  /// - Parameters:
  ///   - proof: a signature that was checked over these terms; its time is judged here, by the ledger's clock.
  ///   - terms: as the node was read, so that nothing else is verified than what was signed.
  func verify(_ terms: KYCTerms, by proof: KYCProof) async throws -> KYCVerification
  /// Suspends a node that is pending or verified. Asking again answers the same, with the first reason.
  ///
  /// - Parameter reason: 1 to 500 characters.
  func suspend(node id: String, reason: String) async throws -> KYCSuspension
}

/// What a node is registered with.
public struct KYCTerms: Sendable, Hashable {
  /// The node, 1 to 128 characters.
  public let node: String
  /// Where it is paid, and nowhere else.
  public let wallet: Address
  /// The hash of what proved its identity, 32 bytes.
  public let kycHash: [UInt8]
  /// How thoroughly that is known.
  public let level: ComplianceLevel

  /// Terms of their parts; the database checks them.
  public init(node: String, wallet: Address, kycHash: [UInt8], level: ComplianceLevel) {
    self.node = node
    self.wallet = wallet
    self.kycHash = kycHash
    self.level = level
  }
}

/// By what the compliance authority said that a node is known.
public struct KYCProof: Sendable, Hashable {
  /// A signature may hold for so long from when it is received: 8 days (api.md "Payouts").
  public static let aheadMillisecondsMax: Int64 = 691_200_000

  /// 32 bytes, used for nothing else.
  public let nonce: [UInt8]
  /// The authority's address.
  public let signedBy: Address
  /// r ‖ s ‖ v, 65 bytes.
  public let signature: [UInt8]
  /// Until when the signature may be used; a node that it has verified stays so.
  public let validUntil: Timestamp

  /// A proof of its parts; the database checks their lengths.
  public init(nonce: [UInt8], signedBy: Address, signature: [UInt8], validUntil: Timestamp) {
    self.nonce = nonce
    self.signedBy = signedBy
    self.signature = signature
    self.validUntil = validUntil
  }
}

/// How a node stands (api.md "Enumerations").
public enum KYCStatus: String, Sendable, Hashable, CaseIterable {
  /// It waits for the authority's signature.
  case pending
  /// It may be paid.
  case verified
  /// Its identity was refused.
  case rejected
  /// Its time is over, by the ledger's clock.
  case expired
  /// Somebody suspended it.
  case suspended

  /// Whether it stands so until something happens: other terms would be another node's.
  public var isStanding: Bool { self == .pending || self == .verified }
}

/// A registered node, and how it stands.
public struct KYCNode: Sendable, Hashable {
  /// A registration holds for 365 days.
  public static let registrationMilliseconds: Int64 = 31_536_000_000

  /// What it was registered with last.
  public let terms: KYCTerms
  /// By the ledger's clock, when it was read.
  public let status: KYCStatus
  /// When it was registered last.
  public let registeredAt: Timestamp
  /// By whom: a caller's canonical id.
  public let registeredBy: String
  /// When its time is over.
  public let expiresAt: Timestamp
  /// When it was verified; nil where it was not since it was registered.
  public let verifiedAt: Timestamp?
  /// By what it was verified.
  public let proof: KYCProof?
  /// Since when it is suspended; nil where it is not.
  public let suspendedAt: Timestamp?
  /// Why.
  public let suspendedReason: String?
}

/// What became of registering a node.
public enum KYCRegistration: Sendable, Hashable {
  /// It is pending, with these terms.
  case registered(KYCNode)
  /// It stands with the very same terms already: nothing was changed.
  case standsAlready(KYCNode)
  /// It is pending or verified with other terms: nothing was changed.
  case otherTerms(KYCNode)
}

/// What became of verifying a node. Nothing but the first changes anything.
public enum KYCVerification: Sendable, Hashable {
  /// It is verified.
  case verified(KYCNode)
  /// None was registered so.
  case unknownNode
  /// It was registered anew meanwhile, with other terms than were signed.
  case otherTerms
  /// It is not pending.
  case notPending(KYCNode)
  /// The signature's time is over.
  case signatureIsOver
  /// The signature would hold for longer than ``KYCProof/aheadMillisecondsMax``.
  case signatureHoldsTooLong
  /// The nonce was used before, for this or for something else.
  case nonceUsed
}

/// What became of suspending a node.
public enum KYCSuspension: Sendable, Hashable {
  /// It is suspended, by this or before.
  case suspended(KYCNode)
  /// None was registered so.
  case unknownNode
  /// It has expired or was rejected: nothing was changed.
  case isOver(KYCNode)
}
