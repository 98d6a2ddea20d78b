/// What a node says about its network: parameters, prices, itself.
enum NetworkRendering {
  /// Energy sold for stakes, network-wide, a day.
  static let totalEnergyLimit: Int64 = 180_000_000_000

  /// getchainparameters: a parameter whose value is zero has no `value`.
  static func chainParameters(_ parameters: ChainParameters) -> JSON {
    let values: KeyValuePairs<String, Int64> = [
      "getMaintenanceTimeInterval": 21_600_000,
      "getCreateAccountFee": parameters.createAccountFee,
      "getTransactionFee": parameters.bandwidthPrice,
      "getCreateNewAccountFeeInSystemContract": parameters.activationFee,
      "getEnergyFee": parameters.energyPrice,
      "getMaxCpuTimeOfOneTx": 80,
      "getUpdateAccountPermissionFee": 100_000_000,
      "getMultiSignFee": 1_000_000,
      "getFreeNetLimit": parameters.freeBandwidth,
      "getTotalEnergyCurrentLimit": totalEnergyLimit,
      "getMemoFee": parameters.memoFee,
      "getMaxFeeLimit": parameters.feeLimitMax,
      "getUnfreezeDelayDays": 14,
      "getDynamicEnergyThreshold": 5_000_000_000,
      "getDynamicEnergyIncreaseFactor": 2_000,
      "getDynamicEnergyMaxFactor": 34_000,
      "getMaxCreateAccountTxSize": Int64(ChainParameters.createAccountSizeMax),
      "getConsensusLogicOptimization": 1,
    ]
    return .object([
      "chainParameter": .array(
        values.map { parameter in
          var object: JSONObject = ["key": .string(parameter.key)]
          object.set("value", integer: parameter.value)
          return .object(object)
        })
    ])
  }

  /// getenergyprices and getbandwidthprices: `time:price`, the last one applies.
  static func prices(_ price: Int64) -> JSON { .object(["prices": .string("0:\(price)")]) }

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

  /// getcontract of the token: its interface, as far as this network runs it.
  static func tokenContract(_ token: TokenContract, rendering: Rendering) -> JSON {
    .object([
      "origin_address": .string(rendering.address(token.address.bytes)),
      "contract_address": .string(rendering.address(token.address.bytes)),
      "abi": .object(["entrys": .array(tokenInterface)]),
      "name": .string("TetherToken"),
      "origin_energy_limit": .integer(10_000_000),
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
