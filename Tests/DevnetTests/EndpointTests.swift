import Testing

@testable import Devnet

/// Proves the answers about accounts, contracts and signatures over real HTTP (tron-protocol.md §4.3, §4.4).
@Suite(.serialized) struct EndpointTests {
  private let alice = TestWallet.alice.address
  private let bob = TestWallet.bob.address

  /// Broadcasts what `make` builds on a chain like the node's, and lets a block take it.
  private func include(_ node: TestNode, _ type: ContractType, _ message: Bytes) async throws {
    let template = try await node.usdtTransfer(to: bob, 1).transaction.raw
    var raw = template
    raw.feeLimit = 0
    raw.contracts = [Contract(type: type, value: message)]
    let prepared = TestWallet.alice.sign(raw)
    // Through JSON, so that reading and printing of the contract are proven on the way.
    let json = Rendering.hex.transaction(prepared, ret: JSON?.none).text
    let answer = try await node.post("/wallet/broadcasttransaction", json).json
    #expect(answer["result"] == .bool(true) && answer["txid"] == .string(prepared.id.hex), "\(answer.text)")
    try await node.produce()
    #expect(
      try await node.post("/wallet/gettransactioninfobyid", #"{"value":"\#(prepared.id.hex)"}"#).json["id"] != nil)
  }

  @Test func `stake and delegation show in accounts, resources and delegations`() async throws {
    try await TestNode.run { node in
      try await include(
        node, .transfer, TransferContract(owner: alice.bytes, to: bob.bytes, amount: 1).encoded)
      try await include(
        node, .freezeBalanceV2,
        StakeContract(owner: alice.bytes, amount: 300_000_000, resource: 1).encoded)
      try await include(
        node, .delegateResource,
        DelegateContract(
          owner: alice.bytes, resource: 1, balance: 100_000_000, receiver: bob.bytes, isLocked: true, lockPeriod: 9
        ).encoded)
      try await include(
        node, .delegateResource,
        DelegateContract(owner: alice.bytes, resource: 1, balance: 50_000_000, receiver: bob.bytes).encoded)
      try await include(
        node, .unfreezeBalanceV2,
        StakeContract(owner: alice.bytes, amount: 20_000_000, resource: 1).encoded)
      try await include(
        node, .unDelegateResource,
        DelegateContract(owner: alice.bytes, resource: 1, balance: 10_000_000, receiver: bob.bytes).encoded)
      let own = try await node.post("/wallet/getaccount", #"{"address":"\#(alice.hex)"}"#).json
      #expect(own["frozenV2"]?.text == #"[{},{"type":"ENERGY","amount":140000000},{"type":"TRON_POWER"}]"#)
      #expect(own["account_resource"]?["delegated_frozenV2_balance_for_energy"] == .integer(140_000_000))
      guard case .array(let unfreezing)? = own["unfrozenV2"] else { throw TestFailure(description: own.text) }
      #expect(unfreezing.count == 1 && unfreezing[0]["unfreeze_amount"] == .integer(20_000_000))
      let resources = try await node.post("/wallet/getaccountresource", #"{"address":"\#(bob.hex)"}"#).json
      #expect(resources["EnergyLimit"] == .integer(1_399) && resources["EnergyUsed"] == nil)
      #expect(resources["TotalEnergyLimit"] == .integer(180_000_000_000))
      #expect(resources["TotalEnergyWeight"] == .integer(18_000_000_280))
      for view in ["wallet", "walletsolidity"] {
        let lent = try await node.post(
          "/\(view)/getdelegatedresourcev2",
          #"{"fromAddress":"\#(alice.base58)","toAddress":"\#(bob.base58)","visible":true}"#
        ).json
        guard case .array(let entries)? = lent["delegatedResource"], entries.count == 2 else {
          throw TestFailure(description: lent.text)
        }
        #expect(
          entries[0].text
            == #"{"from":"\#(alice)","to":"\#(bob)","frozen_balance_for_energy":40000000}"#)
        #expect(entries[1]["frozen_balance_for_energy"] == .integer(100_000_000))
        #expect(entries[1]["expire_time_for_energy"] != nil)
        let owner = #""owner_address":"\#(alice.hex)""#
        #expect(
          try await node.post("/\(view)/getcandelegatedmaxsize", #"{\#(owner),"type":1}"#).text
            == "{\"max_size\":140000000}\n")
        #expect(try await node.post("/\(view)/getcandelegatedmaxsize", "{\(owner)}").text == "{}\n")
        #expect(try await node.post("/\(view)/getcanwithdrawunfreezeamount", "{\(owner)}").text == "{}\n")
        let later = #"{\#(owner),"timestamp":\#(TestNode.genesisTime + 15 * 86_400_000)}"#
        #expect(
          try await node.post("/\(view)/getcanwithdrawunfreezeamount", later).text == "{\"amount\":20000000}\n")
        #expect(
          try await node.post(
            "/\(view)/getdelegatedresourcev2", #"{"fromAddress":"\#(bob.hex)","toAddress":"\#(alice.hex)"}"#
          ).text == "{}\n")
      }
    }
  }

  @Test func `permissions can be updated and weighed over HTTP`() async throws {
    try await TestNode.run { node in
      let carol = TestWallet.carol.address
      var owner = Permission.defaultOwner(of: alice.bytes)
      owner.keys = [alice, bob].map { Permission.Key(address: $0.bytes, weight: 1) }
      owner.threshold = 2
      let update = PermissionUpdateContract(
        account: alice.bytes, owner: owner, actives: [.defaultActive(of: carol.bytes)])
      try await include(node, .accountPermissionUpdate, update.encoded)
      let one = try await node.usdtTransfer(to: bob, 1)
      func ask(_ endpoint: String, _ signers: [TestWallet]) async throws -> JSON {
        var transaction = one.transaction
        transaction.signatures = signers.map { Secp256k1.sign(one.id, with: $0.privateKey) }
        return try await node.post(
          "/wallet/\(endpoint)",
          Rendering.hex.transaction(PreparedTransaction(transaction), ret: JSON?.none).text
        ).json
      }
      let half = try await ask("getsignweight", [.alice])
      #expect(half["result"]?.text == #"{"code":"NOT_ENOUGH_PERMISSION"}"#)
      #expect(half["current_weight"] == .integer(1) && half["permission"]?["threshold"] == .integer(2))
      let enough = try await ask("getsignweight", [.bob, .alice])
      #expect(enough["result"]?.text == "{}" && enough["current_weight"] == .integer(2))
      #expect(enough["approved_list"]?.text == #"["\#(bob.hex)","\#(alice.hex)"]"#)
      let list = try await ask("getapprovedlist", [.alice])
      #expect(list["result"]?.text == "{}" && list["approved_list"]?.text == #"["\#(alice.hex)"]"#)
      #expect(list["current_weight"] == nil && list["transaction"]?["txid"] == .string(one.id.hex))
      let foreign = try await ask("getapprovedlist", [.alice, .carol])
      #expect(foreign["result"]?["code"] == .string("PERMISSION_ERROR") && foreign["approved_list"] == nil)
    }
  }

  @Test func `contracts tell who pays for them and how dear they are`() async throws {
    try await TestNode.run { node in
      let token = Genesis.mainnetToken
      _ = try await node.broadcast(try await node.usdtTransfer(to: bob, 1))
      try await node.produce()
      let info = try await node.post("/wallet/getcontractinfo", #"{"value":"\#(token.hex)"}"#).json
      #expect(info["contract_state"]?.text == #"{"energy_usage":29650,"energy_factor":34000}"#)
      let contract = try await node.post("/wallet/getcontract", #"{"value":"\#(token.hex)"}"#).json
      #expect(info["smart_contract"] == contract)
      #expect(contract["consume_user_resource_percent"] == .integer(100))
      let fake = try await node.post("/wallet/getcontract", #"{"value":"\#(FakeToken.address.hex)"}"#).json
      #expect(fake["name"] == .string("FakeToken"))
      #expect(try await node.post("/wallet/getcontractinfo", #"{"value":"\#(bob.hex)"}"#).text == "{}\n")
      for name in ["getcontractinfo", "getapprovedlist"] {
        #expect(try await node.post("/walletsolidity/\(name)").status == 404)
      }
    }
  }

  @Test(arguments: [false, true])
  func `estimateenergy answers only where it is switched on, and too much`(isOn: Bool) async throws {
    try await TestNode.run(environment: ["DEVNET_ESTIMATE_ENERGY": String(isOn)]) { node in
      func estimate(_ amount: UInt64) async throws -> JSON {
        try await node.post(
          "/walletsolidity/estimateenergy",
          """
          {"owner_address":"\(alice.hex)","contract_address":"\(Genesis.mainnetToken.hex)",
          "function_selector":"transfer(address,uint256)",
          "parameter":"\(Hex.encode(Word256(bob).bytes + Word256(amount).bytes))"}
          """
        ).json
      }
      let answer = try await estimate(1)
      if isOn {
        #expect(answer.text == #"{"result":{"result":true},"energy_required":140000}"#)
        #expect(try await estimate(1_000_000_001)["energy_required"] == nil)
      } else {
        let text = "Contract validate error : this node does not support estimate energy"
        #expect(answer["result"]?["message"] == .string(Hex.encode(Bytes(text.utf8))))
      }
    }
  }

  /// A parameter of each key; what a vote changes shows from the maintenance on, in the price lists too.
  @Test func `parameters and price lists show what is in force`() async throws {
    try await TestNode.run { node in
      let answer = try await node.get("/wallet/getchainparameters").json
      guard case .array(let list)? = answer["chainParameter"] else { throw TestFailure(description: answer.text) }
      var values: [String: Int64] = [:]
      for entry in list {
        if case .string(let key)? = entry["key"], case .integer(let value)? = entry["value"] { values[key] = value }
      }
      let expected: [String: Int64] = [
        "getTransactionFee": 1_000, "getEnergyFee": 100, "getMemoFee": 1_000_000, "getMultiSignFee": 1_000_000,
        "getUpdateAccountPermissionFee": 100_000_000, "getCreateAccountFee": 100_000,
        "getCreateNewAccountFeeInSystemContract": 1_000_000, "getMaxFeeLimit": 15_000_000_000,
        "getMaxCpuTimeOfOneTx": 80, "getFreeNetLimit": 600, "getTotalEnergyCurrentLimit": 180_000_000_000,
        "getDynamicEnergyThreshold": 5_000_000_000, "getDynamicEnergyIncreaseFactor": 2_000,
        "getDynamicEnergyMaxFactor": 34_000, "getMaintenanceTimeInterval": 21_600_000, "getUnfreezeDelayDays": 14,
        "getMaxCreateAccountTxSize": 1_000, "getConsensusLogicOptimization": 1,
      ]
      for (key, value) in expected { #expect(values[key] == value, "\(key)") }
    }
    var network = NetworkState(parameters: ChainParameters(), genesisTime: 0)
    network.propose(Proposal(key: .energyPrice, value: 210))
    network.propose(Proposal(key: .memoFee, value: 0))
    let isMaintenance = network.closeBlock(at: 21_600_000)
    #expect(isMaintenance)
    #expect(NetworkRendering.prices(network.energyPrices).text == #"{"prices":"0:100,21600000:210"}"#)
    #expect(NetworkRendering.chainParameters(network.parameters).text.contains(#"{"key":"getMemoFee"}"#))
  }
}
