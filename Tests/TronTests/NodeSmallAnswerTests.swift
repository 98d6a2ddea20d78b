// Proves the readings of broadcast answers, prices, accounts and balances (protocol reference §2.5, §4.3, §4.4).
import Foundation
import Payouts
import Synchronization
import TestSupport
import Testing
import Tron

@Suite struct NodeSmallAnswerTests {
  private static let txid = TransactionVectorTests.vectors[0].txid

  private static let broadcastAnswers: [(String, String, BroadcastCode, Bool)] = [
    ("SUCCESS", "", BroadcastCode.success, true),
    ("DUP_TRANSACTION_ERROR", "Dup transaction.", .duplicateTransaction, true),
    ("DUP_TRANSACTION_ERROR", "Transaction already exists.", .duplicateTransaction, true),
    ("NOT_ENOUGH_EFFECTIVE_CONNECTION", "P2P broadcast failed.", .notEnoughEffectiveConnection, true),
    (
      "NOT_ENOUGH_EFFECTIVE_CONNECTION", "Effective connection:0 lt minEffectiveConnection:1",
      .notEnoughEffectiveConnection, false
    ),
    ("TAPOS_ERROR", "Tapos check error.", .taposError, false),
    ("SIGERROR", "Validate signature error: sig error", .signatureError, false),
    ("BANDWITH_ERROR", "Account resource insufficient error.", .bandwidthError, false),
    ("CONTRACT_VALIDATE_ERROR", "Contract validate error : No contract!", .contractValidateError, false),
    ("CONTRACT_EXE_ERROR", "Contract execute error : x", .contractExecutionError, false),
    ("TOO_BIG_TRANSACTION_ERROR", "x", .tooBigTransaction, false),
    ("TRANSACTION_EXPIRATION_ERROR", "Transaction expired", .transactionExpired, false),
    ("SERVER_BUSY", "Server busy.", .serverBusy, false), ("NO_CONNECTION", "No connection.", .noConnection, false),
    ("BLOCK_UNSOLIDIFIED", "Block unsolidified.", .blockUnsolidified, false),
    ("OTHER_ERROR", "Error: x", .otherError, false),
    ("P2P broadcast failed.", "P2P broadcast failed.", .unrecognized("P2P broadcast failed."), false),
  ]

  @Test(arguments: broadcastAnswers)
  func `every broadcast answer has its code, and only three kinds are taken`(
    code: String, message: String, expected: BroadcastCode, isTaken: Bool
  ) async throws {
    let bodies = Mutex<[String]>([])
    let answer = try await withNode(answering: { request in
      bodies.withLock { $0.append(request.body) }
      return .json(
        "{\"result\":\(code == "SUCCESS"),\"code\":\"\(code)\",\"message\":\"\(message)\",\"transaction\":\"{}\",\"txid\":\"\(Self.txid)\"}"
      )
    }) { try await $0.broadcast([0x0a, 0xff]) }
    #expect(answer.code == expected)
    #expect(answer.message == message)
    #expect(answer.txid?.description == Self.txid)
    #expect(answer.isTaken == isTaken)
    #expect(bodies.withLock { $0 } == ["{\"transaction\":\"0aff\"}"])
  }

  @Test func `a success without code is one, anything else without code is not an answer`() async throws {
    let answer = try await withNode(answering: { _ in .json("{\"result\":true,\"txid\":\"\(Self.txid)\"}") }) {
      try await $0.broadcast([1])
    }
    #expect(answer.code == .success)
    for text in ["{}", "{\"result\":false}", "{\"message\":\"x\"}"] {
      let error = try await failure(of: .json(text)) { node throws(TronNodeError) in _ = try await node.broadcast([1]) }
      #expect(error?.code == .missingValue)
      #expect(error?.isUnknownOutcome == true)
    }
  }

  @Test func `the price of energy is read, and its absence is no price of zero`() async throws {
    let parameters = """
      {"chainParameter":[{"key":"getMaintenanceTimeInterval","value":21600000},{"key":"getAllowTvmIstanbul"},\
      {"key":"getEnergyFee","value":100},{"key":"getBig","value":9007199254740993}]}
      """
    let price = try await withNode(answering: { _ in .json(parameters) }) { try await $0.energyPrice() }
    #expect(price == Sun(100))
    for text in [
      "{}", "{\"chainParameter\":[]}", "{\"chainParameter\":[{\"key\":\"getEnergyFee\"}]}",
      "{\"chainParameter\":[{\"key\":\"getEnergyFee\",\"value\":0}]}",
      "{\"chainParameter\":[{\"key\":\"getEnergyFee\",\"value\":-1}]}",
    ] {
      let error = try await failure(of: .json(text)) { node throws(TronNodeError) in _ = try await node.energyPrice() }
      #expect(error?.code == .missingValue, "\(text)")
    }
  }

  private static let account = """
    {"account_name":"6162","address":"411a642f0e3c3af545e7acbd38b07251b3990914f1","balance":9007199254740993,\
    "owner_permission":{"permission_name":"owner","threshold":1,"keys":[{"address":"417e5f4552091a69125d5dfcb7b8c2659029395bdf","weight":1}]},\
    "active_permission":[{"type":"Active","id":2,"permission_name":"payouts","threshold":2,\
    "operations":"0200008000000000000000000000000000000000000000000000000000000000","keys":[\
    {"address":"411a642f0e3c3af545e7acbd38b07251b3990914f1","weight":2},\
    {"address":"4194a15629b2b2bbd3a5453e6d6696b2875278633b","weight":1}]}],"frozenV2":[{},{"type":"ENERGY","amount":5}]}
    """

