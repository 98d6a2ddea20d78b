/// A transaction as the chain holds it: what was signed, the signatures, nothing of its result.
///
/// Source: Tron.proto, `Transaction`; field numbers in tron-protocol.md §1.2. Decoding and encoding again yields the
/// canonical form, whatever order or padding the sender used; the chain hashes that form (§1.3).
struct Transaction: Equatable, Sendable {
  var raw: RawData
  var signatures: [Bytes]
  /// Fields this network does not know, as they came; a node keeps them and writes them last.
  var unknown: Bytes = []

  /// `Transaction.raw`: what is hashed and signed.
  struct RawData: Equatable, Sendable {
    /// Bytes 6..<8 of the reference block's number.
    var refBlockBytes: Bytes = []
    /// Unused by the chain.
    var refBlockNum: Int64 = 0
    /// Bytes 8..<16 of the reference block's id.
    var refBlockHash: Bytes = []
    /// Milliseconds since 1970.
    var expiration: Int64 = 0
    /// Unused by the chain; kept as it came.
    var auths: [Bytes] = []
    /// The memo.
    var data: Bytes = []
    /// A valid transaction has exactly one.
    var contracts: [Contract] = []
    /// Unused by the chain.
    var scripts: Bytes = []
    /// Milliseconds since 1970; never judged, only makes the transaction unique.
    var timestamp: Int64 = 0
    /// The most that energy may cost, in sun.
    var feeLimit: Int64 = 0
    var unknown: Bytes = []
  }

  /// A transaction of these parts.
  init(raw: RawData, signatures: [Bytes] = []) {
    self.raw = raw
    self.signatures = signatures
  }

  /// The transaction that `bytes` encode. `ret`, which only a producer may set, is dropped, as a node does on broadcast.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    var rawBytes: Bytes = []
    signatures = []
    var unknown: Bytes = []
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      // A singular message that comes twice is merged, which is the same as reading both parts in sequence.
      case 1: rawBytes += try field.bytes()
      case 2: signatures.append(try field.bytes())
      case 5: _ = try field.bytes()
      default: unknown += field.raw
      }
    }
    raw = try RawData(decoding: rawBytes)
    self.unknown = unknown
  }

  /// The canonical bytes, without `ret`: what bandwidth is billed for.
  var encoded: Bytes { encoded(ret: nil) }

  /// The canonical bytes as they stand in a block, with the result the producer wrote.
  func encoded(ret: ContractResult?) -> Bytes {
    var writer = ProtobufWriter()
    writer.message(1, raw.encoded)
    for signature in signatures { writer.message(2, signature) }
    if let ret {
      var result = ProtobufWriter()
      result.integer(3, Int64(ret.rawValue))
      writer.message(5, result.bytes)
    }
    writer.unknown(unknown)
    return writer.bytes
  }
}

extension Transaction.RawData {
  /// The raw data that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: refBlockBytes = try field.bytes()
      case 3: refBlockNum = try field.integer()
      case 4: refBlockHash = try field.bytes()
      case 8: expiration = try field.integer()
      case 9: auths.append(try field.bytes())
      case 10: data = try field.bytes()
      case 11: contracts.append(try Contract(decoding: try field.bytes()))
      case 12: scripts = try field.bytes()
      case 14: timestamp = try field.integer()
      case 18: feeLimit = try field.integer()
      default: unknown += field.raw
      }
    }
  }

  /// The canonical bytes; SHA-256 of them is the txid (§1.4).
  var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.bytes(1, refBlockBytes)
    writer.integer(3, refBlockNum)
    writer.bytes(4, refBlockHash)
    writer.integer(8, expiration)
    for auth in auths { writer.message(9, auth) }
    writer.bytes(10, data)
    for contract in contracts { writer.message(11, contract.encoded) }
    writer.bytes(12, scripts)
    writer.integer(14, timestamp)
    writer.integer(18, feeLimit)
    writer.unknown(unknown)
    return writer.bytes
  }
}
