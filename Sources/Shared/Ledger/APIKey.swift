public import Payouts

/// What making, looking up and revoking API keys asks of the ledger.
public protocol APIKeyLedger: Sendable {
  /// A key by its id, as it stands by the ledger's clock; nil where there is none.
  func apiKey(_ id: APIKeyID) async throws -> APIKeyRecord?
  /// Stores a key. Asking again with the very same terms and seal answers the same.
  ///
  /// - Throws: `LedgerError`: `.outcomeUnknown` (asking again finds out), `.unavailable`, `.refused` where the database
  ///   allows no such key (by ``APIKeyTerms/expiryConstraint`` where its time is over already), or the id is another
  ///   key's.
  func makeAPIKey(_ terms: APIKeyTerms, seal: APIKeySeal) async throws -> APIKeyRecord
  /// Revokes a key for good; nil where there is none. Asking again answers the same: whoever was first has revoked it.
  ///
  /// - Parameter caller: who revokes it, by canonical id.
  /// - Throws: `LedgerError`: `.outcomeUnknown` (asking again finds out), `.unavailable`.
  func revokeAPIKey(_ id: APIKeyID, by caller: String) async throws -> APIKeyRecord?
  /// Keys, the newest first.
  ///
  /// - Parameters:
  ///   - owner: whose; nil: everybody's.
  ///   - count: how many at most.
  func apiKeys(of owner: String?, atMost count: Int) async throws -> [APIKeyRecord]
}

/// The name of an API key, which is no secret: 8 random bytes, printed as 16 lower-case hexadecimal digits.
public struct APIKeyID: Hashable, Sendable, CustomStringConvertible {
  /// How many bytes one has.
  public static let byteCount = 8

  /// Exactly 8 bytes.
  public let bytes: [UInt8]

  /// - Throws: `MalformedValue` unless there are 8 bytes.
  public init(bytes: [UInt8]) throws(MalformedValue) {
    guard bytes.count == APIKeyID.byteCount else {
      throw MalformedValue("API key id", "has \(bytes.count) bytes, expected \(APIKeyID.byteCount)")
    }
    self.bytes = bytes
  }

  /// - Throws: `MalformedValue` unless `hex` is 16 lower-case hexadecimal digits: each key has one spelling.
  public init(hex: some StringProtocol) throws(MalformedValue) {
    guard let bytes = Hex.bytes(hex), bytes.count == APIKeyID.byteCount, Hex.text(bytes) == hex else {
      throw MalformedValue("API key id", "expected \(2 * APIKeyID.byteCount) lower-case hexadecimal digits")
    }
    self.bytes = bytes
  }

  /// 16 lower-case hexadecimal digits.
  public var description: String { Hex.text(bytes) }
}

/// What an API key is for its whole life.
public struct APIKeyTerms: Sendable, Hashable {
  /// Its name.
  public let id: APIKeyID
  /// SHA-256 of its secret, 32 bytes. The secret is random and as long, so that nobody finds it from here.
  public let secretDigest: [UInt8]
  /// What people call it, 1 to 128 characters.
  public let name: String
  /// Who calls with it: the canonical id that owns what is created with it, 1 to 1020 bytes.
  public let owner: String
  /// What its owner is with it.
  public let role: CallerRole
  /// What it may do: at least one permission, none that the role does not have.
  public let permissions: Set<CallerPermission>
  /// The nodes for which a node operator creates payouts with it, at most 1000.
  public let nodeIDs: [String]
  /// Who made it, by canonical id.
  public let createdBy: String
  /// How whoever made it was known: `jwt` or `gateway`. No API key makes another one.
  public let createdProof: String
  /// From when on it is worth nothing, by the ledger's clock; nil: never.
  public let expiresAt: Timestamp?

  /// The constraint that refuses a key whose time is over when it is made.
  public static let expiryConstraint = "api_key_expires_later"

  /// Terms of their parts; the database checks them.
  public init(
    id: APIKeyID, secretDigest: [UInt8], name: String, owner: String, role: CallerRole,
    permissions: Set<CallerPermission>, nodeIDs: [String], createdBy: String, createdProof: String,
    expiresAt: Timestamp?
  ) {
    self.id = id
    self.secretDigest = secretDigest
    self.name = name
    self.owner = owner
    self.role = role
    self.permissions = permissions
    self.nodeIDs = nodeIDs
    self.createdBy = createdBy
    self.createdProof = createdProof
    self.expiresAt = expiresAt
  }
}

/// Ingest's signature over an API key's terms, so that whoever can write in PostgreSQL can neither make nor widen a
/// key, with which he could have payouts sealed (DESIGN.md §3 "The seal"). Whether it is good is Ingest's to say.
public struct APIKeySeal: Sendable, Hashable {
  /// Which key of Ingest signed, 1 to 64 bytes.
  public let keyID: String
  /// Ed25519, 64 bytes.
  public let signature: [UInt8]

  /// A seal as it was made or stored.
  public init(keyID: String, signature: [UInt8]) {
    self.keyID = keyID
    self.signature = signature
  }
}

/// An API key, and how it stands.
public struct APIKeyRecord: Sendable, Hashable {
  /// Whether it is worth anything, by the ledger's clock when it was read, so that all replicas agree.
  public enum State: String, Sendable, Hashable {
    /// It proves its owner.
    case valid
    /// Its time is over.
    case expired
    /// Somebody has revoked it; that stays so, also after its time is over.
    case revoked
  }

  /// What never changes.
  public let terms: APIKeyTerms
  /// What Ingest has sealed them with; nobody has looked yet whether it is good.
  public let seal: APIKeySeal
  /// When it was made.
  public let createdAt: Timestamp
  /// When it was revoked; nil where it was not.
  public let revokedAt: Timestamp?
  /// Who revoked it, by canonical id; nil where it was not.
  public let revokedBy: String?
  /// Whether it is worth anything.
  public let state: State

  /// A record of its parts.
  public init(
    terms: APIKeyTerms, seal: APIKeySeal, createdAt: Timestamp, revokedAt: Timestamp?, revokedBy: String?, state: State
  ) {
    self.terms = terms
    self.seal = seal
    self.createdAt = createdAt
    self.revokedAt = revokedAt
    self.revokedBy = revokedBy
    self.state = state
  }
}
