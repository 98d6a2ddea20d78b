import Ledger
import Logging
import Payouts
import Worker

/// What an admin asks for with POST /admin/api-keys.
struct APIKeyRequest: Sendable, Hashable {
  /// What people call it.
  let name: String
  /// The canonical id of whoever calls with it.
  let owner: String
  /// What its owner is with it.
  let role: CallerRole
  /// What it may do; all that the role may where nothing is said.
  let permissions: Set<CallerPermission>
  /// The nodes for which a node operator acts with it.
  let nodeIDs: [String]
  /// From when on it is worth nothing.
  let expiresAt: Timestamp?
}

/// Makes, lists and revokes API keys. A key's text is told once, to whoever made it; nothing keeps it.
struct ManageAPIKeys: Sendable {
  let ledger: any APIKeyLedger
  /// Seals what is made, so that a row which somebody else wrote is none.
  let sealer: Sealer
  let random: any RandomSource
  let logger: Logger

  /// A new key. Asked for twice, these are two keys: one that nobody was told is revoked by its name in the list.
  ///
  /// Nobody hands out more than he may himself, and a key hands out nothing: else whoever got hold of one for an hour
  /// could go on under others for ever.
  func make(
    _ request: APIKeyRequest, for caller: Caller
  ) async throws(Problem) -> (record: APIKeyRecord, text: APIKeyText) {
    if case .apiKey = caller.proof { throw Self.madeByKey }
    let beyond = request.permissions.subtracting(caller.permissions).map(\.rawValue).sorted()
    guard beyond.isEmpty else {
      throw Problem(
        .forbidden, "A key may do no more than whoever makes it, and you may not: \(beyond.joined(separator: ", ")).")
    }
    let text = APIKeyText(random: random)
    let terms = APIKeyTerms(
      id: text.id, secretDigest: text.secretDigest, name: request.name, owner: request.owner, role: request.role,
      permissions: request.permissions, nodeIDs: request.nodeIDs, createdBy: caller.id,
      createdProof: "\(caller.proof)", expiresAt: request.expiresAt)
    let record = try await store(terms)
    logger.notice(
      "An API key was made",
      metadata: [
        LogKey.apiKeyID: "\(terms.id)", LogKey.apiKeyOwner: "\(terms.owner)", LogKey.callerID: "\(caller.id)",
      ])
    return (record, text)
  }

  private func store(_ terms: APIKeyTerms) async throws(Problem) -> APIKeyRecord {
    let seal: APIKeySeal
    do {
      seal = try sealer.seal(terms)
    } catch {
      throw .mistake.because(error)
    }
    do {
      return try await ledger.makeAPIKey(terms, seal: seal)
    } catch let error as LedgerError where error.constraint == APIKeyTerms.expiryConstraint {
      // Ahead of our clock and behind the ledger's, which judges all keys.
      throw ParsePayoutRequest.problem([
        Problem.FieldProblem(field: "expires_at", message: "must be in the future, by the ledger's clock")
      ])
    } catch {
      throw OperatorProblem.ofChange(error)
    }
  }

  /// Keys, the newest first; nil for everybody's.
  func list(of owner: String?, atMost count: Int) async throws(Problem) -> [APIKeyRecord] {
    do {
      return try await ledger.apiKeys(of: owner, atMost: count)
    } catch {
      throw ReadPayout.problem(error)
    }
  }

  /// Revokes a key for good: from its commit on it proves nobody. Asking again answers the same, also somebody else.
  /// - Parameter id: the id's text in the path; a text that is no id names no key.
  func revoke(_ id: String, for caller: Caller) async throws(Problem) -> APIKeyRecord {
    guard let id = try? APIKeyID(hex: id) else { throw Self.unknown }
    let record: APIKeyRecord?
    do {
      record = try await ledger.revokeAPIKey(id, by: caller.id)
    } catch {
      throw OperatorProblem.ofChange(error)
    }
    guard let record else { throw Self.unknown }
    logger.notice(
      "An API key was revoked",
      metadata: [
        LogKey.apiKeyID: "\(id)", LogKey.apiKeyOwner: "\(record.terms.owner)", LogKey.callerID: "\(caller.id)",
      ])
    return record
  }

  private static let unknown = Problem(.notFound, "There is no such API key.")
  private static let madeByKey = Problem(
    .forbidden, "An API key makes no API keys. Make them with a token, or by way of the gateway.")
}

extension APIKeyRequest {
  /// The longest name, in characters.
  static let nameCharactersMax = 128

  /// Reads the body.
  /// - Throws: `Problem` of kind `malformedJSON` or `invalidRequest`.
  init(from body: [UInt8], now: Timestamp) throws(Problem) {
    var fields = try RequestFields(body: body)
    let request = Self.read(&fields, now: now)
    self = try fields.whole(request)
  }

  /// Every field is read, whatever is wrong with the others.
  static func read(_ fields: inout RequestFields, now: Timestamp) -> APIKeyRequest? {
    let name = fields.text("name", maximum: Self.nameCharactersMax, isRequired: true)
    let owner = fields.parsed("owner", maximum: Caller.idCharactersMax, isRequired: true) {
      text throws(MalformedValue) in
      guard Caller.isID(text) else { throw MalformedValue("owner", "is no id that a caller can have") }
      return text
    }
    let role = fields.word("role", CallerRole.self, isRequired: true)
    let possible = role?.permissions ?? Set(CallerPermission.allCases)
    let permissions = fields.list("permissions", count: 1...CallerPermission.allCases.count) {
      text throws(MalformedValue) in
      guard let permission = CallerPermission(rawValue: text), possible.contains(permission) else {
        let words = possible.map(\.rawValue).sorted().joined(separator: ", ")
        throw MalformedValue("permission", "must be one of the role's: \(words)")
      }
      return permission
    }
    let nodes = fields.list("node_ids", count: 0...CallerClaims.nodeIDsMax) { text throws(MalformedValue) in
      guard CallerClaims.isNodeID(text) else {
        throw MalformedValue(
          "node id", "must have 1 to \(CallerClaims.nodeIDCharactersMax) characters, none of control")
      }
      return text
    }
    let expiresAt = fields.parsed("expires_at", maximum: 64) { text throws(MalformedValue) in
      try Timestamp(rfc3339: text)
    }
    if let expiresAt, expiresAt <= now { fields.note("expires_at", "must be in the future") }
    guard let name, let owner, let role else { return nil }
    return APIKeyRequest(
      name: name, owner: owner, role: role, permissions: Set(permissions ?? Array(possible)), nodeIDs: nodes ?? [],
      expiresAt: expiresAt)
  }
}
