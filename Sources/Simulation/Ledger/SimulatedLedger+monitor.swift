import Ledger
import Payouts

extension SimulatedLedger: MonitorLedger {
  func watch() async throws -> ChainWatch? { try await read("watch") { $0.watch() } }

  func cursor(_ view: CursorView) async throws -> BlockPlace? { try await read("cursor") { $0.cursors[view] } }

  func recentBlocks(atMost count: Int) async throws -> [BlockPlace] {
    try await read("recent blocks") { $0.recentBlocks(atMost: count) }
  }

  func headBlock(_ number: Int64) async throws -> BlockPlace? {
    try await read("head block") { $0.headBlock(number) }
  }

  func known(_ txids: [TxID]) async throws -> [KnownTransaction] {
    guard !txids.isEmpty else { return [] }
    return try await read("known") { $0.known(txids) }
  }

  func apply(head block: HeadBlock, after previous: BlockPlace?) async throws -> Bool {
    try await write("apply head") { try $0.apply(head: block, after: previous) }
  }

  func store(findings: [ChainFinding], in place: BlockPlace) async throws {
    try await write("store findings") { $0.store(findings: findings, in: place, isSolid: true) }
  }

  func undoHead(above number: Int64, from head: BlockPlace) async throws -> [PayoutID]? {
    try await write("undo head") { try $0.undoHead(above: number, from: head) }
  }

  func resetHead(by order: HeadResetOrder, to solid: BlockPlace, from head: BlockPlace) async throws -> [PayoutID]? {
    try await write("reset head") { try $0.resetHead(by: order, to: solid, from: head) }
  }

  func refuseHeadReset(_ order: HeadResetOrder, _ why: String) async throws {
    try await write("refuse head reset") { $0.refuseHeadReset(order, why) }
  }

  func apply(
    solid block: BlockPlace, after previous: BlockPlace?, verdicts: [TxID: TransactionVerdict],
    retryDelayMilliseconds: Int64
  ) async throws -> Bool {
    try await write("apply solid") {
      try $0.apply(
        solid: block, after: previous, verdicts: verdicts, retryDelayMilliseconds: retryDelayMilliseconds)
    }
  }

  func unjudged(atMost count: Int) async throws -> [UnjudgedTransaction] {
    try await read("unjudged") { $0.unjudged(atMost: count) }
  }

  func settle(_ verdicts: [TxID: TransactionVerdict], retryDelayMilliseconds: Int64) async throws {
    try await write("settle") { try $0.settle(verdicts, retryDelayMilliseconds: retryDelayMilliseconds) }
  }

  func unblamedFailures(after last: UnblamedFailure?, atMost count: Int) async throws -> [UnblamedFailure] {
    try await read("unblamed failures") { $0.unblamedFailures(after: last, atMost: count) }
  }

  func blame(
    _ blame: FailureBlame, for failure: UnblamedFailure, maximumOwnFailures: Int64
  ) async throws -> PayoutEnd? {
    try await write("blame") { try $0.blame(blame, for: failure, maximumOwnFailures: maximumOwnFailures) }
  }

  func takeAlarms(atMost count: Int) async throws -> [AlarmRecord] {
    try await write("take alarms") { $0.takeAlarms(atMost: count) }
  }

  func recordTold(_ alarm: Int64) async throws { try await write("record told") { $0.recordTold(alarm) } }

  func confirm(headNumber: Int64, requiredConfirmations: Int64, atMost count: Int) async throws -> [PayoutID] {
    try await write("confirm") {
      try $0.confirm(headNumber: headNumber, requiredConfirmations: requiredConfirmations, atMost: count)
    }
  }

  func judgeFindings() async throws -> Int { try await write("judge findings") { $0.judgeFindings() } }
}
