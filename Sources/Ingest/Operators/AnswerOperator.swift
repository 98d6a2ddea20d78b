import Ledger
import Payouts
import Streams

/// Tells operators what their calls found and did.
enum AnswerOperator {
  /// The breaker, the pause, and what keeps payments from being made.
  static func payments(_ view: PaymentsView) -> JSONValue {
    let (breaker, conditions) = (view.breaker, view.conditions)
    return .object([
      .init("changed", view.hasChanged.map { .flag($0) } ?? .null),
      .init("breaker", self.breaker(breaker)),
      .init("paused_since", .text(orNull: conditions.pausedSince?.description)),
      .init("pause_reason", .text(orNull: conditions.pauseReason)),
      .init("history_vouched_for", .flag(conditions.isContinuous)),
      .init("open_findings", .integer(conditions.openFindings)),
      .init("acknowledged_findings", .array(view.acknowledged.map { .object(finding($0)) })),
    ])
  }

  private static func breaker(_ breaker: BreakerReport) -> JSONValue {
    .object([
      .init("state", .text(breaker.state)), .init("since", .text(breaker.since.description)),
      .init("cause", .text(orNull: breaker.cause)), .init("closes_by", .text(orNull: breaker.closesBy)),
      .init("openings", .integer(breaker.openings)),
      .init("next_trial_at", .text(orNull: breaker.trialAt?.description)),
      .init("trial_txid", .text(orNull: breaker.trial?.description)),
      .init("failed_trials", .integer(breaker.failedTrials)),
    ])
  }

  /// What the fence found and nothing explains, and the breaker: what whoever closes it must have seen.
  static func findings(_ findings: [UnexplainedFinding], _ breaker: BreakerReport) -> JSONValue {
    .object([
      .init("breaker", self.breaker(breaker)),
      .init(
        "findings",
        .array(findings.map { .object(finding($0.finding) + [.init("adoption", adoption($0.adoption))]) })),
    ])
  }

  private static func finding(_ finding: FindingRecord) -> [JSONValue.Member] {
    [
      .init("kind", .text(finding.kind)), .init("txid", .text(finding.txid.description)),
      .init("wallet_address", .text(finding.wallet.description)),
      .init("recipient_address", .text(orNull: finding.recipient?.description)),
      .init("amount_units", .text(orNull: finding.amountText)), .init("block_number", .integer(finding.blockNumber)),
      .init("found_at", .text(finding.foundAt.description)), .init("is_judged", .flag(finding.isJudged)),
      .init("is_acknowledged", .flag(finding.isAcknowledged)), .init("is_solid", .flag(finding.isSolid)),
    ]
  }

  private static func adoption(_ state: AdoptionState?) -> JSONValue {
    func told(_ name: String, payout: PayoutID? = nil, refusal: String? = nil) -> JSONValue {
      .object([
        .init("state", .text(name)), .init("payout_id", .text(orNull: payout?.description)),
        .init("refusal", .text(orNull: refusal)),
      ])
    }
    return switch state {
    case nil: .null
    case .ordered(let payout): told("ordered", payout: payout)
    case .done(let payout): told("done", payout: payout)
    case .refused(let why): told("refused", refusal: why)
    }
  }

  /// Stages of the ledger and streams of Redis, in the order of a payout's way.
  static func queues(_ view: QueuesView) -> JSONValue {
    func seconds(_ milliseconds: Int64?) -> JSONValue { milliseconds.map { .integer($0 / 1_000) } ?? .null }
    let stages = view.stages.map { stage in
      JSONValue.object([
        .init("status", .text(stage.status.rawValue)), .init("payouts", .integer(stage.count)),
        .init("oldest_age_seconds", seconds(stage.oldestAgeMilliseconds)),
      ])
    }
    let streams = view.streams?.map { stream in
      JSONValue.object([
        .init("stream", .text(stream.stream.text)), .init("group", .text(stream.group.text)),
        .init("entries", .integer(stream.length)), .init("pending", .integer(stream.pending)),
        .init("oldest_age_seconds", seconds(stream.oldestAgeMilliseconds)),
        .init("dead_letters", .integer(stream.deadLetters)),
      ])
    }
    return .object([.init("stages", .array(stages)), .init("streams", streams.map { .array($0) } ?? .null)])
  }

  /// Entries that were given up.
  static func deadLetters(_ letters: [DeadLetter]) -> JSONValue {
    let told = letters.map { letter in
      JSONValue.object([
        .init("id", .text(DeadLetterID(letter).description)), .init("stream", .text(letter.stream.text)),
        .init("dead_since", .text(Timestamp(milliseconds: Int64(clamping: letter.id.milliseconds)).description)),
        .init(
          "fields", .object(letter.fields.sorted { $0.key < $1.key }.map { .init($0.key, .text($0.value)) })),
        .init("error", .text(orNull: letter.error)), .init("group", .text(orNull: letter.group)),
        .init("deliveries", letter.deliveries.map { .integer($0) } ?? .null),
      ])
    }
    return .object([.init("dead_letters", .array(told))])
  }

  /// A dead letter that waits on its stream again.
  static func putBack(_ id: DeadLetterID) -> JSONValue {
    .object([.init("id", .text(id.description)), .init("stream", .text(id.stream.text))])
  }

  /// An API key, with its text where it was just made.
  static func apiKey(_ record: APIKeyRecord, _ text: APIKeyText? = nil) -> JSONValue {
    let terms = record.terms
    let told = text.map { [JSONValue.Member("api_key", .text($0.text))] } ?? []
    return .object(
      [
        .init("api_key_id", .text(terms.id.description)), .init("name", .text(terms.name)),
        .init("owner", .text(terms.owner)), .init("role", .text(terms.role.rawValue)),
        .init("permissions", .array(terms.permissions.map(\.rawValue).sorted().map { .text($0) })),
        .init("node_ids", .array(terms.nodeIDs.map { .text($0) })), .init("created_by", .text(terms.createdBy)),
        .init("created_proof", .text(terms.createdProof)),
        .init("created_at", .text(record.createdAt.description)),
        .init("expires_at", .text(orNull: terms.expiresAt?.description)),
        .init("revoked_at", .text(orNull: record.revokedAt?.description)),
        .init("revoked_by", .text(orNull: record.revokedBy)), .init("state", .text(record.state.rawValue)),
      ] + told)
  }

  /// API keys, without their texts.
  static func apiKeys(_ records: [APIKeyRecord]) -> JSONValue {
    .object([.init("api_keys", .array(records.map { apiKey($0) }))])
  }

  /// A page of audit records.
  static func audits(_ page: AuditPage) -> JSONValue {
    .object([
      .init("records", .array(page.entries.map { .audit($0.fields) })),
      .init("next_cursor", .text(orNull: page.next.map { "\($0)" })),
    ])
  }
}
