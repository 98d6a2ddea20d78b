import Foundation
import Testing

/// Which operations of the ledger the walk beside the model calls, and which refusals it must have met.
enum ModelCoverage {
  /// Every operation of the protocols by which workers and operators see the ledger, and the first word of the walk's
  /// operation that calls it. An unlabelled parameter stands by its type.
  static let walked = [
    "accept([AcceptanceRequest] limits:)": "accept", "accepted(under:)": "accepted-under",
    "acknowledgeAlarm(Int64 reason:)": "acknowledge",
    "adopt(JournalEntry signer: journalID: life:)": "adopt",
    "adoptionsToCarryOut(wallet: signer: atMost:)": "adoptions", "apply(head: after:)": "head",
    "apply(solid: after: verdicts: retryDelayMilliseconds:)": "solid", "attempts(of:)": "attempts",
    "batchesToSign(waitingFor: after: atMost:)": "batches", "beginQuarantines(head: under:)": "begin",
    "blame(FailureBlame for: maximumOwnFailures:)": "blame", "breaker()": "breaker-report",
    "bring([JournalEntry] of:)": "bring", "cancel(PayoutID note:)": "cancel",
    "claimWebhooks(after: leaseMilliseconds: atMost:)": "claim",
    "closeBreaker(reason:)": "close-breaker", "conditions()": "conditions",
    "confirm(headNumber: requiredConfirmations: atMost:)": "confirm", "cursor(CursorView)": "cursor",
    "decide(PayoutID HeldDecision seen: reason: requiredConfirmations:)": "decide",
    "declare(wallet: signer: journalID: begin: waits:)": "declare", "declaredJournal(of:)": "declared-journal",
    "headBlock(Int64)": "head-block", "headResets(atMost:)": "head-resets",
    "orderHeadReset(reason:)": "order-head-reset", "refuseHeadReset(HeadResetOrder String)": "refuse-head-reset",
    "resetHead(by: to: from:)": "reset-head",
    "duePayouts(atMost:)": "due", "expire(atMost:)": "expire", "heldPayouts(atMost:)": "held-payouts",
    "history(of:)": "history", "holdQueued(PayoutID note:)": "hold-queued",
    "holdScheduled(batch: note:)": "hold-scheduled", "holdUnproven(atMost:)": "hold-unproven",
    "intentCheckpoint()": "checkpoint",
    "longestLifeMilliseconds()": "match", "judgeFindings()": "judge", "known([TxID])": "known",
    "lost([Intent])": "lost", "makeWebhookSecret(of: WebhookSecret)": "make-secret",
    "moveIntentCheckpoint(to: under:)": "move-checkpoint",
    "openBreaker(cause: subject: message:)": "open-breaker-by", "openBreaker(reason:)": "open-breaker",
    "order(AdoptionOrder)": "order-adoption", "order(TreasuryOrder)": "order-sweep", "pause(reason:)": "pause",
    "payout(PayoutID)": "payout", "payouts(paying: Amount)": "match", "putBack(acceptances:)": "replay-acceptances",
    "putBack(ends:)": "replay-ends", "quarantines(atMost:)": "quarantine-list",
    "raiseAlarm(kind: subject: message:)": "raise-alarm", "recentBlocks(atMost:)": "recent-blocks",
    "record(Standstill of:)": "standstill", "record(WebhookResult of:)": "record-webhook",
    "record([BroadcastRecord])": "record", "recordTold(Int64)": "told",
    "refuseAdoption(of: String)": "refuse", "release(WebhookLot restMilliseconds: lifetimeMilliseconds:)": "release",
    "requestQuarantine(QuarantineRequest)": "request", "resume(reason:)": "resume",
    "rotateWebhookSecret(of: to: oldValidMilliseconds:)": "rotate-secret",
    "schedule([PayoutID] maximumPerBatch: newBatchID:)": "schedule-some",
    "scheduleDue(atMost: maximumPerBatch: newBatchID:)": "schedule", "setWindows(WindowLengths)": "windows",
    "settle([TxID: TransactionVerdict] retryDelayMilliseconds:)": "settle", "sign(SigningOrder decide:)": "sign",
    "signTreasuryOrder(TreasurySigning decide:)": "sign-sweep", "solidTime()": "solid-time",
    "stageDepths(countingAtMost:)": "stage-depths", "standingAlarms(atMost:)": "alarms",
    "store(findings: in:)": "store-findings", "takeAlarms(atMost:)": "alarms",
    "takeForBroadcast(wallet: headTime: leaseMilliseconds: atMost:)": "take",
    "treasuryOrders(atMost:)": "treasury-list", "unblamedFailures(after: atMost:)": "unblamed",
    "undoHead(above: from:)": "undo", "unexplainedFindings(naming: atMost:)": "match",
    "unjudged(atMost:)": "unjudged",
    "vouch(Vouching journal:)": "vouch", "vouchingState(signer:)": "vouching-state",
    "waitingOrders()": "waiting-orders", "wallets()": "wallets", "watch()": "watch",
    "webhookDepth()": "webhook-depth", "webhookSecrets(of:)": "secrets",
  ]

