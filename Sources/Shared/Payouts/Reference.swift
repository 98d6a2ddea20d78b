import Crypto

/// The 32 bytes that name a payout for ever (DESIGN.md §3 "The reference").
///
/// The same client asking again under the same key always arrives at the same reference, even after a disaster that lost
/// the row; whatever pays by reference therefore pays once.
public struct Reference: Identity32 {
  /// What errors call it.
  public static let kind = "reference"
  /// 32 bytes.
  public let bytes: [UInt8]
  /// Takes 32 bytes whose count was checked by the caller.
  public init(exactly bytes: [UInt8]) { self.bytes = bytes }

  /// Of a request that carries an idempotency key.
  ///
  /// - Parameters:
  ///   - owner: the one canonical id of the caller (UTF-8 of `sub`).
  ///   - idempotencyKey: as the header carried it.
  ///   - index: the payout's place in its request, 0 for a single payout.
  public init(owner: String, idempotencyKey: String, index: UInt32) {
    var encoding = CanonicalEncoding(tag: "tron-payouts/reference/v1")
    encoding.append(owner)
    encoding.append(idempotencyKey)
    encoding.append(index: index)
    self.bytes = [UInt8](SHA256.hash(data: encoding.bytes))
  }

  /// Of a payout that came without a key: unique because its id is.
  public init(payoutWithoutKey id: PayoutID) {
    var encoding = CanonicalEncoding(tag: "tron-payouts/reference/payout-id/v1")
    encoding.appendFixed(id.bytes)
    self.bytes = [UInt8](SHA256.hash(data: encoding.bytes))
  }

  /// The reference as one unsigned number modulo 1000: the milliseconds of a transaction's timestamp.
  ///
  /// Two payouts of equal recipient and amount signed in one second would otherwise be one transaction, paid once.
  public var milliseconds: Int64 {
    Int64(bytes.reduce(0) { ($0 * 256 + Int($1)) % 1_000 })
  }

  /// The top ten bits, which a transaction's expiration carries in its low ten bits: they tell lost twins apart.
  public var topTenBits: Int64 { Int64(bytes[0]) << 2 | Int64(bytes[1] >> 6) }
}
