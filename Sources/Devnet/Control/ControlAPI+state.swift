extension ControlAPI {
  /// Everything that is set, and where the chain stands.
  func state() async -> JSON {
    let chain = await host.withChain { $0 }
    let sights = await host.sights
    let token = chain.tokenSettings(in: .head)
    var object: JSONObject = [
      "head": .integer(chain.head.header.number),
      "head_id": .string(chain.head.id.hex),
      "head_time": .integer(chain.head.header.timestamp),
      "solid": .integer(chain.solidNumber),
      "solid_view": .integer(chain.top(.solid).header.number),
      "pending": .integer(Int64(chain.pending.count)),
      "producers": .array(chain.producers.addresses.map { .string($0.base58) }),
      "slots": slots(chain.interference),
      "actions": .integer(Int64(chain.waitingActions.count)),
      "token": .object([
        "paused": .bool(token.isPaused),
        "blacklist": .array(token.blacklist.map(\.base58).sorted().map { .string($0) }),
        "refused": .array(token.refusedRecipients.map(\.base58).sorted().map { .string($0) }),
        "fee_rate": .integer(token.basisPointsRate),
        "fee_maximum": .integer(token.maximumFee),
      ]),
    ]
    object.set("results", .array(chain.interference.forcedResults.map(result)))
    object.set("faces", .array(sights.enumerated().map { face($0.offset, $0.element) }))
    object.set(
      "faults",
      .array(
        board.snapshot.map { id, fault in
          .object([
            "fault": .integer(id), "asked": .object(fault.asked), "remaining": Self.count(fault.remaining),
            "hits": .integer(fault.hits),
          ])
        }))
    return .object(object)
  }

  private func slots(_ interference: Interference) -> JSON {
    .object([
      "halted": .bool(interference.isHalted),
      "empty_through": .integer(interference.emptyThrough),
      "silent": .array(interference.silentProducers.sorted().map { .integer(Int64($0)) }),
      "solid_frozen": .bool(interference.isSolidFrozen),
      "solid_view_lag": .integer(interference.solidViewLag),
    ])
  }

  private func result(_ forced: Interference.ForcedResult) -> JSON {
    var object: JSONObject = ["result": .string(forced.result.name), "remaining": Self.count(forced.remaining)]
    if let txid = forced.txid { object.set("txid", .string(txid.hex)) }
    if let owner = forced.owner { object.set("owner", .string(owner.base58)) }
    return .object(object)
  }

  private func face(_ index: Int, _ sight: Sight) -> JSON {
    var object: JSONObject = ["face": .integer(Int64(index + 1))]
    switch sight {
    case .live: object.set("sees", .string("live"))
    case .behind(let lags):
      object.set("sees", .string("behind"))
      object.set("blocks", .array(lags.map { .integer($0) }))
    case .stale: object.set("sees", .string("stale"))
    case .cutOff: object.set("sees", .string("cut_off"))
    }
    return .object(object)
  }

  private static func count(_ remaining: Int64?) -> JSON { remaining.map { .integer($0) } ?? .null }
}
