import Ledger
import Logging
import Payouts
import Streams
import Worker

/// Reads what Signers say they sent, and holds it against the ledger.
///
/// Monitor finds transactions in blocks, not by these entries, so that a lost one costs nothing. But a Signer sends only
/// what is committed: a txid that the ledger does not know says that the ledger has lost history, or that somebody
/// writes in the stream.
struct TakeUpSent: Sendable {
  let ledger: any MonitorLedger
  let metrics: MonitorMetrics?
  let logger: Logger

  /// The stream's consumer around `take`.
  func consumer(
    _ transport: any StreamTransport, name: ConsumerName, clock: any WallClock
  ) throws -> StreamConsumer {
    var configuration = StreamConsumerConfiguration(
      streams: [.transactionsSent], group: .monitor, consumer: name)
    configuration.count = 500
    return try StreamConsumer(
      transport: transport, configuration: configuration, now: { clock.now().milliseconds },
      handle: { entries in try await take(entries) },
      giveUp: { entry in try await giveUp(entry, transport) })
  }

  /// The failures may have been the database's: the entry is held against it once more, alone, and only where the ledger
  /// refuses this very transaction's rows it goes, and somebody is called. Anything else throws, and the entry stays.
  ///
  /// No payout is held for it: what was sent is followed by its blocks, which need no entry, and must not stop there.
  private func giveUp(_ entry: StreamEntry, _ transport: any StreamTransport) async throws -> String {
    let code: LedgerError.Code
    do {
      _ = try await take([entry])
      try await transport.acknowledge([entry], group: .monitor)
      return "done at last"
    } catch let error as LedgerError where error.code.blamesTheRows {
      code = error.code
    } catch is MalformedValue {
      code = .corrupt
    }
    let note = "it could not be held against the ledger: \(code)"
    let subject = entry.fields[StreamField.txid].flatMap { try? TxID(hex: $0) }.map { "transaction \($0)" }
    try await ledger.raiseAlarm(
      kind: "dead_letter", subject: subject ?? "stream \(entry.stream)",
      message: "a Signer's word that it was sent was given up: \(note); its payouts go on by the chain's word")
    logger.critical(
      "Gave an announcement up",
      metadata: [LogKey.streamEntryID: "\(entry.id)", LogKey.streamName: "\(entry.stream)", "reason": "\(code)"])
    return note
  }

  private func take(_ entries: [StreamEntry]) async throws -> [StreamEntry] {
    let txids = entries.compactMap { entry in entry.fields[StreamField.txid].flatMap { try? TxID(hex: $0) } }
    if txids.count < entries.count {
      logger.warning(
        "Entries name no transaction; they are dropped",
        metadata: [LogKey.streamEntryCount: "\(entries.count - txids.count)"])
    }
    let known = Set(try await ledger.known(txids).map(\.txid))
    metrics?.count(sent: known.count)
    for txid in Set(txids).subtracting(known).sorted() {
      let message = "a Signer said that it sent \(txid), which the ledger does not know"
      logger.critical("An unknown transaction was announced", metadata: [LogKey.txID: "\(txid)"])
      try await ledger.raiseAlarm(kind: "unknown_announcement", subject: "transaction \(txid)", message: message)
    }
    return entries
  }
}
