import ArgumentParser
import Ledger
import Payouts
import Streams
import Worker

/// `payoutctl intents replay`: puts back acceptances and ends that a restore took from the database.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
/// - `REDIS_URL` (Redis URL, required, secret).
/// - `INTENT_SEAL_PUBLIC_KEY` (`id:hex`, comma-separated, required): Ingest's public keys, earlier ones too.
struct ReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Puts back acceptances and ends that a restore took from the database.",
    discussion: """
      No Signer vouches while the log of intents tells of something that the database lacks. Acceptances go back as they \
      were; a payout whose end was lost is held, and a person rejects, settles or releases it. Calling this again, at any \
      time, changes nothing more.
      """)

  @Flag(name: .long, help: "Only say what would be put back.")
  var dryRun = false
  @Flag(name: .long, help: "As JSON, for programs.")
  var json = false

  func run() async throws {
    let (database, redis, keys) = try Settings.read { settings in
      (
        settings.url("DATABASE_URL", .postgres), settings.url("REDIS_URL", .redis),
        settings.value(
          "INTENT_SEAL_PUBLIC_KEY", default: nil, standIn: "",
          expected: "id:hex of Ingest's public keys, comma-separated"
        ) { text throws(MalformedValue) in
          _ = try SealVerifier(text)
          return text
        }
      )
    }
    let replay = ReplayIntents(
      ledger: Payoutctl.ledger(at: database), log: try Payoutctl.streams(at: redis), seals: try SealVerifier(keys),
      isDryRun: dryRun)
    let report = try await replay.run()
    print(json ? try report.json() : report.lines.joined(separator: "\n"))
    if let complaint = report.complaint { throw Refusal(text: complaint) }
  }
}

extension ReplayIntents.Report {
  /// For people.
  fileprivate var lines: [String] {
    let lost = "\(entries) entries read, \(lost) acceptances and ends were lost"
    if isDryRun { return [lost, "nothing was changed: this was only a look"] }
    return [
      lost, "\(putBack) payouts put back",
      "\(ends) payouts held because they had ended, \(conflicts) because another request has their reference",
    ]
  }
}
