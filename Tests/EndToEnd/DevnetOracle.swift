import AsyncHTTPClient
import Foundation
import NIOCore
import Payouts

/// What the chain itself says, asked over devnet's HTTP interface and read by this test's own hand.
struct DevnetOracle: Sendable {
  static let token = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
  private static let transferTopic = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

  /// One Transfer log of the token.
  struct Transfer: Hashable, Sendable {
    let from: Address
    let to: Address
    let microUSDT: Int64
  }

  let url: String

  /// The token balance of an account, in micro-USDT.
  func balance(of account: Address) async throws -> Int64 {
    let word = String(repeating: "0", count: 24) + Hex.text(account.account)
    let answer = try await json(
      "/wallet/triggerconstantcontract",
      [
        "owner_address": "\(account)", "contract_address": Self.token, "function_selector": "balanceOf(address)",
        "parameter": word, "visible": true,
      ])
    guard let result = (answer["constant_result"] as? [String])?.first, let value = Int64(result, radix: 16) else {
      throw Stack.Failure("no balance in \(answer)")
    }
    return value
  }

  /// All Transfers of the token out of an account, in all blocks so far.
  func transfers(from account: Address) async throws -> [Transfer] {
    var transfers: [Transfer] = []
    let head = try await headNumber()
    for number in 1...max(head, 1) {
      for receipt in try await list("/wallet/gettransactioninfobyblocknum", ["num": number]) {
        for log in receipt["log"] as? [[String: Any]] ?? [] {
          guard let topics = log["topics"] as? [String], topics.count == 3, topics[0] == Self.transferTopic,
            let from = Hex.bytes(topics[1].suffix(40)), let to = Hex.bytes(topics[2].suffix(40)),
            let data = log["data"] as? String, let value = Int64(data, radix: 16)
          else { continue }
          let transfer = Transfer(from: Address(account: from), to: Address(account: to), microUSDT: value)
          if transfer.from == account { transfers.append(transfer) }
        }
      }
    }
    return transfers
  }

  /// The head's number.
  func headNumber() async throws -> Int64 {
    let block = try await json("/wallet/getnowblock", [:])
    let header = (block["block_header"] as? [String: Any])?["raw_data"] as? [String: Any]
    return (header?["number"] as? NSNumber)?.int64Value ?? 0
  }

  /// How often each endpoint was asked, and how many blocks there are, since devnet began.
  func requests() async throws -> (byPath: [String: Int], blocks: Int) {
    let answer = try await json("/devnet/requests", nil)
    let counts = answer["requests"] as? [String: NSNumber] ?? [:]
    return (counts.mapValues(\.intValue), (answer["blocks"] as? NSNumber)?.intValue ?? 0)
  }

  /// Tells devnet to do something, such as to fail.
  func tell(_ command: String, _ body: [String: Any]) async throws {
    let answer = try await json("/devnet/\(command)", body)
    guard answer["Error"] == nil, answer["error"] == nil else { throw Stack.Failure("\(command) \(body): \(answer)") }
  }

  /// How many requests the faults that stand at present have met.
  func faultsMet() async throws -> Int {
    let faults = try await json("/devnet/state", nil)["faults"] as? [[String: Any]] ?? []
    return faults.reduce(0) { $0 + (($1["hits"] as? NSNumber)?.intValue ?? 0) }
  }

  /// The status of a GET; 0 where there is no answer.
  static func status(_ url: String) async -> UInt {
    do {
      return try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(5)).status.code
    } catch {
      return 0
    }
  }

  /// The body of a GET as text.
  static func text(_ url: String) async throws -> String {
    let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(20))
    return String(buffer: try await response.body.collect(upTo: 16 << 20))
  }

  private func json(_ path: String, _ body: [String: Any]?) async throws -> [String: Any] {
    try JSONSerialization.jsonObject(with: await bytes(path, body)) as? [String: Any] ?? [:]
  }

  private func list(_ path: String, _ body: [String: Any]) async throws -> [[String: Any]] {
    try JSONSerialization.jsonObject(with: await bytes(path, body)) as? [[String: Any]] ?? []
  }

  private func bytes(_ path: String, _ body: [String: Any]?) async throws -> Data {
    var request = HTTPClientRequest(url: url + path)
    if let body {
      request.method = .POST
      request.body = .bytes(ByteBuffer(data: try JSONSerialization.data(withJSONObject: body)))
    }
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
    return Data(buffer: try await response.body.collect(upTo: 16 << 20))
  }
}
