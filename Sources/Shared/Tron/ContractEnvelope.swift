import Payouts

/// What every transaction in a block has, whatever it does: a contract type and, nearly always, an owner.
struct ContractEnvelope {
  let contractType: Int32
  /// Nil where the contract carries no address of 21 bytes beginning with 0x41 (the genesis block's have a text).
  let owner: Address?
  /// From when on no block can be built that holds it (reference §2.2).
  let expiration: Timestamp

  /// - Throws: `TransactionError.malformed` where the bytes are no `raw_data` with a contract.
  init(rawData: [UInt8]) throws(TransactionError) {
    let raw: Protocol_Transaction.raw = try decodeMessage(rawData, as: "raw_data")
    guard let contract = raw.contract.first else { throw .malformed("raw_data holds no contract") }
    contractType = Int32(contract.type.rawValue)
    expiration = Timestamp(milliseconds: raw.expiration)
    let parameter = [UInt8](contract.parameter.value)
    // Three types put another field first (java-tron account_contract.proto, asset_issue_contract.proto).
    let bytes: [UInt8]
    switch contract.type {
    case .transferAssetContract, .accountUpdateContract, .setAccountIDContract:
      let second: Envelope_OwnerSecond = try decodeMessage(parameter, as: "the contract's parameter")
      bytes = [UInt8](second.ownerAddress)
    case .accountCreateContract, .transferContract, .triggerSmartContract, .UNRECOGNIZED:
      let first: Envelope_OwnerFirst = try decodeMessage(parameter, as: "the contract's parameter")
      bytes = [UInt8](first.ownerAddress)
    }
    owner = try? Address(bytes: bytes)
  }
}
