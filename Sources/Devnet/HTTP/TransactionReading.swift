/// Reads a transaction from JSON, as broadcasttransaction and getsignweight take it.
///
/// `raw_data` is what counts; `raw_data_hex`, `txID` and anything else beside it is ignored, as a node does
/// (tron-protocol.md §4.3).
struct TransactionReading {
  private let isVisible: Bool

  /// The transaction that `json` describes.
  static func read(_ json: JSON) throws(NodeError) -> Transaction {
    let reading = TransactionReading(isVisible: json["visible"] == .bool(true))
    guard let raw = json["raw_data"], case .object = raw else { throw .field("raw_data", "an object") }
    var signatures: [Bytes] = []
    if case .array(let elements)? = json["signature"] {
      for element in elements { signatures.append(try reading.hex(element, "signature")) }
    }
    return Transaction(raw: try reading.rawData(raw), signatures: signatures)
  }

  private func rawData(_ json: JSON) throws(NodeError) -> Transaction.RawData {
    var raw = Transaction.RawData()
    raw.refBlockBytes = try hex(json["ref_block_bytes"], "ref_block_bytes")
    raw.refBlockNum = try integer(json["ref_block_num"], "ref_block_num")
    raw.refBlockHash = try hex(json["ref_block_hash"], "ref_block_hash")
    raw.expiration = try integer(json["expiration"], "expiration")
    raw.data = try hex(json["data"], "data")
    raw.scripts = try hex(json["scripts"], "scripts")
    raw.timestamp = try integer(json["timestamp"], "timestamp")
    raw.feeLimit = try integer(json["fee_limit"], "fee_limit")
    guard case .array(let contracts)? = json["contract"] else { throw .field("contract", "a list") }
    for contract in contracts { raw.contracts.append(try self.contract(contract)) }
    return raw
  }

  private func contract(_ json: JSON) throws(NodeError) -> Contract {
    guard case .string(let name)? = json["type"],
      let type = ContractType.allCases.first(where: { $0.name == name })
    else { throw .field("contract.type", "the name of a contract type that this network knows") }
    guard let value = json["parameter"]?["value"] else { throw .field("contract.parameter.value", "an object") }
    let encoded = try message(type, value)
    guard let permissionID = Int32(exactly: try integer(json["Permission_id"], "Permission_id")) else {
      throw .field("Permission_id", "a 32-bit integer")
    }
    return Contract(type: type, value: encoded, permissionID: permissionID)
  }

  /// The bytes of an address field, empty when absent.
  func address(_ json: JSON, _ name: String) throws(NodeError) -> Bytes {
    switch json[name] {
    case nil, .null: return []
    case .string(let text): return try NodeRequest.addressBytes(text, name: name, isVisible: isVisible)
    default: throw .field(name, "an address")
    }
  }

  /// Bytes in hex, empty when absent.
  func hex(_ json: JSON?, _ name: String) throws(NodeError) -> Bytes {
    switch json {
    case nil, .null: return []
    case .string(let text):
      guard let bytes = Hex.decode(text) else { throw .field(name, "hex") }
      return bytes
    default: throw .field(name, "hex")
    }
  }

  /// A number, 0 when absent; one in quotation marks counts too.
  func integer(_ json: JSON?, _ name: String) throws(NodeError) -> Int64 {
    switch json {
    case nil, .null: return 0
    case .integer(let number): return number
    case .string(let text):
      guard let number = Int64(text) else { throw .field(name, "an integer") }
      return number
    default: throw .field(name, "an integer")
    }
  }
}
