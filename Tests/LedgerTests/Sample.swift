import Ledger
import Payouts

/// Values for tests, each made from a number, so that a test can name them again.
enum Sample {
  /// The hot wallet.
  static let wallet = Address(account: [UInt8](repeating: 0x11, count: 20))
  /// The token's contract.
  static let token = Address(account: [UInt8](repeating: 0x22, count: 20))
  /// Somebody to be paid.
  static func recipient(_ number: Int) -> Address { Address(account: [0x33] + numbered(number, count: 19)) }

  /// A payout's name.
  static func payoutID(_ number: Int) -> PayoutID {
    PayoutID(at: Timestamp(milliseconds: 1_700_000_000_000 + Int64(number)), randomness: numbered(number, count: 10))
  }

  /// A payout's name for ever.
  static func reference(_ number: Int) -> Reference { Reference(exactly: [0x55] + numbered(number, count: 31)) }

  /// A batch's name.
  static func batchID(_ number: Int) -> BatchID {
    PayoutID(at: Timestamp(milliseconds: 1_600_000_000_000 + Int64(number)), randomness: numbered(number, count: 10))
  }

  /// The transaction of an attempt; another one for each second.
  static func txid(_ reference: Reference, attempt: Int, second: Int64 = 0) -> TxID {
    var bytes = reference.bytes
    bytes[0] = 0x77
    bytes[1] = UInt8(truncatingIfNeeded: attempt)
    bytes[2] = UInt8(truncatingIfNeeded: second)
    return TxID(exactly: bytes)
  }

  /// A block's id on a branch.
  static func blockID(_ number: Int64, branch: UInt8 = 0) -> BlockID {
    BlockID(
      exactly: (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * Int64($0))) }
        + [UInt8](repeating: 0x99, count: 23) + [branch])
  }

  /// A block's place.
  static func place(_ number: Int64, at time: Timestamp, branch: UInt8 = 0) -> BlockPlace {
    BlockPlace(number: number, id: blockID(number, branch: branch), time: time)
  }

  /// A payout to be accepted.
  static func payout(
    _ number: Int, id: Int? = nil, amount: Int64 = 1_000_000, recipient: Int? = nil, expiresAt: Timestamp? = nil,
    priority: Priority = .normal, router: RouterType = .v0, customData: String? = nil, fingerprint: UInt8 = 1,
    batchType: BatchType = .immediate, status: PayoutStatus = .queued, webhookURL: String? = nil,
    owner: String = "owner-1", clientBatch: Int? = nil
  ) throws -> NewPayout {
    NewPayout(
      terms: PayoutTerms(
        id: payoutID(id ?? number), reference: reference(number), owner: owner, network: .devnet, token: token,
        recipient: Self.recipient(recipient ?? number), amount: try Amount(microUSDT: amount), router: router,
        batchType: batchType, clientBatch: clientBatch.map(batchID),
        createdAt: Timestamp(milliseconds: 1_700_000_000_123), expiresAt: expiresAt),
      seal: Seal(version: 1, keyID: "key", signature: [UInt8](repeating: 0x66, count: 64)),
      particulars: PayoutParticulars(
        priority: priority, reason: .custom, customData: customData, webhookURL: webhookURL,
        requestID: "request-\(number)"),
      fingerprint: [UInt8](repeating: fingerprint, count: 32), status: status)
  }

  /// A client's batch of payouts with these numbers, asked for as one; `ids` are other ids than the usual ones.
  static func batch(
    _ batch: Int, _ numbers: ClosedRange<Int>, ids: [Int: Int] = [:], amount: Int64 = 1_000_000, fingerprint: UInt8 = 1,
    customData: [Int: String] = [:]
  ) throws -> AcceptanceRequest {
    AcceptanceRequest(
      try numbers.map {
        try payout(
          $0, id: ids[$0], amount: amount, customData: customData[$0], fingerprint: fingerprint, clientBatch: batch)
      })
  }

  /// What a Signer would store for a candidate: a transaction that lives for a minute.
  static func signed(
    _ candidate: SigningCandidate, _ batch: SigningBatch, lifeMilliseconds: Int64 = 60_000, txid: TxID? = nil
  ) -> SignedPayout {
    let terms = candidate.payout.terms
    return SignedPayout(
      payout: terms.id, reference: terms.reference, attemptNumber: candidate.attemptNumber,
      txid: txid ?? Self.txid(terms.reference, attempt: candidate.attemptNumber, second: batch.secondsLater),
      signedBytes: [UInt8](repeating: 0xab, count: 250), referenceBlockNumber: TestLedger.startNumber,
      headTime: batch.now, expiration: batch.now.advanced(byMilliseconds: lifeMilliseconds), feeLimit: Sun(30_000_000),
      transfer: ExpectedTransfer(token: terms.token, from: wallet, to: terms.recipient, amount: terms.amount))
  }

  /// Bytes as an SQL literal.
  static func sql(_ bytes: [UInt8]) -> String { "'\\x\(Hex.text(bytes))'::bytea" }

  /// A uuid as an SQL literal.
  static func sql(_ id: PayoutID) -> String { "'\(id)'::uuid" }

  /// A cost as receipts tell it.
  static let cost = TransactionCost(fee: Sun(27_000_000), energyUsed: 130_000, bandwidthUsed: 345)

  private static func numbered(_ number: Int, count: Int) -> [UInt8] {
    (0..<count).map { index in
      let shift = 8 * (count - 1 - index)
      return shift < 64 ? UInt8(truncatingIfNeeded: number >> shift) : 0
    }
  }
}
