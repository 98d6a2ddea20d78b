/// The keys of log metadata, one name for one thing in all programs, so that a payout can be followed through all of
/// them by one key.
///
/// Units come last. Values are ids, numbers and words; never a secret, a signed body or a whole request.
public enum LogKey {
  /// The payout's id.
  public static let payoutID = "payout.id"
  /// How many payouts a line is about.
  public static let payoutCount = "payout.count"
  /// The state a payout left.
  public static let payoutStatusFrom = "payout.status.from"
  /// The state a payout entered.
  public static let payoutStatusTo = "payout.status.to"
  /// The payout's reference, 64 hex digits.
  public static let payoutReference = "payout.reference"
  /// Why a payout is held.
  public static let holdReason = "hold.reason"
  /// The settlement batch's id.
  public static let batchID = "batch.id"
  /// The client batch's id.
  public static let clientBatchID = "batch.client.id"
  /// The number of the attempt, from 1.
  public static let attemptNumber = "attempt.number"
  /// The transaction's id, 64 hex digits.
  public static let txID = "tron.txid"
  /// The block's number.
  public static let blockNumber = "tron.block.number"
  /// The block's id, 64 hex digits.
  public static let blockID = "tron.block.id"
  /// The TRON network's name.
  public static let tronNetwork = "tron.network"
  /// The node's scheme, host and port.
  public static let tronNode = "tron.node"
  /// A TRON address in base58check.
  public static let tronAddress = "tron.address"
  /// The answer's code, of a node.
  public static let tronCode = "tron.code"
  /// k of `REQUIRED_CONFIRMATIONS`.
  public static let confirmationCount = "confirmation.count"
  /// The HTTP request's id.
  public static let requestID = "request.id"
  /// The HTTP request's method.
  public static let requestMethod = "request.method"
  /// The HTTP route, never the whole path.
  public static let requestRoute = "request.route"
  /// The HTTP answer's status.
  public static let responseStatus = "response.status"
  /// Who asks, by canonical id.
  public static let callerID = "caller.id"
  /// The stream's name.
  public static let streamName = "stream.name"
  /// The entry's id in its stream.
  public static let streamEntryID = "stream.entry.id"
  /// How many entries a line is about.
  public static let streamEntryCount = "stream.entry.count"
  /// How often an entry was delivered.
  public static let deliveryCount = "delivery.count"
  /// The webhook delivery's id.
  public static let webhookID = "webhook.id"
  /// The registered endpoint that a webhook is for.
  public static let webhookEndpointID = "webhook.endpoint_id"
  /// The webhook's event: payout.queued, …
  public static let webhookEvent = "webhook.event"
  /// Scheme, host and port of where a webhook goes; never its path or query.
  public static let webhookOrigin = "webhook.origin"
  /// What came of a webhook's try, in words.
  public static let webhookResult = "webhook.result"
  /// How many webhooks a line is about.
  public static let webhookCount = "webhook.count"
  /// The signer's name, of `SIGNER_NAMES`.
  public static let signerName = "signer.name"
  /// The journal's random id.
  public static let journalID = "journal.id"
  /// Why the breaker opened.
  public static let breakerReason = "breaker.reason"
  /// The alarm's kind.
  public static let alarmKind = "alarm.kind"
  /// The database statement's name.
  public static let statementName = "statement.name"
  /// The migration's number.
  public static let migrationNumber = "migration.number"
  /// The step's name.
  public static let stepName = "step.name"
  /// Failures in a row.
  public static let failureCount = "failure.count"
  /// How long until the next try.
  public static let retryDelayMilliseconds = "retry.delay_ms"
  /// How long something took.
  public static let durationMilliseconds = "duration_ms"
  /// A part of the health report.
  public static let healthComponent = "health.component"
  /// The host that is listened on.
  public static let listenHost = "listen.host"
  /// The port that is listened on.
  public static let listenPort = "listen.port"
  /// Log lines that could not be kept.
  public static let droppedLineCount = "log.dropped.count"
}
