import Hummingbird
import Ledger
import Payouts

/// Who did what, and what was refused: kept for ever (api.md "Who may call").
extension ServeHTTP {
  /// Records what a proven caller has written, before its answer is sent, and every refusal.
  ///
  /// What an answer says has happened whether it can be recorded or not: a record that cannot be stored in time is kept and
  /// stored later.
  func record(
    _ exchange: Exchange, _ operation: Operation?, _ response: Response, _ refused: Problem.Kind?
  ) async {
    let isWrite = exchange.caller != nil && operation?.isWrite == true
    guard isWrite || refused != nil else { return }
    // Who has the right secret of a key that is worth nothing any more is no stranger.
    if exchange.caller == nil, exchange.auditDetail == nil, !allowance.takes(service, at: clock.now(), noting: audit) {
      return
    }
    let isReplay = response.headers[.idempotencyReplayed] != nil
    let record = AuditRecord(
      service: service, caller: exchange.caller?.id, role: exchange.caller?.role.rawValue,
      proof: exchange.caller.map { "\($0.proof)" }, operation: operation?.rawValue ?? Operation.unknownName,
      target: exchange.parameters.first.flatMap(Self.target), requestID: exchange.requestID,
      status: Int(response.status.code),
      outcome: refused?.rawValue ?? (isReplay ? "replayed" : "done"), detail: exchange.auditDetail)
    if refused == .rateLimited, let rate = exchange.rate,
      !limited.takes(record, rate.rateClass, at: clock.now(), noting: audit)
    {
      return
    }
    // What was refused has changed nothing that would have to be known before its answer, where that is known.
    let mayHaveChanged = refused == nil || isWrite && refused == .outcomeUnknown
    if mayHaveChanged { await audit.write(record) } else { audit.note(record) }
  }

  /// What a path names, where it is a name: what stands there otherwise may be a secret that was pasted by mistake.
  private static func target(_ text: String) -> String? {
    if let id = try? PayoutID(text) { return id.description }
    if let id = try? APIKeyID(hex: text) { return id.description }
    return DeadLetterID(text)?.description
  }
}
