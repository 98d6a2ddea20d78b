import Payouts

/// What a client asks for with POST /payouts, read and checked: the same parsed fields are the same request.
struct PayoutRequest: Sendable, Hashable {
  /// Who is to be paid; none of the addresses that may not be.
  let recipient: Address
  /// How much; within the bounds of the API and the router.
  let amount: Amount
  /// What it is for; one of the router's reasons.
  let reason: PayoutReason
  /// Which router's rules it follows.
  let router: RouterType
  /// `normal` unless it says otherwise.
  let priority: Priority
  /// When it is paid.
  let batchType: BatchType
  /// The client's own reference.
  let externalID: String?
  /// The end user who may read it.
  let beneficiaryUserID: String?
  /// The client's session.
  let sessionID: String?
  /// The node it is for.
  let nodeID: String?
  /// Decimal text, as it came.
  let workCredits: String?
  /// A JSON object with sorted members, on one line.
  let customData: String?
  /// Where its events are told.
  let webhookURL: String?
  /// When it may no longer be signed.
  let expiresAt: Timestamp?
}

/// A request that can be read, and what stands against accepting it now.
struct ParsedPayoutRequest: Sendable, Hashable {
  /// What is asked for.
  let request: PayoutRequest
  /// What is wrong under the present circumstances alone: `expires_at` has passed, a maximum was lowered, the recipient
  /// has become a hot wallet. Whoever sent the same request earlier, under the same key, still gets its first answer.
  let objections: [Problem.FieldProblem]
}

/// Reads the body of POST /payouts, and names every wrong field at once.
///
/// It holds no I/O: what may not be paid and the present time are handed in.
struct ParsePayoutRequest: Sendable {
  /// The longest `external_id`, in characters.
  static let externalIDCharactersMax = 128
  /// The longest user id, in characters, as `sub` of a token.
  static let userIDCharactersMax = Caller.idCharactersMax
  /// The longest session or node id, in characters.
  static let idCharactersMax = 128
  /// The most bytes of `custom_data`: 4 KiB as it is stored.
  static let customDataBytesMax = 4_096
  /// The longest `webhook_url`, in characters.
  static let webhookURLCharactersMax = 2_048
  /// The longest `work_credits`, in characters.
  static let workCreditsCharactersMax = 40
  /// The largest exponent of a number inside `custom_data`: the database keeps numbers with all their digits.
  static let customNumberExponentMax = 99

  /// What a payout may pay at most.
  let limits: PayoutLimits
  /// The routers that this installation has.
  static let availableRouters: [RouterType] = [.v0]

  /// The request in a body.
  ///
  /// - Parameters:
  ///   - body: the bytes of the body, already bounded.
  ///   - now: judges `expires_at`.
  ///   - forbidden: addresses that may not be paid.
  /// - Throws: `Problem` of kind `malformedJSON` or `invalidRequest`.
  func request(
    from body: [UInt8], now: Timestamp, forbidden: ForbiddenRecipients.Table
  ) throws(Problem) -> ParsedPayoutRequest {
    var fields = try RequestFields(body: body)
    let request = read(&fields, now: now, forbidden: forbidden)
    fields.refuseUnknownFields()
    guard let request, !fields.hasLastingProblem else { throw Self.problem(fields.problems) }
    return ParsedPayoutRequest(request: request, objections: fields.problems)
  }

  /// The answer to a request with wrong fields.
  static func problem(_ errors: [Problem.FieldProblem]) -> Problem {
    Problem(
      .invalidRequest, errors.count == 1 ? "One field is wrong." : "\(errors.count) fields are wrong.", errors: errors)
  }

