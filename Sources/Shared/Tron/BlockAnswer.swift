import Payouts

/// A block as `getnowblock` and its kin print it; all optional, since a node leaves defaults out and says `{}` for
/// "not there" (reference §4.1, §4.2). Property names are the API's own.
struct BlockAnswer: Decodable {
  struct Header: Decodable {
    struct Raw: Decodable {
      let number: Int64?
      let txTrieRoot: String?
      let witness_id: Int64?
      let witness_address: String?
      let parentHash: String?
      let version: Int32?
      let timestamp: Int64?
      let accountStateRoot: String?
    }
    let raw_data: Raw?
    let witness_signature: String?
  }

  struct Transaction: Decodable {
    struct Result: Decodable {
      let fee: Int64?
      let ret: String?
      let contractRet: String?
    }
    let txID: String?
    let raw_data_hex: String?
    let signature: [String]?
    let ret: [Result]?
  }

  let blockID: String?
  let block_header: Header?
  let transactions: [Transaction]?

  /// The block, checked; nil for `{}`.
  func block(of call: NodeCall) throws(TronNodeError) -> Block? {
    guard let blockID else {
      guard block_header == nil, transactions == nil else { throw call.missing("blockID") }
      return nil
    }
    guard let raw = block_header?.raw_data else { throw call.missing("block_header.raw_data") }
    let header = try header(id: blockID, raw, signature: block_header?.witness_signature, call)
    var bodies: [BlockTransaction] = []
    var leaves: [[UInt8]?] = []
    for transaction in transactions ?? [] {
      let (body, leaf) = try transaction.body(of: call)
      bodies.append(body)
      leaves.append(leaf)
    }
    let provenLeaves = leaves.compactMap { $0 }
    let isBodyProven =
      provenLeaves.count == leaves.count && header.transactionRoot == BlockHashing.root(ofLeaves: provenLeaves)
      && header.isIDProven
    return Block(header: header, transactions: bodies, isBodyProven: isBodyProven)
  }

  private func header(
    id text: String, _ raw: Header.Raw, signature: String?, _ call: NodeCall
  ) throws(TronNodeError) -> BlockHeader {
    let number = raw.number ?? 0
    let id = try call.checked { () throws(MalformedValue) in try BlockID(hex: text) }
    let parentID = try call.checked { () throws(MalformedValue) in try BlockID(hex: raw.parentHash ?? "") }
    guard number >= 0, id.number == number else {
      throw call.inconsistent("block \(number) has the id of block \(id.number)")
    }
    guard number == 0 || parentID.number == number - 1 else {
      throw call.inconsistent("block \(number) has block \(parentID.number) as its parent")
    }
    let root = try call.hex(raw.txTrieRoot, "txTrieRoot")
    guard root.count == 32 else { throw call.malformed("txTrieRoot has \(root.count) bytes, expected 32") }
    // The genesis block has a text in place of a producer, and may have no time.
    let isGenesis = number == 0
    let witness = isGenesis ? nil : try call.address(raw.witness_address, "witness_address")
    let bytes = raw.encoded(number: number)
    return BlockHeader(
      number: number, id: id, parentID: parentID,
      timestamp: isGenesis && raw.timestamp == nil
        ? Timestamp(milliseconds: 0) : try call.timestamp(raw.timestamp, "timestamp of the block"),
      transactionRoot: root, witness: witness,
      isIDProven: bytes.map { BlockHashing.blockID(number: number, headerRawData: $0) } == id,
      signature: BlockHashing.signature(Hex.bytes(signature ?? "") ?? [], ofHeader: bytes ?? [], by: witness))
  }
}

extension BlockAnswer.Header.Raw {
  /// The bytes that are hashed and signed; nil where one of the fields is no hexadecimal text.
  fileprivate func encoded(number: Int64) -> [UInt8]? {
    guard let root = Hex.bytes(txTrieRoot ?? ""), let parent = Hex.bytes(parentHash ?? ""),
      let witness = Hex.bytes(witness_address ?? ""), let stateRoot = Hex.bytes(accountStateRoot ?? "")
    else { return nil }
    var header = Protocol_BlockHeader.raw()
    header.timestamp = timestamp ?? 0
    header.txTrieRoot = .init(root)
    header.parentHash = .init(parent)
    header.number = number
    header.witnessID = witness_id ?? 0
    header.witnessAddress = .init(witness)
    header.version = version ?? 0
    header.accountStateRoot = .init(stateRoot)
    return try? encodeMessage(header)
  }
}

extension BlockAnswer.Transaction {
  /// The transaction, its txid checked against its bytes, and its leaf in the tree of transactions; the leaf is nil
  /// where signature or result do not translate back into bytes.
  fileprivate func body(of call: NodeCall) throws(TronNodeError) -> (BlockTransaction, leaf: [UInt8]?) {
    guard let txID else { throw call.missing("txID of a transaction") }
    let rawData = try call.hex(raw_data_hex, "raw_data_hex of \(NodeCall.quote(txID))")
    let claimed = try call.checked { () throws(MalformedValue) in try TxID(hex: txID) }
    let result = ret?.first?.contractRet.map(ContractResult.init(name:))
    let body: BlockTransaction
    // One that is no hexadecimal text spoils the leaf, and with it the proof of the body; here it is left out.
    let signatures = (signature ?? []).compactMap { Hex.bytes($0) }
    do {
      body = try BlockTransaction(rawData: rawData, contractResult: result, signatures: signatures)
    } catch {
      throw call.malformed("\(claimed): \(error)")
    }
    guard body.txid == claimed else {
      throw call.inconsistent("raw_data_hex of \(claimed) hashes to \(body.txid)")
    }
    return (body, leaf(rawData))
  }

  private func leaf(_ rawData: [UInt8]) -> [UInt8]? {
    var whole = Envelope_SerializedTransaction()
    whole.rawData = .init(rawData)
    for text in signature ?? [] {
      guard let bytes = Hex.bytes(text) else { return nil }
      whole.signature.append(.init(bytes))
    }
    for entry in ret ?? [] {
      var result = Protocol_Transaction.Result()
      result.fee = entry.fee ?? 0
      switch entry.ret {
      case nil, "SUCESS": result.ret = .sucess
      case "FAILED": result.ret = .failed
      default: return nil
      }
      if let name = entry.contractRet {
        guard let number = ContractResult(name: name).number else { return nil }
        result.contractRet = .init(rawValue: number) ?? .UNRECOGNIZED(number)
      }
      whole.ret.append(result)
    }
    guard let bytes = try? encodeMessage(whole) else { return nil }
    return BlockHashing.leaf(ofTransaction: bytes)
  }
}

/// `{"block": […]}`; `{}` for a range the node does not like, which the caller's preconditions exclude, or has not.
struct BlockListAnswer: Decodable {
  let block: [BlockAnswer]?
}
