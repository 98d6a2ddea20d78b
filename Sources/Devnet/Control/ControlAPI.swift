/// What is asked of the simulation itself, under `/devnet`, not of the nodes it plays.
///
/// GET looks, POST changes. All faces answer alike. README.md, "A network with faults", lists the requests.
struct ControlAPI: Sendable {
  let host: ChainHost
  let board: FaultBoard
  let counts: RequestCounts

  /// What can be looked at.
  enum Question: String, Sendable {
    case health, requests, state
  }

  /// What can be changed.
  enum Command: String, CaseIterable, Sendable {
    case slots, blocks, fork, results, world, faces, faults
    case resetFaults = "reset-faults"
  }

  /// The answer to a question.
  func answer(_ question: Question) async -> JSON {
    switch question {
    case .health: await health()
    case .requests: await requests()
    case .state: await state()
    }
  }

  /// Carries out a command and tells what it did.
  func carryOut(_ command: Command, body: Bytes) async throws(ControlError) -> JSON {
    var fields = try ControlFields(body: body)
    switch command {
    case .slots: return try await setSlots(&fields)
    case .blocks: return try await makeBlocks(&fields)
    case .fork: return try await fork(&fields)
    case .results: return try await forceResult(&fields)
    case .world: return try await changeWorld(&fields)
    case .faces: return try await setFace(&fields)
    case .faults: return try await addFault(&fields)
    case .resetFaults: return try await resetFaults(&fields)
    }
  }

  private func health() async -> JSON {
    let (head, solid, pending, genesis) = await host.withChain {
      ($0.head.header.number, $0.solidNumber, $0.pending.count, $0.genesis.id)
    }
    return .object([
      "status": .string("ok"), "genesis": .string(genesis.hex), "head": .integer(head),
      "solid": .integer(solid), "pending": .integer(Int64(pending)),
    ])
  }

  private func requests() async -> JSON {
    let blocks = await host.withChain { $0.head.header.number }
    var requests = JSONObject()
    for (path, count) in counts.snapshot { requests.set(path, .integer(count)) }
    return .object(["requests": .object(requests), "blocks": .integer(blocks)])
  }

  /// reset-faults: one fault by its number, or everything back to health.
  ///
  /// What blocks have already done stays: a paused token stays paused, a fork is not undone.
  private func resetFaults(_ fields: inout ControlFields) async throws(ControlError) -> JSON {
    let id = try fields.integer("fault", in: 1...Int64.max)
    try fields.finish()
    if let id {
      guard board.remove(id) else { throw ControlError(sentence: "fault: there is none with number \(id)") }
    } else {
      board.removeAll()
      await host.heal()
    }
    return await state()
  }
}
