import Ledger
import Payouts

/// Tells owners of webhook endpoints how these stand. A secret is told once, by the call that made it.
enum AnswerWebhook {
  /// An endpoint, with its secret where that was just made.
  static func endpoint(_ endpoint: WebhookEndpoint, _ secret: WebhookSecret? = nil) -> JSONValue {
    let terms = endpoint.terms
    let state = endpoint.deletedAt != nil ? "deleted" : endpoint.disabledAt != nil ? "disabled" : "active"
    let told = secret.map { [JSONValue.Member("secret", .text($0.text))] } ?? []
    return .object(
      [
        .init("webhook_id", .text(terms.id.description)), .init("owner", .text(terms.owner)),
        .init("url", .text(terms.url)),
        .init("events", terms.events.map { .array($0.map { .text($0.rawValue) }) } ?? .null),
        .init("description", .text(orNull: terms.description)), .init("state", .text(state)),
        .init("created_at", .text(endpoint.createdAt.description)),
        .init("failures", .integer(endpoint.failures)),
        .init("first_failed_at", .text(orNull: endpoint.firstFailedAt?.description)),
        .init("disabled_at", .text(orNull: endpoint.disabledAt?.description)),
        .init("disabled_reason", .text(orNull: endpoint.disabledReason)),
        .init("deleted_at", .text(orNull: endpoint.deletedAt?.description)),
      ] + told)
  }

  /// A page of endpoints, without their secrets.
  static func endpoints(_ endpoints: [WebhookEndpoint], next: String?) -> JSONValue {
    .object([
      .init("webhooks", .array(endpoints.map { endpoint($0) })), .init("next_cursor", .text(orNull: next)),
    ])
  }

  /// A new secret, and until when the old one signs as well.
  static func rotated(_ id: WebhookEndpointID, _ secret: WebhookSecret, oldUntil: Timestamp) -> JSONValue {
    .object([
      .init("webhook_id", .text(id.description)), .init("secret", .text(secret.text)),
      .init("old_secret_valid_until", .text(oldUntil.description)),
    ])
  }

  /// What was told or is to be told.
  static func delivery(_ record: WebhookDeliveryRecord) -> JSONValue {
    .object([
      .init("delivery_id", .text(record.id.description)),
      .init("webhook_id", .text(orNull: record.endpoint?.description)), .init("event", .text(record.event)),
      .init("payout_id", .text(orNull: record.payout?.description)),
      .init("batch_id", .text(orNull: record.batch?.description)), .init("state", .text(record.state.rawValue)),
      .init("tries", .integer(record.tries)),
      .init("last_tried_at", .text(orNull: record.lastTriedAt?.description)),
      .init("next_try_at", .text(orNull: record.nextTryAt?.description)),
      .init("last_result", .text(orNull: record.lastResult.map(shown))),
      .init("created_at", .text(record.createdAt.description)),
    ])
  }

  /// A page of deliveries.
  static func deliveries(_ records: [WebhookDeliveryRecord], next: Int64?) -> JSONValue {
    .object([
      .init("deliveries", .array(records.map(delivery))), .init("next_cursor", .text(orNull: next.map { "\($0)" })),
    ])
  }

  /// Without the words after a colon: where no answer came, they tell to which addresses names lead in our network.
  private static func shown(_ result: String) -> String { String(result.prefix { $0 != ":" }) }
}