  /// What answers must have said, by the walk's operation.
  static let told: [String: [String]] = [
    "accept": [
      "accepted", "replayed", "different", "limit", "known under", "batch accepted", "batch replayed", "batch known",
    ],
    "adopt": ["true", "false"],
    "begin": ["begun", "clocksDiffer", "anotherLife"],
    "bring": ["notRetired", "brought"],
    "cancel": ["cancelled", "tooLate", "mayBePaid", "historyNotTrusted", "unknownPayout"],
    "decide": [
      "done", "notHeld", "endedBeforeRestore", "historyNotTrusted", "notItsAnomaly", "confirmationsAreMissing",
      "attemptIsLive", "attemptHasPaid", "heldFor",
    ],
    "declare": ["declared", "alreadyDeclared", "anotherJournal", "walletHasPast", "error refused"],
    "head": ["true", "false"],
    "hold-queued": ["true", "false"], "hold-unproven": ["true", "false"],
    "move-checkpoint": ["true", "false"],
    "order-head-reset": ["ordered", "standing", "notNeeded"],
    "reset-head": ["done", "nil"],
    "order-adoption": [
      "doesNotWait", "otherTerms", "referenceInUse", "noFinding", "notSolid", "alreadyOrdered", "nil",
    ],
    "pause": ["true", "false"],
    "record-webhook": ["delivered", "gone", "givenUp", "pending"],
    "request": ["requested", "standing", "notNeeded", "unknownSigner", "retiredJournal"],
    "resume": ["true", "false"],
    "sign": ["done", "notContinuous", "openFinding", "paused", "breakerOpen", "fenceBehind", "inFlightLimit"],
    "sign-sweep": ["done", "notContinuous", "openFinding", "breakerOpen"],
    "undo": ["error illegalChange"],
    "vouch": ["vouched", "anotherJournal", "waitsForQuarantine", "waitsForVerdicts", "anotherLife"],
    "windows": ["true", "false"],
  ]

  /// The parts of ``told`` that an answer holds, as the tally counts them.
  static func parts(of answer: String, to kind: String) -> [String] {
    (told[kind] ?? []).filter(answer.contains).map { "\(kind) told \($0)" }
  }

  static var wanted: [String] {
    Set(walked.values).map { "\($0) walked" } + told.flatMap { kind, parts in parts.map { "\(kind) told \($0)" } }
  }
}

@Suite struct ModelCoverageTests {
  @Test("every operation of the ledger's protocols is one of the walk beside the model")
  func everyOperationIsWalked() throws {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Sources/Shared/Ledger")
    let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
    var found: Set<String> = []
    for case let file as URL in files where file.pathExtension == "swift" {
      found.formUnion(Self.operations(in: try String(contentsOf: file, encoding: .utf8)))
    }
    #expect(found == Set(ModelCoverage.walked.keys))
  }

  /// What the protocols in a source ask for.
  private static func operations(in source: String) -> [String] {
    // Who calls, what was audited, who registered to be told, and which nodes are known move no payout: no simulated world
    // has them, and nothing models them.
    let bodies = source.components(separatedBy: "\npublic protocol ").dropFirst().filter { protocolText in
      !["APIKeyLedger", "Audit", "WebhookEndpointLedger", "KYCLedger"].contains { protocolText.hasPrefix($0) }
    }.compactMap { $0.components(separatedBy: "\n}").first }
    return bodies.flatMap { body in
      body.components(separatedBy: "\n  func ").dropFirst().compactMap { text in
        text.firstIndex(of: "(").map { open in
          let parameters = topLevelParts(of: text[text.index(after: open)...])
          return text[..<open] + "(" + parameters.map(name).joined(separator: " ") + ")"
        }
      }
    }
  }

  private static func name(_ parameter: String) -> String {
    let sides = parameter.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    let label = sides[0].split(separator: " ").first.map(String.init) ?? ""
    return label == "_" ? sides[1] : "\(label):"
  }

  /// What stands between the commas up to the closing parenthesis.
  private static func topLevelParts(of text: Substring) -> [String] {
    var (parts, depth) = ([""], 0)
    for character in text {
      if "([".contains(character) { depth += 1 }
      if ")]".contains(character) { depth -= 1 }
      if depth < 0 { break }
      if character == ",", depth == 0 { parts.append("") } else { parts[parts.count - 1].append(character) }
    }
    return parts.filter { !$0.allSatisfy(\.isWhitespace) }
  }
}
