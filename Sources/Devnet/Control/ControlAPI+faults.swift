extension ControlAPI {
  /// The longest wait, milliseconds.
  private static let delayMax: Int64 = 600_000

  /// faults: what goes wrong with answers.
  func addFault(_ fields: inout ControlFields) async throws(ControlError) -> JSON {
    let kind = try given(fields.choice("fault", of: FaultKind.allCases.map(\.rawValue)), "fault")
    let effect = try await effect(given(FaultKind(rawValue: kind), "fault"), &fields)
    var scope = Fault.Scope()
    scope.face = try fields.integer("face", in: 1...Int64(await host.sights.count)).map { Int($0) - 1 }
    scope.call = try call(&fields)
    // A lie's transaction is what it is about, whatever the request asks for.
    if case .lie = effect {} else { scope.txid = try fields.hash("txid") }
    let remaining = try fields.integer("count", in: 1...Int64.max)
    try fields.finish()
    let fault = Fault(effect: effect, scope: scope, remaining: remaining, asked: fields.object)
    guard let id = board.add(fault) else {
      throw ControlError(sentence: "\(FaultBoard.countMax) faults are set, which is the most; reset them")
    }
    return .object(["fault": .integer(id)])
  }

  private func call(_ fields: inout ControlFields) throws(ControlError) -> String? {
    guard let call = try fields.text("call") else { return nil }
    let parts = call.split(separator: "/", omittingEmptySubsequences: false)
    let isKnown =
      switch parts.count {
      case 1: NodeAPI.Endpoint(rawValue: call) != nil
      case 2 where parts[0] == "wallet": NodeAPI.Endpoint(rawValue: String(parts[1])) != nil
      case 2 where parts[0] == "walletsolidity": NodeAPI.Endpoint(rawValue: String(parts[1]))?.isSolid == true
      default: false
      }
    guard isKnown else {
      throw ControlError(
        sentence: "call: '\(call.prefix(100))' was found; expected a call such as 'getnowblock', 'wallet/getnowblock'")
    }
    return call
  }

  private func effect(_ kind: FaultKind, _ fields: inout ControlFields) async throws(ControlError) -> Fault.Effect {
    switch kind {
    case .delayCall: return .delayCall(try milliseconds(&fields))
    case .delayAnswer: return .delayAnswer(try milliseconds(&fields))
    case .breakConnection: return .instead(.brokenConnection)
    case .loseAnswer: return .loseAnswer
    case .httpStatus:
      let status = try given(fields.integer("status", in: 403...503), "status")
      guard FalseAnswer.statuses.contains(Int(status)) else {
        throw ControlError(sentence: "status: \(status) was found; expected one of \(FalseAnswer.statuses)")
      }
      return .instead(.status(Int(status)))
    case .nodeError: return .instead(.nodeError(try fields.text("text") ?? FalseAnswer.overloaded))
    case .lightNode: return .instead(.lightNode)
    case .refuse: return .broadcast(try refusal(&fields))
    case .forget: return .broadcast(.forget)
    case .hide: return .lie(.hide(try given(fields.hash("txid"), "txid")))
    case .omit: return .lie(.omit(try given(fields.hash("txid"), "txid")))
    case .claim: return .lie(try await claim(&fields))
    case .noReceipts:
      return .lie(.noReceipts(try given(fields.integer("block", in: 1...Int64.max), "block")))
    case .wrongBody:
      let number = try given(fields.integer("block", in: 1...Int64.max), "block")
      guard let other = try fields.integer("of", in: 0...Int64.max) else { return .lie(.wrongBody(number, [])) }
      guard let block = await host.withChain({ $0.block(other) }) else {
        throw ControlError(sentence: "of: there is no block \(other)")
      }
      return .lie(.wrongBody(number, block.transactions))
    }
  }

  private func milliseconds(_ fields: inout ControlFields) throws(ControlError) -> Int64 {
    try given(fields.integer("milliseconds", in: 1...Self.delayMax), "milliseconds")
  }

  private func refusal(_ fields: inout ControlFields) throws(ControlError) -> BroadcastFault {
    let codes = ResponseCode.allCases.filter { $0 != .success }
    let name = try given(fields.choice("code", of: codes.map(\.name)), "code")
    let code = try given(codes.first { $0.name == name }, "code")
    let isAccepted = try fields.flag("accepted") ?? false
    let message = try fields.text("message") ?? FalseAnswer.message(of: code, isAccepted: isAccepted)
    return .refuse(Refusal(code: code, message: message), isAccepted: isAccepted)
  }

  /// The claim that a transaction is paid: one that this chain knows, or one whose signed bytes are given.
  private func claim(_ fields: inout ControlFields) async throws(ControlError) -> Lie {
    let id = try fields.hash("txid")
    let text = try fields.text("transaction")
    let number = try fields.integer("block", in: 1...Int64.max)
    guard (id == nil) != (text == nil) else {
      throw ControlError(sentence: "txid, transaction: expected one of them, the id or the signed bytes in hex")
    }
    let sent = try text.map(Self.transaction)
    let (found, block, token) = await host.withChain { chain in
      let included = id.flatMap { chain.included($0, in: .head) }
      let transaction = sent ?? included?.transaction ?? id.flatMap { chain.pending[$0]?.transaction }
      let block = number.map { chain.block($0) } ?? chain.head
      let found = transaction.map { transaction in
        included
          ?? IncludedTransaction(
            transaction: transaction, receipt: Receipt(), blockNumber: block?.header.number ?? 0,
            blockTime: block?.header.timestamp ?? 0)
      }
      return (found, block, chain.token)
    }
    guard block != nil else { throw ControlError(sentence: "block: there is none with number \(number ?? 0)") }
    guard let found else {
      throw ControlError(sentence: "txid: it is neither pending nor in a block; give its bytes as 'transaction'")
    }
    return .claim(found.claimedPaid(by: token), isInBody: number != nil)
  }

  private static func transaction(_ hex: String) throws(ControlError) -> PreparedTransaction {
    guard let bytes = Hex.decode(hex) else { throw ControlError(sentence: "transaction: it is not hex") }
    do {
      return PreparedTransaction(try Transaction(decoding: bytes))
    } catch {
      throw ControlError(sentence: "transaction: it cannot be decoded: \(error.reason)")
    }
  }
}

/// The names of faults.
private enum FaultKind: String, CaseIterable {
  case delayCall = "delay-call"
  case delayAnswer = "delay-answer"
  case breakConnection = "break-connection"
  case loseAnswer = "lose-answer"
  case httpStatus = "http-status"
  case nodeError = "node-error"
  case lightNode = "light-node"
  case refuse, forget, hide, claim, omit
  case noReceipts = "no-receipts"
  case wrongBody = "wrong-body"
}
