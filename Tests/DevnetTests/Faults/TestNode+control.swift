import Testing

@testable import Devnet

extension TestNode {
  /// Asks `/devnet` for a change, which must be carried out.
  @discardableResult
  func control(_ name: String, _ body: String = "") async throws -> JSON {
    let answer = try await post("/devnet/\(name)", body)
    guard answer.status == 200 else { throw TestFailure(description: "\(name) \(body): \(answer.text)") }
    return answer.json
  }

  /// What `/devnet/state` says under a name.
  func state(_ name: String) async throws -> JSON? { try await get("/devnet/state").json[name] }

  /// Makes blocks at once, whatever the clock says.
  func make(_ count: Int = 1) async throws { try await control("blocks", #"{"count":\#(count)}"#) }

  /// Broadcasts a transfer and puts it into a block.
  @discardableResult
  func include(_ prepared: PreparedTransaction) async throws -> PreparedTransaction {
    #expect(try await broadcast(prepared).json["code"] == .string("SUCCESS"))
    try await make()
    return prepared
  }

  /// The number of the head that getnowblock shows in a view; 0 for genesis.
  func headNumber(_ view: String = "wallet") async throws -> Int64 {
    let raw = try await post("/\(view)/getnowblock").json["block_header"]?["raw_data"]
    guard case .integer(let number)? = raw?["number"] else { return 0 }
    return number
  }

  func block(_ number: Int64) async throws -> JSON {
    try await post("/wallet/getblockbynum", #"{"num":\#(number)}"#).json
  }

  func time(ofBlock number: Int64) async throws -> Int64? {
    guard case .integer(let time)? = try await block(number)["block_header"]?["raw_data"]?["timestamp"] else {
      return nil
    }
    return time
  }

  /// The ids of a block's transactions, in order.
  func ids(inBlock number: Int64) async throws -> [JSON?] {
    guard case .array(let transactions)? = try await block(number)["transactions"] else { return [] }
    return transactions.map { $0["txID"] }
  }

  func receipts(_ number: Int64) async throws -> Answer {
    try await post("/wallet/gettransactioninfobyblocknum", #"{"num":\#(number)}"#)
  }

  func info(_ prepared: PreparedTransaction) async throws -> JSON {
    try await post("/wallet/gettransactioninfobyid", #"{"value":"\#(prepared.id.hex)"}"#).json
  }

  /// Pending or in a block, as gettransactionbyid tells; `{}` for neither.
  func transaction(_ prepared: PreparedTransaction) async throws -> JSON {
    try await post("/wallet/gettransactionbyid", #"{"value":"\#(prepared.id.hex)"}"#).json
  }

  func isPending(_ prepared: PreparedTransaction) async throws -> Bool {
    try await post("/wallet/gettransactionfrompending", #"{"value":"\#(prepared.id.hex)"}"#).text != "{}\n"
  }

  static let nothing = JSON.object([:])
}

extension PreparedTransaction {
  /// Its id as JSON shows it.
  var jsonID: JSON { .string(id.hex) }
}
