import Payouts

/// `gettransactioninfobyblocknum`: an array, or `{}` for a number that is not above zero.
struct ReceiptsAnswer: Decodable {
  let receipts: [ReceiptAnswer]

  init(from decoder: any Decoder) throws {
    if (try? decoder.unkeyedContainer()) != nil {
      receipts = try [ReceiptAnswer](from: decoder)
    } else {
      // Any object with a content is something else and fails here.
      _ = try EmptyObject(from: decoder)
      receipts = []
    }
  }
}

/// TransactionInfo as a node prints it (reference §1.2, §4.3). Property names are the API's own.
struct ReceiptAnswer: Decodable {
  struct Resources: Decodable {
    let energy_usage_total: Int64?
    let net_usage: Int64?
    let net_fee: Int64?
    let result: String?
  }

  struct Log: Decodable {
    let address: String?
    let topics: [String]?
    let data: String?
  }

  let id: String?
  let fee: Int64?
  let blockNumber: Int64?
  let blockTimeStamp: Int64?
  let receipt: Resources?
  let result: String?
  let log: [Log]?

  func receipt(of call: NodeCall) throws(TronNodeError) -> TransactionReceipt {
    guard let id else { throw call.missing("id of a receipt") }
    let txid = try call.checked { () throws(MalformedValue) in try TxID(hex: id) }
    guard let blockNumber else { throw call.missing("blockNumber of \(txid)") }
    let timestamp = try call.timestamp(blockTimeStamp, "blockTimeStamp of \(txid)")
    guard result == nil || result == "FAILED" || result == "SUCESS" else {
      throw call.malformed("result of \(txid) is neither FAILED nor absent")
    }
    var logs: [EventLog] = []
    for entry in log ?? [] { logs.append(try entry.event(of: call)) }
    return TransactionReceipt(
      txid: txid, blockNumber: blockNumber, blockTimestamp: timestamp,
      fee: Sun(fee ?? 0), energyUsed: receipt?.energy_usage_total ?? 0, netUsage: receipt?.net_usage ?? 0,
      netFee: Sun(receipt?.net_fee ?? 0), result: receipt?.result.map(ContractResult.init(name:)),
      isFailed: result == "FAILED", logs: logs)
  }
}

extension ReceiptAnswer.Log {
  /// The address has 20 bytes on the wire, without 0x41 (reference §4.3); 21 are taken too.
  fileprivate func event(of call: NodeCall) throws(TronNodeError) -> EventLog {
    let bytes = try call.hex(address, "address of a log")
    let emitter =
      bytes.count == 20 ? Address(account: bytes) : try call.address(address, "address of a log")
    var words: [[UInt8]] = []
    for topic in topics ?? [] { words.append(try call.hex(topic, "topic of a log")) }
    return EventLog(address: emitter, topics: words, data: try call.hex(data, "data of a log"))
  }
}

/// `{}` and nothing else.
private struct EmptyObject: Decodable {
  private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: AnyKey.self).allKeys
    guard keys.isEmpty else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "expected {} or []"))
    }
  }
}
