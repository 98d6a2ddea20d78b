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

  /// A Transfer and the transaction that made it.
  struct Payment: Hashable, Sendable {
    let txid: String
    let transfer: Transfer
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
    try await payments(from: account).map(\.transfer)
  }

  /// All Transfers of the token out of an account with their transactions, in all blocks so far.
  func payments(from account: Address) async throws -> [Payment] {
    var payments: [Payment] = []
    let head = try await headNumber()
    for number in 1...max(head, 1) {
      for receipt in try await list("/wallet/gettransactioninfobyblocknum", ["num": number]) {
        for log in receipt["log"] as? [[String: Any]] ?? [] {
          guard let transfer = Self.transfer(log), transfer.from == account else { continue }
          payments.append(Payment(txid: receipt["id"] as? String ?? "", transfer: transfer))
        }
      }
    }
    return payments
  }

  private static func transfer(_ log: [String: Any]) -> Transfer? {
    guard let topics = log["topics"] as? [String], topics.count == 3, topics[0] == transferTopic,
      let from = Hex.bytes(topics[1].suffix(40)), let to = Hex.bytes(topics[2].suffix(40)),
      let data = log["data"] as? String, let value = Int64(data, radix: 16)
    else { return nil }
    return Transfer(from: Address(account: from), to: Address(account: to), microUSDT: value)
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

  /// What stands in the newest blocks, oldest first: ids of transactions, their blocks' numbers, and whether they moved
  /// any token.
  func recentTransactions() async throws -> [(txid: String, block: Int64, isPaid: Bool)] {
    let head = try await headNumber()
    var recent: [(txid: String, block: Int64, isPaid: Bool)] = []
    for number in max(1, head - 8)...max(head, 1) {
      for receipt in try await list("/wallet/gettransactioninfobyblocknum", ["num": number]) {
        guard let id = receipt["id"] as? String else { continue }
        let logs = receipt["log"] as? [[String: Any]] ?? []
        recent.append((txid: id, block: number, isPaid: !logs.isEmpty))
      }
    }
    return recent
  }

  /// The ids of what waits for a block.
  func pendingTransactions() async throws -> [String] {
    try await json("/wallet/gettransactionlistfrompending", [:])["txId"] as? [String] ?? []
  }

  /// When a transaction expires that waits or is in a block, in Unix milliseconds; nil for one that is neither.
  func expiration(of txid: String) async throws -> Int64? {
    let transaction = try await json("/wallet/gettransactionbyid", ["value": txid])
    let raw = transaction["raw_data"] as? [String: Any]
    return (raw?["expiration"] as? NSNumber)?.int64Value
  }

  /// Where the chain's solid part ends.
  func solidNumber() async throws -> Int64 {
    (try await json("/devnet/state", nil)["solid"] as? NSNumber)?.int64Value ?? 0
  }

  /// The newest solid block's time, in Unix milliseconds.
  func solidTime() async throws -> Int64 {
    let block = try await json("/walletsolidity/getnowblock", [:])
    let header = (block["block_header"] as? [String: Any])?["raw_data"] as? [String: Any]
    return (header?["timestamp"] as? NSNumber)?.int64Value ?? 0
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

  /// The object that a path answers with: to a GET where there is no body, else to a POST.
  func json(_ path: String, _ body: [String: Any]?) async throws -> [String: Any] {
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
