import Ledger
import Streams
import Worker

/// Sends batches again whose stream entry was lost, and those whose payouts were freed and have waited long enough.
struct SweepBatches: Sendable {
  /// How long payouts may wait to be signed before their entry counts as lost, in milliseconds.
  static let lostAfterMilliseconds: Int64 = 15_000
  /// How often to look, in milliseconds.
  static let pauseMilliseconds: Int64 = 2_000
  /// A stream that is longer than this is behind, not lossy: nothing is added to it.
  static let streamLengthMaximum = 1_000
  /// How many batches at once.
  static let atOnce = 200
  /// An entry that stands for longer may be one that nobody will ever be given, in milliseconds: its batch is sent again.
  static let standingMillisecondsMaximum: Int64 = 600_000

  let ledger: any SignerLedger
  let streams: any StreamTransport
  let clock: any WallClock
  let state: SignerState

  /// One look, going round through all batches in the order of their ids: those that cannot be signed now must not hide
  /// the others. Of what one look finds, the higher priorities are sent first.
  ///
  /// What stands in the stream is not lost for a good while: sent again and again, it would fill the stream, and Scheduler
  /// would take that for work. (An entry's id is the server's time in milliseconds when it was appended.)
  func step() async throws -> StepOutcome {
    let idle = StepOutcome.idle(milliseconds: Self.pauseMilliseconds)
    let standing = try await streams.contents(of: .batchesReady, atMost: Self.streamLengthMaximum)
    guard standing.count < Self.streamLengthMaximum else { return idle }
    let batches = try await ledger.batchesToSign(
      waitingFor: Self.lostAfterMilliseconds, after: state.lastSwept, atMost: Self.atOnce)
    state.lastSwept = batches.count < Self.atOnce ? nil : batches.max()
    let oldest = UInt64(clamping: clock.now().milliseconds - Self.standingMillisecondsMaximum)
    let known = Set(standing.filter { $0.id.milliseconds >= oldest }.compactMap { $0.fields[StreamField.batchID] })
    let lost = batches.map { "\($0)" }.filter { !known.contains($0) }
    guard !lost.isEmpty else { return idle }
    try await streams.append(lost.map { [StreamField.batchID: $0] }, to: .batchesReady)
    return idle
  }
}
