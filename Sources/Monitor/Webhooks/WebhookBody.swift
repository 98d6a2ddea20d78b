import Ledger
import Payouts
import Worker

/// What a webhook says. The bytes depend on the stored snapshot alone, so that each try of a delivery sends the same ones,
/// from whichever replica: a change of their form needs a column that tells the old rows from the new.
///
/// `{"type", "timestamp", "data": {"payout_id", "status", "asset", "amount_usdt", "recipient_address", "external_id",
/// "batch_id", "txid", "hold_reason"}}`, in this order; what is not there is null. The `data` of what is no payout's event
/// was written when it was stored.
enum WebhookBody {
  /// The body, in UTF-8.
  static func bytes(of delivery: WebhookDelivery) -> [UInt8] {
    switch delivery.told {
    case .payout(let payout): envelope(delivery.event, at: payout.at, data: data(of: payout).utf8)
    case .other(let at, let data): envelope(delivery.event, at: at, data: [UInt8](data.utf8))
    }
  }

  private static func envelope(_ event: String, at: Timestamp, data: [UInt8]) -> [UInt8] {
    var bytes = JSON.object([("type", .text(event)), ("timestamp", .text("\(at)"))]).utf8
    bytes.removeLast()
    bytes.append(contentsOf: #","data":"#.utf8)
    bytes.append(contentsOf: data)
    bytes.append(UInt8(ascii: "}"))
    return bytes
  }

  private static func data(of payout: WebhookPayout) -> JSON {
    .object([
      ("payout_id", .text("\(payout.id)")), ("status", .text(payout.status.rawValue)),
      ("asset", .text(payout.asset)), ("amount_usdt", .text("\(payout.amount)")),
      ("recipient_address", .text("\(payout.recipient)")), ("external_id", text(payout.externalID)),
      ("batch_id", text(payout.clientBatch?.description)), ("txid", text(payout.txid?.description)),
      ("hold_reason", text(payout.holdReason)),
    ])
  }

  private static func text(_ text: String?) -> JSON { text.map { .text($0) } ?? .null }
}
