// Proves the readings of calls that a node executes without a transaction (protocol reference §4.4).
import Foundation
import Payouts
import Synchronization
import TestSupport
import Testing
import Tron

@Suite struct SimulateTests {
  private static let transfer = ExpectedTransfer(
    token: Vectors.token, from: Vectors.recipient, to: Address(account: [UInt8](repeating: 0x33, count: 20)),
    amount: .zero)

  private static func answer(_ result: String, failed: Bool = false, message: String? = nil) -> String {
    let ret = failed ? "{\"ret\":\"FAILED\"}" : "{}"
    let text = message.map { ",\"message\":\"\(Hex.text([UInt8]($0.utf8)))\"" } ?? ""
    return """
      {"result":{"result":true\(text)},"energy_used":3146,"constant_result":["\(result)"],\
      "transaction":{"ret":[\(ret)],"visible":false}}
      """
  }

  @Test func `a transfer is simulated as its sender would make it`() async throws {
    let amount = try Amount(microUSDT: 258)
    let transfer = ExpectedTransfer(
      token: Self.transfer.token, from: Self.transfer.from, to: Self.transfer.to, amount: amount)
    let requests = Mutex<[ScriptedRequest]>([])
    let word = String(repeating: "0", count: 64)
    let outcome = try await withNode(answering: { request in
      requests.withLock { $0.append(request) }
      return .json(Self.answer(word))
    }) { try await $0.simulate(.transfer(transfer), .solid) }
    // USDT returns false on success.
    #expect(outcome == .returned([UInt8](repeating: 0, count: 32)))
    let request = try #require(requests.withLock { $0.first })
    #expect(request.path == "/walletsolidity/triggerconstantcontract")
    let fields = try JSONDecoder().decode([String: String].self, from: Data(request.body.utf8))
    #expect(
      fields == [
        "owner_address": "417e5f4552091a69125d5dfcb7b8c2659029395bdf",
        "contract_address": "41a614f803b6fd780986a42c78ec9c7f77e6ded13c",
        "function_selector": "transfer(address,uint256)",
        "parameter": String(repeating: "0", count: 24) + String(repeating: "33", count: 20)
          + String(repeating: "0", count: 60) + "0102",
      ])
  }

  @Test func `a revert is told with its data, and no other end is a revert`() async throws {
    // "A revert still has result.result true; sign: ret FAILED, message REVERT opcode executed, constant_result = data".
    let reverted = try await withNode(answering: { _ in
      .json(Self.answer("08c379a0", failed: true, message: "REVERT opcode executed"))
    }) { try await $0.simulate(.transfer(Self.transfer), .head) }
    #expect(reverted == .reverted([0x08, 0xc3, 0x79, 0xa0]))
    let silent = try await withNode(answering: { _ in .json(Self.answer("", failed: true)) }) {
      try await $0.simulate(.transfer(Self.transfer), .head)
    }
    #expect(silent == .reverted([]))
    for (text, code) in [
      (
        Self.answer("", failed: true, message: "CPU timeout for 'SSTORE' operation executing"),
        TronNodeError.Code.nodeError
      ),
      (
        "{\"result\":{\"code\":\"CONTRACT_VALIDATE_ERROR\",\"message\":\"4e6f20636f6e7472616374\"}}",
        .nodeError
      ),
      (Self.answer("zz"), .malformedAnswer), (Self.answer("zz", failed: true), .malformedAnswer),
      ("{\"result\":{\"result\":true}}", .missingValue), ("{}", .missingValue),
    ] {
      let error = try await failure(of: .json(text)) { node throws(TronNodeError) in
        _ = try await node.simulate(.transfer(Self.transfer), .head)
      }
      #expect(error?.code == code, "\(text)")
    }
  }

  @Test(arguments: [
    (TokenCall.isPaused(token: Vectors.token), "paused()", ""),
    (
      .isBlacklisted(Vectors.recipient, token: Vectors.token), "isBlackListed(address)",
      "0000000000000000000000007e5f4552091a69125d5dfcb7b8c2659029395bdf"
    ),
  ])
  func `a question is answered by yes or no, and by nothing else`(
    question: TokenCall, signature: String, parameter: String
  ) async throws {
    for (word, expected) in [
      (String(repeating: "0", count: 64), false), (String(repeating: "0", count: 63) + "1", true),
    ] {
      let bodies = Mutex<[String]>([])
      let answer = try await withNode(answering: { request in
        bodies.withLock { $0.append(request.body) }
        return .json(Self.answer(word))
      }) { try await $0.answer(to: question, .solid) }
      #expect(answer == expected)
      let fields = try JSONDecoder().decode(
        [String: String].self, from: Data((bodies.withLock { $0.first } ?? "").utf8))
      #expect(fields["function_selector"] == signature && fields["parameter"] == parameter)
    }
    for text in [Self.answer(""), Self.answer("01"), Self.answer("", failed: true)] {
      let error = try await failure(of: .json(text)) { node throws(TronNodeError) in
        _ = try await node.answer(to: question, .solid)
      }
      #expect(error?.code == .inconsistent, "\(text)")
    }
  }
}
