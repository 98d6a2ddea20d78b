extension ControlAPI {
  /// The most blocks that one request makes.
  private static let blocksMax: Int64 = 1_000
  /// How many forced results may be set, and how many changes may wait for a block.
  private static let waitingMax = 100
  /// The most of anything that an account can be given: sums of a few of them stay within 64 bits.
  private static let amountMax: Int64 = 1_000_000_000_000_000_000

  /// slots: which slots stay empty, and whether the solid head moves.
  func setSlots(_ fields: inout ControlFields) async throws(ControlError) -> JSON {
    let producerCount = Int64(await host.withChain { $0.producers.addresses.count })
    let missed = try fields.integer("miss", in: 0...1_000_000)
    let silent = try fields.integers("silent", in: 0...(producerCount - 1))
    let isHalted = try fields.flag("halted")
    let isSolidFrozen = try fields.flag("solid_frozen")
    let solidViewLag = try fields.integer("solid_view_lag", in: 0...1)
    try fields.finish()
    try fields.requireSome()
    let now = host.clock()
    await host.withChain { chain in
      if let missed {
        chain.interference.emptyThrough = missed == 0 ? 0 : chain.slotTime(at: now) + missed * chain.parameters.slot
      }
      if let silent { chain.interference.silentProducers = Set(silent.map { Int($0) }) }
      if let isHalted { chain.interference.isHalted = isHalted }
      if let isSolidFrozen { chain.interference.isSolidFrozen = isSolidFrozen }
      if let solidViewLag { chain.interference.solidViewLag = solidViewLag }
    }
    return await state()
  }

  /// blocks: makes some at once, also while the network is halted.
  func makeBlocks(_ fields: inout ControlFields) async throws(ControlError) -> JSON {
    let count = try fields.integer("count", in: 1...Self.blocksMax) ?? 1
    try fields.finish()
    let blocks = await host.makeBlocks(Int(count))
    guard blocks.count == Int(count) else {
      throw ControlError(sentence: "no block can be made: every producer is silent")
    }
    return .object(["blocks": Self.hashes(blocks.map(\.id))])
  }

  /// fork: switches to a longer branch.
  func fork(_ fields: inout ControlFields) async throws(ControlError) -> JSON {
    let depth = try given(fields.integer("depth", in: 1...Self.blocksMax), "depth")
    var plan = ForkPlan(depth: depth, length: depth + 1)
    plan.length = try fields.integer("length", in: (depth + 1)...(depth + Self.blocksMax)) ?? plan.length
    switch try fields.choice("transactions", of: ["repush", "drop", "include"]) {
    case "drop": plan.otherwise = .drop
    case "include": plan.otherwise = .include(nil)
    default: break
    }
    if try fields.flag("reversed") ?? false { plan.order = .reversed }
    let order = try fields.hashes("order")
    if !order.isEmpty {
      guard plan.order == .asPopped else {
        throw ControlError(sentence: "order, reversed: expected at most one of them")
      }
      guard Set(order).count == order.count else { throw ControlError(sentence: "order: it names a transaction twice") }
      plan.order = .listed(order)
    }
    for id in try fields.hashes("repush") { try plan.name(id, .repush) }
    for id in try fields.hashes("drop") { try plan.name(id, .drop) }
    for var entry in try fields.objects("include") {
      let id = try given(entry.hash("txid"), "include.txid")
      let result = try entry.choice("result", of: ["SUCCESS"] + Self.failures.map(\.name))
      try entry.finish()
      try plan.name(id, .include(Self.failures.first { $0.name == result }))
    }
    try fields.finish()
    let (asked, now) = (plan, host.clock())
    let outcome = try await host.withChain { chain throws(ControlError) in
      try chain.check(asked)
      return chain.fork(asked, now: now)
    }
    return .object([
      "removed": Self.hashes(outcome.removed), "added": Self.hashes(outcome.added),
      "included": Self.hashes(outcome.included), "repushed": Self.hashes(outcome.repushed),
      "dropped": Self.hashes(outcome.dropped), "invalid": Self.hashes(outcome.invalid),
    ])
  }

  /// results: healthy contract calls end in a failure when they are packed.
  func forceResult(_ fields: inout ControlFields) async throws(ControlError) -> JSON {
    let name = try given(fields.choice("result", of: Self.failures.map(\.name)), "result")
    let result = try given(Self.failures.first { $0.name == name }, "result")
    var forced = Interference.ForcedResult(result: result)
    forced.txid = try fields.hash("txid")
    forced.owner = try fields.address("owner")
    forced.remaining = try fields.integer("count", in: 1...Int64.max)
    try fields.finish()
    let asked = forced
    try await host.withChain { chain throws(ControlError) in
      guard chain.interference.forcedResults.count < Self.waitingMax else {
        throw ControlError(sentence: "\(Self.waitingMax) results are set, which is the most; reset them")
      }
      chain.interference.force(asked)
    }
    return await state()
  }

  /// faces: how one face, or each, sees the chain.
  func setFace(_ fields: inout ControlFields) async throws(ControlError) -> JSON {
    let count = await host.sights.count
    let face = try fields.integer("face", in: 1...Int64(count))
    let sees = try given(fields.choice("sees", of: ["live", "behind", "stale", "cut_off"]), "sees")
    let lags = try fields.integers("blocks", in: 0...Self.blocksMax)
    try fields.finish()
    let sight: Sight
    switch sees {
    case "behind":
      guard let lags, !lags.isEmpty, lags.count <= 100 else {
        throw ControlError(sentence: "blocks: expected how many the face is behind, a list of 1 to 100 numbers")
      }
      sight = .behind(lags)
    case "stale": sight = .stale
    case "cut_off": sight = .cutOff
    default: sight = .live
    }
    if lags != nil, sees != "behind" { throw ControlError(sentence: "blocks: only a face that sees 'behind' has them") }
    for index in face.map({ [Int($0) - 1] }) ?? Array(0..<count) { await host.look(sight, from: index) }
    return await state()
  }

  /// world: changes accounts and the token without a transaction; for good with the next block.
  func changeWorld(_ fields: inout ControlFields) async throws(ControlError) -> JSON {
    var actions: [ChainAction] = []
    if let name = try fields.choice("propose", of: ChainParameterKey.allCases.map(\.rawValue)) {
      let key = try given(ChainParameterKey(rawValue: name), "propose")
      actions.append(.propose(key, try given(fields.integer("value", in: key.range), "value")))
    }
    if let isPaused = try fields.flag("paused") { actions.append(.pauseToken(isPaused)) }
    if let address = try fields.address("blacklist") { actions.append(.blacklist(address, true)) }
    if let address = try fields.address("unblacklist") { actions.append(.blacklist(address, false)) }
    if let address = try fields.address("refuse") { actions.append(.refuseRecipient(address, true)) }
    if let address = try fields.address("unrefuse") { actions.append(.refuseRecipient(address, false)) }
    let rate = try fields.integer("fee_rate", in: 0...10_000)
    let maximum = try fields.integer("fee_maximum", in: 0...Int64.max)
    if let rate, let maximum {
      actions.append(.setTokenFee(basisPoints: rate, maximum: maximum))
    } else if rate != nil || maximum != nil {
      throw ControlError(sentence: "fee_rate and fee_maximum: expected both, in ten-thousandths and in micro-USDT")
    }
    let account = try fields.address("account")
    let sun = try fields.integer("sun", in: 0...Self.amountMax)
    let microUSDT = try fields.integer("micro_usdt", in: 0...Self.amountMax)
    let energy = try fields.integer("energy", in: 0...1_000_000_000_000)
    try fields.finish()
    try fields.requireSome()
    guard (account != nil) == (sun != nil || microUSDT != nil || energy != nil) else {
      throw ControlError(sentence: "account: expected together with 'sun', 'micro_usdt' or 'energy'")
    }
    if let account {
      if let sun { actions.append(.setBalance(account, sun)) }
      if let microUSDT { actions.append(.setTokenBalance(account, UInt64(microUSDT))) }
      if let energy { actions.append(.setEnergy(account, energy)) }
    }
    let asked = actions
    try await host.withChain { chain throws(ControlError) in
      guard chain.waitingActions.count + asked.count <= Self.waitingMax else {
        throw ControlError(sentence: "\(Self.waitingMax) changes may wait for a block; make one first")
      }
      for action in asked { chain.perform(action) }
    }
    return await state()
  }

  /// The failures that a call can be made to end in.
  private static let failures: [ContractResult] = [.revert, .outOfEnergy, .outOfTime]

  private static func hashes(_ hashes: [Hash32]) -> JSON { .array(hashes.map { .string($0.hex) }) }
}

extension ForkPlan {
  /// Says what becomes of one transaction, once.
  fileprivate mutating func name(_ id: Hash32, _ fate: Fate) throws(ControlError) {
    guard fates.updateValue(fate, forKey: id) == nil else {
      throw ControlError(sentence: "\(id.hex): the transaction is named twice")
    }
  }
}

extension Chain {
  /// Refuses a fork that cannot be.
  fileprivate func check(_ plan: ForkPlan) throws(ControlError) {
    guard plan.depth <= forkDepthMax else {
      throw ControlError(
        sentence: "depth: \(plan.depth) blocks below head \(head.header.number) would undo solid block \(solidNumber); "
          + "expected at most \(forkDepthMax)")
    }
    let popped = Set(blocks.suffix(Int(plan.depth)).flatMap(\.transactions).map(\.transaction.id))
    var named = [Hash32](plan.fates.keys)
    if case .listed(let ids) = plan.order { named += ids }
    for id in named where !popped.contains(id) {
      throw ControlError(sentence: "\(id.hex): no block that this fork undoes holds the transaction")
    }
  }
}
