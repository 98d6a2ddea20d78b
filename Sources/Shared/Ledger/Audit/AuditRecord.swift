/// One act or refusal: who, what, under which request, and what came of it (api.md "Who may call").
///
/// Texts are cut to their maxima and freed of control characters when the record is made, so that nothing that a caller
/// sends keeps it from being stored, or draws on the terminal of whoever reads it. Their lengths are counted in Unicode
/// scalars, as PostgreSQL counts characters.
public struct AuditRecord: Sendable, Hashable {
  /// The longest `service`, `role`, `operation` and `outcome`, in characters.
  public static let wordCharactersMax = 64
  /// The longest `caller`, in characters: as in a token's `sub`.
  public static let callerCharactersMax = 255
  /// The longest `proof`, `target` and `requestID`, in characters.
  public static let nameCharactersMax = 128
  /// The longest `detail`, in characters.
  public static let detailCharactersMax = 1_200
  /// The longest time for which a record is dated back, in milliseconds: a day.
  public static let waitedMillisecondsMax: Int64 = 86_400_000

  /// Which process saw it.
  public let service: String
  /// Who called, by canonical id; nil where nobody was proven.
  public let caller: String?
  /// The caller's role.
  public let role: String?
  /// By what the caller was proven: `jwt`, `api_key:<id>`, `gateway`.
  public let proof: String?
  /// The HTTP operation's name, or `unknown`.
  public let operation: String
  /// What it was about, such as the payout's id in the path.
  public let target: String?
  /// The request's id: the caller's, or one that was made for it.
  public let requestID: String
  /// The answer's HTTP status, 100 to 599.
  public let status: Int
  /// `done`, `replayed`, or the kind of the problem, such as `forbidden`.
  public let outcome: String
  /// More of it in words: a reason, or the id that was made.
  public let detail: String?
  /// For how long it waited to be stored, in milliseconds: it is dated back by so much. Nobody stores it; 0 once it is
  /// read.
  public private(set) var waitedMilliseconds: Int64 = 0

  /// A record of what just happened.
  ///
  /// - Parameters:
  ///   - service: the process's name.
  ///   - caller: nil where nobody was proven.
  ///   - proof: `jwt`, `api_key:<id>`, `gateway`.
  ///   - operation: the HTTP operation's name, or `unknown`.
  ///   - status: taken for 599 above that, and for 100 below.
  ///   - outcome: `done`, `replayed`, or the problem's kind.
  public init(
    service: String, caller: String?, role: String?, proof: String?, operation: String, target: String?,
    requestID: String, status: Int, outcome: String, detail: String? = nil
  ) {
    self.init(
      stored: AuditRecord.cut(service, AuditRecord.wordCharactersMax),
      caller: caller.map { AuditRecord.cut($0, AuditRecord.callerCharactersMax) },
      role: role.map { AuditRecord.cut($0, AuditRecord.wordCharactersMax) },
      proof: proof.map { AuditRecord.cut($0, AuditRecord.nameCharactersMax) },
      operation: AuditRecord.cut(operation, AuditRecord.wordCharactersMax),
      target: target.map { AuditRecord.cut($0, AuditRecord.nameCharactersMax) },
      requestID: AuditRecord.cut(requestID, AuditRecord.nameCharactersMax), status: min(max(status, 100), 599),
      outcome: AuditRecord.cut(outcome, AuditRecord.wordCharactersMax),
      detail: detail.map { AuditRecord.cut($0, AuditRecord.detailCharactersMax) })
  }

  /// Exactly what a row holds. Nothing is cut: what somebody put into a row must not look as if it had been there.
  init(
    stored service: String, caller: String?, role: String?, proof: String?, operation: String, target: String?,
    requestID: String, status: Int, outcome: String, detail: String?
  ) {
    self.service = service
    self.caller = caller
    self.role = role
    self.proof = proof
    self.operation = operation
    self.target = target
    self.requestID = requestID
    self.status = status
    self.outcome = outcome
    self.detail = detail
  }

  /// The same record, to be dated back because it could not be stored when it came about.
  public func waited(milliseconds: Int64) -> AuditRecord {
    var record = self
    record.waitedMilliseconds = min(max(milliseconds, 0), AuditRecord.waitedMillisecondsMax)
    return record
  }

  /// A control character is replaced, not left out, so that one sees that something was there.
  private static func cut(_ text: String, _ maximum: Int) -> String {
    let replacement: Unicode.Scalar = "\u{fffd}"
    let scalars = text.unicodeScalars.prefix(maximum).map { scalar in
      scalar.properties.generalCategory == .control ? replacement : scalar
    }
    return String(String.UnicodeScalarView(scalars))
  }
}
