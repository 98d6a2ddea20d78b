import Ledger

/// A wait that stands in for a Signer already, as it is told to who asks for one.
struct StandingQuarantine {
  private let record: QuarantineRecord
  private let isEndedByWord: Bool

  /// - Parameters:
  ///   - signer: whose wait.
  ///   - records: quarantines, among them the latest of this Signer.
  /// - Returns: nil where none stands.
  init?(of signer: String, among records: [QuarantineRecord]) {
    let own = records.filter { $0.signer == signer }.sorted { $0.id > $1.id }
    guard let open = own.first(where: { $0.endedAt == nil }) else { return nil }
    record = open
    // By the ledger's rule: a wait asks no less of the Signer's word than those whose place it took.
    let line = own.drop { $0.id > open.id }.prefix { $0.id == open.id || $0.outcome == .replaced }
    isEndedByWord = !line.contains { $0.cause == .bothStarted || $0.cause == .walletPast }
  }

  /// Why it stands, until when, and whose word ends it.
  var lines: [String] {
    [
      "a quarantine stands in for \(record.signer) already (\(record.cause.rawValue)): \(record.reason); nothing was changed",
      end,
    ]
  }

  private var end: String {
    if record.isOver { return "it is over: the next vouching ends it" }
    let wait =
      if record.isOfPresentLife, let until = record.until {
        "it lasts until a solid block of \(until) is read"
      } else {
        "no running Signer has begun it under this start of PostgreSQL; see 'payoutctl quarantine'"
      }
    return "\(wait); \(word)"
  }

  private var word: String {
    guard isEndedByWord else { return "no word of \(record.signer) ends it sooner" }
    return record.cause == .journalLost
      ? "it ends sooner where \(record.signer) vouches with the journal that is believed lost"
      : "it ends sooner where \(record.signer) vouches"
  }
}
