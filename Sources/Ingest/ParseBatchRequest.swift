import Ledger
import Payouts

/// A batch that can be read, and what stands against accepting it now.
struct ParsedBatchRequest: Sendable, Hashable {
  /// What is asked for, in order.
  let requests: [PayoutRequest]
  /// What is wrong under the present circumstances alone, as of a single payout.
  let objections: [Problem.FieldProblem]
}

/// Reads the body of POST /payouts/batch: `{"payouts": [...]}`, each as of POST /payouts.
struct ParseBatchRequest: Sendable {
  /// The most payouts of one request.
  static let payoutsMax = ClientBatchSize.payoutsMax

  /// Reads each payout.
  let payouts: ParsePayoutRequest

  /// The requests in a body. Every wrong field of every payout is named, as `payouts[3].amount_usdt`.
  ///
  /// - Parameters: as of `ParsePayoutRequest.request`.
  /// - Throws: `Problem` of kind `malformedJSON` or `invalidRequest`.
  func requests(
    from body: [UInt8], now: Timestamp, forbidden: ForbiddenRecipients.Table
  ) throws(Problem) -> ParsedBatchRequest {
    var fields = try RequestFields(body: body)
    let requests = read(&fields, now: now, forbidden: forbidden)
    fields.refuseUnknownFields()
    guard let requests, !fields.hasLastingProblem else { throw ParsePayoutRequest.problem(fields.problems) }
    return ParsedBatchRequest(requests: requests, objections: fields.problems)
  }

  /// The requests; nil where one of them cannot be read.
  func read(
    _ fields: inout RequestFields, now: Timestamp, forbidden: ForbiddenRecipients.Table
  ) -> [PayoutRequest]? {
    guard let value = fields.value("payouts", isRequired: true) else { return nil }
    guard case .array(let items) = value else {
      fields.note("payouts", "must be an array of objects, not \(value.kind)")
      return nil
    }
    guard (1...Self.payoutsMax).contains(items.count) else {
      fields.note("payouts", "has \(items.count) items, 1 to \(Self.payoutsMax) are possible")
      return nil
    }
    var requests: [PayoutRequest] = []
    for (index, item) in items.enumerated() {
      guard case .object(let members) = item else {
        fields.note("payouts[\(index)]", "must be an object, not \(item.kind)")
        continue
      }
      var own = RequestFields(members)
      let request = payouts.read(&own, now: now, forbidden: forbidden)
      own.refuseUnknownFields()
      fields.note(own, under: "payouts[\(index)]")
      if let request { requests.append(request) }
    }
    return requests.count == items.count ? requests : nil
  }
}