  /// Every field is read, whatever is wrong with the others.
  func read(
    _ fields: inout RequestFields, now: Timestamp, forbidden: ForbiddenRecipients.Table
  ) -> PayoutRequest? {
    let recipient = fields.parsed("recipient_address", maximum: 64, isRequired: true) { text throws(MalformedValue) in
      try Address(text)
    }
    if let recipient, let cause = forbidden.cause(recipient) {
      fields.note("recipient_address", "cannot be paid: it is \(cause)", isLasting: false)
    }
    let router = readRouter(&fields)
    let amount = fields.decimal("amount_usdt", isRequired: true) { text throws(MalformedValue) in
      try PayoutLimits.check(Amount(decimal: text))
    }
    if let amount, let router, let objection = limits.objection(to: amount, router: router) {
      fields.note("amount_usdt", objection, isLasting: false)
    }
    let reason = readReason(&fields, router: router)
    let priority = fields.word("priority", Priority.self) ?? .normal
    let batchType = fields.word("batch_type", BatchType.self, lowercases: true) ?? .immediate
    let externalID = fields.text("external_id", maximum: Self.externalIDCharactersMax)
    let beneficiary = fields.text("beneficiary_user_id", maximum: Self.userIDCharactersMax)
    let session = fields.text("session_id", maximum: Self.idCharactersMax)
    let node = fields.text("node_id", maximum: Self.idCharactersMax)
    let workCredits = fields.decimal("work_credits", parse: Self.plainDecimal)
    for field in ["kyc_hash", "compliance_signature"] {
      fields.refuse(field, "belongs to router_type kyc, which is not available yet")
    }
    let customData = readCustomData(&fields)
    let expiresAt = fields.parsed("expires_at", maximum: 64) { text throws(MalformedValue) in
      try Timestamp(rfc3339: text)
    }
    if let expiresAt, expiresAt <= now { fields.note("expires_at", "must be in the future", isLasting: false) }
    let webhookURL = fields.parsed("webhook_url", maximum: Self.webhookURLCharactersMax, parse: WebhookURL.checked)
    guard let recipient, let amount, let reason, let router else { return nil }
    return PayoutRequest(
      recipient: recipient, amount: amount, reason: reason, router: router, priority: priority, batchType: batchType,
      externalID: externalID, beneficiaryUserID: beneficiary, sessionID: session, nodeID: node,
      workCredits: workCredits, customData: customData, webhookURL: webhookURL, expiresAt: expiresAt)
  }

  private func readRouter(_ fields: inout RequestFields) -> RouterType? {
    guard let router = fields.word("router_type", RouterType.self, isRequired: true) else { return nil }
    guard Self.availableRouters.contains(router) else {
      fields.note(
        "router_type", "\(router.rawValue) is not available yet; available: \(Self.names(Self.availableRouters))")
      return nil
    }
    return router
  }

  private func readReason(_ fields: inout RequestFields, router: RouterType?) -> PayoutReason? {
    guard let reason = fields.word("reason", PayoutReason.self, isRequired: true) else { return nil }
    // With a wrong router nobody knows which reasons it would allow; that problem is named already.
    guard let router, !PayoutReason.allowed(by: router).contains(reason) else { return reason }
    fields.note(
      "reason",
      "\(reason.rawValue) is not allowed by router \(router.rawValue); allowed: "
        + Self.names(PayoutReason.allowed(by: router)))
    return nil
  }

  private func readCustomData(_ fields: inout RequestFields) -> String? {
    guard let value = fields.value("custom_data") else { return nil }
    guard case .object = value else {
      fields.note("custom_data", "must be an object, not \(value.kind)")
      return nil
    }
    if let reason = Self.unstorable(value) {
      fields.note("custom_data", reason)
      return nil
    }
    let bytes = value.canonical.utf8
    guard bytes.count <= Self.customDataBytesMax else {
      fields.note("custom_data", "has \(bytes.count) bytes, at most \(Self.customDataBytesMax) are possible")
      return nil
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Why a value cannot be stored as it is: the database's JSON holds no NUL and expands every exponent. Line breaks and
  /// tabs are the only control characters that a text for people needs.
  private static func unstorable(_ value: JSONValue) -> String? {
    switch value {
    case .null, .flag: return nil
    case .number(let text):
      guard let mark = text.utf8.firstIndex(where: { $0 | 0x20 == UInt8(ascii: "e") }) else { return nil }
      guard let exponent = Int(text[text.index(after: mark)...]), abs(exponent) <= customNumberExponentMax else {
        return "holds a number with an exponent beyond ±\(customNumberExponentMax)"
      }
      return nil
    case .text(let text):
      return isStorable(text) ? nil : "must not hold control characters other than line breaks and tabs"
    case .array(let items): return items.lazy.compactMap(unstorable).first
    case .object(let members):
      guard members.allSatisfy({ isStorable($0.name) }) else { return "must not hold control characters in names" }
      return members.lazy.compactMap { unstorable($0.value) }.first
    }
  }

  private static func isStorable(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { !$0.isControl || $0 == "\n" || $0 == "\r" || $0 == "\t" }
  }

  /// Plain decimal text, not negative, kept as it came.
  private static func plainDecimal(_ text: String) throws(MalformedValue) -> String {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(digits.contains) }) else {
      throw MalformedValue("number", "must be a plain decimal number, not negative, without an exponent")
    }
    guard text.utf8.count <= workCreditsCharactersMax else {
      throw MalformedValue(
        "number", "has \(text.utf8.count) characters, at most \(workCreditsCharactersMax) are possible")
    }
    return text
  }

  private static func names(_ words: [some RawRepresentable<String>]) -> String {
    words.map(\.rawValue).joined(separator: ", ")
  }
}
