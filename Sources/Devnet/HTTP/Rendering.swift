/// How bytes are printed: addresses in hex or, where `visible` was asked for, in base58check.
struct Rendering: Sendable {
  let isVisible: Bool

  static let hex = Rendering(isVisible: false)

  /// 21 address bytes. Bytes that are no address are printed in the same way, as a node does.
  func address(_ bytes: Bytes) -> String { isVisible ? Base58Check.encode(bytes) : Hex.encode(bytes) }

  /// The address of a log: 20 bytes without 41 in hex, a full address in base58.
  func logAddress(_ address: Address) -> String { isVisible ? address.base58 : Hex.encode(address.last20) }

  /// A message: UTF-8 when visible, else the hex of it.
  func message(_ text: String) -> String { isVisible ? text : Hex.encode(Bytes(text.utf8)) }
}

extension Rendering {
  /// A transaction as blocks and gettransactionbyid show it; without `ret` where it has run nowhere.
  func transaction(_ prepared: PreparedTransaction, ret: ContractResult?) -> JSON {
    transaction(prepared, ret: ret.map { .object(["contractRet": .string($0.name)]) })
  }

  /// The same with any content of its only `ret`.
  func transaction(_ prepared: PreparedTransaction, ret: JSON?) -> JSON {
    var object = JSONObject()
    if let ret { object.set("ret", .array([ret])) }
    object.set("signature", list: prepared.transaction.signatures.map { .string(Hex.encode($0)) })
    object.set("txID", .string(prepared.id.hex))
    object.set("raw_data", rawData(prepared.transaction.raw))
    object.set("raw_data_hex", .string(Hex.encode(prepared.rawBytes)))
    return .object(object)
  }

  private func rawData(_ raw: Transaction.RawData) -> JSON {
    var object = JSONObject()
    object.set("data", hex: raw.data)
    object.set("contract", .array(raw.contracts.map(contract)))
    object.set("ref_block_bytes", hex: raw.refBlockBytes)
    object.set("ref_block_num", integer: raw.refBlockNum)
    object.set("ref_block_hash", hex: raw.refBlockHash)
    object.set("expiration", integer: raw.expiration)
    object.set("scripts", hex: raw.scripts)
    object.set("timestamp", integer: raw.timestamp)
    object.set("fee_limit", integer: raw.feeLimit)
    return .object(object)
  }

  /// `TransactionInfo` (tron-protocol.md §4.3, real receipts).
  func info(_ included: IncludedTransaction) -> JSON {
    let receipt = included.receipt
    var object = JSONObject()
    object.set("id", .string(included.transaction.id.hex))
    object.set("fee", integer: receipt.fee)
    object.set("blockNumber", integer: included.blockNumber)
    object.set("blockTimeStamp", integer: included.blockTime)
    object.set("contractResult", .array([.string(Hex.encode(receipt.output))]))
    if let contract = receipt.contract { object.set("contract_address", .string(address(contract.bytes))) }
    var resources = JSONObject()
    resources.set("energy_usage", integer: receipt.energyUsage)
    resources.set("energy_fee", integer: receipt.energyFee)
    resources.set("origin_energy_usage", integer: receipt.originEnergyUsage)
    resources.set("energy_usage_total", integer: receipt.energyUsageTotal)
    resources.set("net_usage", integer: receipt.netUsage)
    resources.set("net_fee", integer: receipt.netFee)
    if receipt.result != .default { resources.set("result", .string(receipt.result.name)) }
    resources.set("energy_penalty_total", integer: receipt.energyPenaltyTotal)
    object.set("receipt", .object(resources))
    object.set("log", list: receipt.logs.map(log))
    if receipt.hasFailed {
      object.set("result", .string("FAILED"))
      object.set("resMessage", text: message(receipt.message))
    }
    return .object(object)
  }

  /// One event of a receipt or a constant call.
  func log(_ log: Log) -> JSON {
    var object = JSONObject()
    object.set("address", .string(logAddress(log.address)))
    object.set("topics", .array(log.topics.map { .string(Hex.encode($0)) }))
    object.set("data", hex: log.data)
    return .object(object)
  }

  /// A block; `transactions` is absent in an empty block or without detail.
  func block(_ block: Block, detail: Bool = true) -> JSON {
    var raw = JSONObject()
    raw.set("number", integer: block.header.number)
    raw.set("txTrieRoot", .string(block.header.transactionRoot.hex))
    set("witness_address", block.header.witness, in: &raw)
    raw.set("parentHash", .string(block.header.parentHash.hex))
    raw.set("version", integer: Int64(block.header.version))
    raw.set("timestamp", integer: block.header.timestamp)
    var header = JSONObject()
    header.set("raw_data", .object(raw))
    header.set("witness_signature", hex: block.witnessSignature)
    var object = JSONObject()
    object.set("blockID", .string(block.id.hex))
    object.set("block_header", .object(header))
    if detail {
      object.set(
        "transactions", list: block.transactions.map { transaction($0.transaction, ret: $0.receipt.contractRet) })
    }
    return .object(object)
  }
}
