import Ledger
import Logging
import Payouts
import Worker

/// Proves who calls by an API key, looked up with each call: a key that was revoked is worth nothing from then on, in
/// any replica.
///
/// The database is asked and not believed: the secret is held against its digest, and the row against Ingest's seal, so
/// that nobody can write himself a key there, or more rights into one. It alone says whether a key is revoked or
/// expired.
struct VerifyAPIKey: Sendable {
  private let ledger: any APIKeyLedger
  private let sealer: Sealer
  private let slots = LookUpSlots()
  private let metrics: CallerMetrics
  private let logger: Logger

  /// - Parameters:
  ///   - ledger: where keys are looked up.
  ///   - sealer: of `INTENT_SEAL_KEY`; what another key has sealed counts for nothing.
  init(ledger: any APIKeyLedger, sealer: Sealer, metrics: CallerMetrics, logger: Logger) {
    self.ledger = ledger
    self.sealer = sealer
    self.metrics = metrics
    self.logger = logger
  }

  /// The caller to whom a key belongs.
  /// - Parameter text: the value of the header, as it came.
  /// - Throws: `Problem` of kind `unauthenticated`, with a `WorthlessAPIKey` as its cause where the secret was right;
  ///   `unavailable` where the ledger cannot be asked; `overloaded` where too many keys come at once.
  func caller(_ text: String) async throws(Problem) -> Caller {
    guard let key = APIKeyText(text) else { throw Self.unknown }
    let record = try await record(key.id)
    // A key that does not exist is compared too, so that ids cannot be told from no ids by the time.
    let isRight = CompareSecrets.areSame(key.secretDigest, record?.terms.secretDigest ?? Self.digestOfNone)
    guard let record, isRight else { throw Self.unknown }
    let terms = record.terms
    guard sealer.isIntact(record.seal, on: terms) else {
      metrics.foundBrokenSeal()
      logger.error(
        "API key with a broken seal",
        metadata: [
          LogKey.apiKeyID: "\(terms.id)", LogKey.apiKeyOwner: "\(terms.owner)",
          LogKey.sealKeyID: "\(record.seal.keyID)",
        ])
      throw Self.unknown.because(WorthlessAPIKey(id: terms.id, why: .brokenSeal))
    }
    switch record.state {
    case .valid: break
    case .expired: throw Self.expired.because(WorthlessAPIKey(id: terms.id, why: .expired))
    case .revoked: throw Self.revoked.because(WorthlessAPIKey(id: terms.id, why: .revoked))
    }
    return Caller(
      id: terms.owner, role: terms.role, nodeIDs: terms.nodeIDs, permissions: terms.permissions,
      proof: .apiKey(terms.id))
  }

  private func record(_ id: APIKeyID) async throws(Problem) -> APIKeyRecord? {
    do throws(Problem) {
      try await slots.take()
    } catch {
      if error.kind == .overloaded { metrics.refusedLookUp() }
      throw error
    }
    defer { slots.release() }
    do {
      return try await ledger.apiKey(id)
    } catch {
      throw ReadPayout.problem(error)
    }
  }

  private static let unknown = Problem(
    .unauthenticated, "The X-API-Key is none that is known here. Send it as it was handed out.")
  private static let expired = Problem(
    .unauthenticated, "The API key has expired. Ask an admin for another one.")
  private static let revoked = Problem(
    .unauthenticated, "The API key was revoked. Ask an admin for another one.")
  /// Nobody knows a secret with this digest; and were it known, it would be nobody's.
  private static let digestOfNone = [UInt8](repeating: 0, count: 32)
}

/// A key whose secret was right, and which proves nobody all the same: whose it was is told to the log and to the audit
/// record, since it has got lost, or somebody has not noticed yet.
struct WorthlessAPIKey: Error, CustomStringConvertible {
  /// Why it proves nobody.
  enum Cause: String, Sendable {
    case expired = "has expired"
    case revoked = "is revoked"
    case brokenSeal = "has a broken seal"
  }

  let id: APIKeyID
  let why: Cause

  /// `api_key:<id> is revoked`.
  var description: String { "\(Caller.Proof.apiKey(id)) \(why.rawValue)" }
}

extension LogKey {
  /// An API key, by its id; never its text.
  static let apiKeyID = "api_key.id"
  /// Whose it is, by canonical id.
  static let apiKeyOwner = "api_key.owner"
  /// Which key of Ingest has sealed it, as its row says.
  static let sealKeyID = "seal.key_id"
}
