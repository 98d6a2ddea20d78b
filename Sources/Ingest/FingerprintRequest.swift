import Crypto
import Payouts

extension PayoutRequest {
  /// SHA-256 over the parsed fields: whether a key came with the same request again (DESIGN.md §7 "Same body").
  ///
  /// The order of members, spaces, the spelling of an amount or of a time and fields that were given with their default
  /// make no other request. Encoded as JSON text with every field in a fixed order, absent ones as null, so that two
  /// different requests never share an encoding; the tag's version changes with the list of fields.
  var fingerprint: [UInt8] {
    let fields: [JSONValue] = [
      .text(recipient.description), .integer(amount.microUSDT), .text(reason.rawValue), .text(router.rawValue),
      .text(priority.rawValue), .text(batchType.rawValue), .text(orNull: externalID), .text(orNull: beneficiaryUserID),
      .text(orNull: sessionID), .text(orNull: nodeID), .text(orNull: workCredits), .text(orNull: customData),
      .text(orNull: webhookURL), expiresAt.map { .integer($0.milliseconds) } ?? .null,
    ]
    return [UInt8](SHA256.hash(data: Array("tron-payouts/request/v1\0".utf8) + JSONValue.array(fields).utf8))
  }

  /// SHA-256 over how many payouts a batch has and the fingerprint of each, in order. It is the fingerprint of every one of
  /// them: so no part of a batch, nor a single payout, is ever taken for the same request.
  static func fingerprint(ofBatch requests: [PayoutRequest]) -> [UInt8] {
    let count = UInt32(requests.count)
    var bytes = Array("tron-payouts/batch-request/v1\0".utf8)
    bytes += (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * UInt32($0))) }
    for request in requests { bytes += request.fingerprint }
    return [UInt8](SHA256.hash(data: bytes))
  }
}
