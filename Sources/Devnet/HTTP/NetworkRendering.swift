/// What a node says about its network: parameters, prices, itself.
enum NetworkRendering {
  /// getchainparameters: a parameter whose value is zero has no `value`.
  static func chainParameters(_ parameters: ChainParameters) -> JSON {
    .object([
      "chainParameter": .array(
        ChainParameterKey.allCases.map { key in
          var object: JSONObject = ["key": .string(key.rawValue)]
          object.set("value", integer: parameters[keyPath: key.field])
          return .object(object)
        })
    ])
  }

  /// getenergyprices and getbandwidthprices: `time:price`, the last one applies.
  static func prices(_ changes: [PriceChange]) -> JSON {
    .object(["prices": .string(changes.map { "\($0.time):\($0.price)" }.joined(separator: ","))])
  }

  /// getnodeinfo.
  static func nodeInfo(head: Block, solid: Block) -> JSON {
    func place(_ block: Block) -> JSON { .string("Num:\(block.header.number),ID:\(block.id.hex)") }
    return .object([
      "activeConnectCount": .integer(0),
      "beginSyncNum": .integer(head.header.number),
      "block": place(head),
      "configNodeInfo": .object([
        "codeVersion": .string("4.8.2"),
        "p2pVersion": .string("0"),
        "maxConnectCount": .integer(0),
      ]),
      "currentConnectCount": .integer(0),
      "machineInfo": .object(JSONObject()),
      "passiveConnectCount": .integer(0),
      "peerList": .array([]),
      "solidityBlock": place(solid),
      "totalFlow": .integer(0),
    ])
  }

  /// getcontract: a contract's interface, as far as this network runs it, and who pays for its calls.
  static func contract(_ contract: any CallableContract, _ world: WorldState, rendering: Rendering) -> JSON {
    let isToken = contract is TokenContract
    let owner = isToken ? world.token.owner ?? contract.address : contract.address
    var object: JSONObject = [
      "origin_address": .string(rendering.address(owner.bytes)),
      "contract_address": .string(rendering.address(contract.address.bytes)),
      "abi": .object(["entrys": .array(tokenInterface)]),
    ]
    object.set("consume_user_resource_percent", integer: isToken ? world.token.callerEnergyPercent : 100)
    object.set("name", .string(isToken ? "TetherToken" : "FakeToken"))
    object.set("origin_energy_limit", .integer(Sponsor.originEnergyLimit))
    return .object(object)
  }

  /// getcontractinfo: the same with the use from which the energy factor follows.
  static func contractInfo(_ contract: any CallableContract, _ world: WorldState, rendering: Rendering) -> JSON {
    let use = world.contractUse(contract.address)
    var state = JSONObject()
    state.set("energy_usage", integer: use.energy)
    state.set("energy_factor", integer: use.factor)
    state.set("update_cycle", integer: use.cycle)
    return .object([
      "smart_contract": Self.contract(contract, world, rendering: rendering), "contract_state": .object(state),
    ])
  }

  private static let tokenInterface: [JSON] = {
    let views: [(String, [String], String)] = [
      ("name", [], "string"), ("symbol", [], "string"), ("decimals", [], "uint256"),
      ("balanceOf", ["address"], "uint256"), ("allowance", ["address", "address"], "uint256"),
      ("isBlackListed", ["address"], "bool"), ("paused", [], "bool"), ("deprecated", [], "bool"),
      ("basisPointsRate", [], "uint256"), ("maximumFee", [], "uint256"), ("owner", [], "address"),
    ]
    let changes: [(String, [String], String)] = [
      ("transfer", ["address", "uint256"], "bool"),
      ("transferFrom", ["address", "address", "uint256"], "bool"),
      ("approve", ["address", "uint256"], "bool"),
    ]
    return views.map { function($0.0, $0.1, returns: $0.2, mutability: "View") }
      + changes.map { function($0.0, $0.1, returns: $0.2, mutability: "Nonpayable") }
      + [event("Transfer", ["from", "to"]), event("Approval", ["owner", "spender"])]
  }()

  private static func function(
    _ name: String, _ arguments: [String], returns: String, mutability: String
  ) -> JSON {
    var object = JSONObject()
    if mutability == "View" { object.set("constant", .bool(true)) }
    object.set("name", .string(name))
    object.set(
      "inputs",
      list: arguments.enumerated().map { index, type in
        .object(["name": .string("_arg\(index)"), "type": .string(type)])
      })
    object.set("outputs", .array([.object(["type": .string(returns)])]))
    object.set("type", .string("Function"))
    object.set("stateMutability", .string(mutability))
    return .object(object)
  }

  private static func event(_ name: String, _ parties: [String]) -> JSON {
    let indexed = parties.map { party in
      JSON.object(["indexed": .bool(true), "name": .string(party), "type": .string("address")])
    }
    return .object([
      "name": .string(name),
      "inputs": .array(indexed + [.object(["name": .string("value"), "type": .string("uint256")])]),
      "type": .string("Event"),
    ])
  }
}
