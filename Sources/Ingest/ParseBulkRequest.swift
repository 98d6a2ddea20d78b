import Payouts

/// Reads the body of POST /payouts/transactions/bulk: `{"payout_ids": [...]}`.
enum ParseBulkRequest {
  /// The most ids of one request.
  static let idsMax = 100

  /// The ids in their order, each once.
  /// - Throws: `Problem` of kind `malformedJSON` or `invalidRequest`.
  static func ids(from body: [UInt8]) throws(Problem) -> [PayoutID] {
    var fields = try RequestFields(body: body)
    let ids = fields.list("payout_ids", count: 1...idsMax, isRequired: true) { text throws(MalformedValue) in
      try PayoutID(text)
    }
    var seen: Set<PayoutID> = []
    return try fields.whole(ids).filter { seen.insert($0).inserted }
  }
}