  @Test func `an account is read exactly above 2^53, with its permissions`() async throws {
    let hot = try TestKey.ones().address
    let bodies = Mutex<[String]>([])
    let state = try await withNode(answering: { request in
      bodies.withLock { $0.append(request.body) }
      return .json(Self.account)
    }) { try await $0.account(hot, .solid) }
    #expect(state.exists)
    #expect(state.balance == Sun(9_007_199_254_740_993))
    #expect(bodies.withLock { $0 } == ["{\"address\":\"411a642f0e3c3af545e7acbd38b07251b3990914f1\"}"])
    let owner = try #require(state.ownerPermission)
    let payouts = try #require(state.activePermissions.first)
    #expect(owner.id == 0 && owner.operations.isEmpty && owner.threshold == 1)
    #expect(payouts.id == 2 && payouts.threshold == 2 && payouts.operations.count == 32)
    // Types 1 and 31 and no other, for the key that is heavy enough alone; all for the owner's key.
    for type: Int32 in 0...255 { #expect(payouts.allows(type, by: hot) == [1, 31].contains(type), "\(type)") }
    let light = Address(account: hex("94a15629b2b2bbd3a5453e6d6696b2875278633b"))
    #expect(!payouts.allows(31, by: light))
    #expect(!payouts.allows(256, by: hot))
    #expect(owner.allows(46, by: Vectors.recipient))
    #expect(!owner.allows(46, by: hot))
  }

  @Test func `an account that was never activated exists not and has nothing`() async throws {
    let state = try await withNode(answering: { _ in .json("{}") }) { try await $0.account(.zero, .head) }
    #expect(state == .absent)
    #expect(!state.exists && state.balance == Sun(0))
  }

  @Test func `an account without a balance has none, another account is inconsistent`() async throws {
    let poor = Self.account.replacingOccurrences(of: "\"balance\":9007199254740993,", with: "")
    let hot = try TestKey.ones().address
    let state = try await withNode(answering: { _ in .json(poor) }) { try await $0.account(hot, .head) }
    #expect(state.exists && state.balance == Sun(0))
    let error = try await failure(of: .json(Self.account)) { node throws(TronNodeError) in
      _ = try await node.account(.zero, .head)
    }
    #expect(error?.code == .inconsistent)
    let headless = try await failure(of: .json("{\"balance\":1}")) { node throws(TronNodeError) in
      _ = try await node.account(.zero, .head)
    }
    #expect(headless?.code == .missingValue)
  }

  private static func constant(_ word: String) -> String {
    "{\"result\":{\"result\":true},\"energy_used\":4062,\"constant_result\":[\"\(word)\"],\"transaction\":{\"ret\":[{}],\"visible\":false}}"
  }

  private static let balances: [(String, Int64)] = [
    (String(repeating: "0", count: 64), 0), (String(repeating: "0", count: 63) + "1", 1),
    (String(repeating: "0", count: 48) + "0020000000000001", 9_007_199_254_740_993),
    (String(repeating: "0", count: 48) + "7fffffffffffffff", Int64.max),
  ]

  @Test(arguments: balances)
  func `a token balance is read exactly`(word: String, microUSDT: Int64) async throws {
    let requests = Mutex<[ScriptedRequest]>([])
    let amount = try await withNode(answering: { request in
      requests.withLock { $0.append(request) }
      return .json(Self.constant(word))
    }) { try await $0.tokenBalance(token: Vectors.token, of: Vectors.recipient, .solid) }
    #expect(amount.microUSDT == microUSDT)
    let request = try #require(requests.withLock { $0.first })
    #expect(request.path == "/walletsolidity/triggerconstantcontract")
    let fields = try JSONDecoder().decode([String: String].self, from: Data(request.body.utf8))
    #expect(
      fields == [
        "owner_address": "417e5f4552091a69125d5dfcb7b8c2659029395bdf",
        "contract_address": "41a614f803b6fd780986a42c78ec9c7f77e6ded13c", "function_selector": "balanceOf(address)",
        "parameter": "0000000000000000000000007e5f4552091a69125d5dfcb7b8c2659029395bdf",
      ])
  }

  private static let noBalances: [(String, TronNodeError.Code)] = [
    (constant(String(repeating: "0", count: 48) + "8000000000000000"), TronNodeError.Code.inconsistent),
    (constant(""), .inconsistent), (constant("00"), .inconsistent), (constant("zz"), .malformedAnswer),
    ("{\"result\":{\"result\":true}}", .missingValue), ("{}", .missingValue),
    (
      "{\"result\":{\"code\":\"CONTRACT_VALIDATE_ERROR\",\"message\":\"4e6f20636f6e7472616374\"}}", .nodeError
    ),
    (
      "{\"result\":{\"result\":true,\"message\":\"524556455254206f70636f6465206578656375746564\"},\"constant_result\":[\"\"],\"transaction\":{\"ret\":[{\"ret\":\"FAILED\"}]}}",
      .nodeError
    ),
  ]

  @Test(arguments: noBalances)
  func `a balance that is none is an error`(answer: String, code: TronNodeError.Code) async throws {
    let error = try await failure(of: .json(answer)) { node throws(TronNodeError) in
      _ = try await node.tokenBalance(token: Vectors.token, of: Vectors.recipient, .head)
    }
    #expect(error?.code == code)
    if answer.contains("4e6f20") { #expect(error?.reason.contains("No contract") == true) }
    if answer.contains("524556") { #expect(error?.reason.contains("REVERT opcode executed") == true) }
  }
}
