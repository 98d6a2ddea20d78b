import Crypto
public import Payouts
import SwiftProtobuf

/// What a transaction pays.
public enum Payment: Sendable, Hashable {
  /// `transfer(recipient, amount)` of a TRC-20 token.
  case token(Address, recipient: Address, amount: Amount)
  /// TRX to an account.
  case trx(recipient: Address, amount: Sun)
}

/// Every field of a transfer's `raw_data` (reference §1.2); together they are its bytes, and its bytes are they.
public struct TransactionContents: Sendable, Hashable {
  /// Whose money it is.
  public let owner: Address
  /// Who gets how much of what.
  public let payment: Payment
  /// Bytes 6 and 7 of the reference block's number (reference §2.1).
  public let referenceBlockBytes: [UInt8]
  /// Bytes 8 to 15 of the reference block's id.
  public let referenceBlockHash: [UInt8]
  /// From when on no block can be built that holds it (reference §2.2).
  public let expiration: Timestamp
  /// Never validated by a node; makes the transaction unique (reference §1.4).
  public let timestamp: Timestamp
  /// The most that its energy may cost, staked energy included (reference §5.4); zero for TRX.
  public let feeLimit: Sun
  /// Which permission of the owner signs; nil is the owner permission (reference §6).
  public let permissionID: Int32?
  /// `raw_data.data`; costs a fee of its own.
  public let memo: [UInt8]?

  /// The Transfer event that the transaction's execution must log, exactly so; nil for TRX.
  public var expectedTransfer: TokenTransfer? {
    switch payment {
    case .token(let token, let recipient, let amount):
      TokenTransfer(token: token, sender: owner, recipient: recipient, amount: amount)
    case .trx: nil
    }
  }

  /// Who gets it.
  public var recipient: Address {
    switch payment {
    case .token(_, let recipient, _), .trx(let recipient, _): recipient
    }
  }

  /// The token's contract; nil for TRX.
  public var token: Address? {
    switch payment {
    case .token(let token, _, _): token
    case .trx: nil
    }
  }

  /// How much of the token; nil for TRX.
  public var amount: Amount? {
    switch payment {
    case .token(_, _, let amount): amount
    case .trx: nil
    }
  }

  /// Whether its times carry what a Signer writes of a reference into them: the top ten bits in the expiration, the
  /// milliseconds in the timestamp (DESIGN.md §3 point 1).
  public func carries(_ reference: Reference) -> Bool {
    expiration.milliseconds & 0x3ff == reference.topTenBits && timestamp.milliseconds % 1_000 == reference.milliseconds
  }

  /// Whether the transaction stands on this block.
  public func refers(to block: BlockID) -> Bool {
    referenceBlockBytes == [UInt8](block.bytes[6..<8]) && referenceBlockHash == [UInt8](block.bytes[8..<16])
  }
}

extension TransactionContents {
  /// Takes the fields apart again, and accepts only bytes that this module itself would have written: paired with
  /// `UnsignedTransaction`, so that what a database or a journal gives back is checked before it is sent.
  ///
  /// - Throws: `TransactionError.malformed` for bytes that are no canonical `raw_data`, `.unsupported` for another
  ///   contract than a plain TRX or TRC-20 transfer, `.invalidField` for fields that none of ours would have.
  public init(rawData: [UInt8]) throws(TransactionError) {
    let raw: Protocol_Transaction.raw = try decodeMessage(rawData, as: "raw_data")
    guard raw.contract.count == 1, let contract = raw.contract.first else {
      throw .unsupported("\(raw.contract.count) contracts, expected exactly one")
    }
    switch contract.type {
    case .triggerSmartContract:
      let call: Protocol_TriggerSmartContract = try decodeParameter(contract)
      guard let arguments = ABI.transferArguments([UInt8](call.data)) else {
        throw .unsupported("the call is no transfer(address,uint256) of an amount below 2^63")
      }
      owner = try readAddress(call.ownerAddress, "owner_address")
      let token = try readAddress(call.contractAddress, "contract_address")
      payment = .token(token, recipient: arguments.recipient, amount: arguments.amount)
    case .transferContract:
      let transfer: Protocol_TransferContract = try decodeParameter(contract)
      owner = try readAddress(transfer.ownerAddress, "owner_address")
      payment = .trx(
        recipient: try readAddress(transfer.toAddress, "to_address"), amount: Sun(transfer.amount))
    default: throw .unsupported("contract type \(contract.type.rawValue), expected 1 or 31")
    }
    referenceBlockBytes = [UInt8](raw.refBlockBytes)
    referenceBlockHash = [UInt8](raw.refBlockHash)
    expiration = Timestamp(milliseconds: raw.expiration)
    timestamp = Timestamp(milliseconds: raw.timestamp)
    feeLimit = Sun(raw.feeLimit)
    permissionID = contract.permissionID == 0 ? nil : contract.permissionID
    memo = raw.data.isEmpty ? nil : [UInt8](raw.data)
    try checkFields()
    // Fields that a transfer does not have, unknown ones, and any other spelling of the same fields end here.
    guard try encoded() == rawData else { throw .malformed("raw_data is not what its own fields encode to") }
  }

  /// The rules that hold for everything built and everything read back.
  /// - Throws: `TransactionError.invalidField`.
  func checkFields() throws(TransactionError) {
    guard referenceBlockBytes.count == 2, referenceBlockHash.count == 8 else {
      throw .invalidField("the reference block is not given by 2 and 8 bytes")
    }
    guard expiration.milliseconds > 0 else { throw .invalidField("the expiration is not after 1970") }
    guard timestamp.milliseconds > 0 else { throw .invalidField("the timestamp is not after 1970") }
    if let permissionID, permissionID < 0 || permissionID == 1 {
      throw .invalidField("permission \(permissionID) cannot sign transactions, expected 0 or 2 and up")
    }
    switch payment {
    case .token(_, _, let amount):
      guard amount > .zero else { throw .invalidField("the amount is zero") }
      guard feeLimit > Sun(0) else { throw .invalidField("the fee limit is \(feeLimit), expected more than zero") }
    case .trx(let recipient, let amount):
      guard amount > Sun(0) else { throw .invalidField("the amount is \(amount), expected more than zero") }
      guard owner != recipient else { throw .invalidField("owner and recipient are the same account") }
    }
  }

  /// The canonical `raw_data` (reference §1.3): ascending field numbers, nothing that has its default value.
  func encoded() throws(TransactionError) -> [UInt8] {
    var contract = Protocol_Transaction.Contract()
    contract.permissionID = permissionID ?? 0
    switch payment {
    case .token(let token, let recipient, let amount):
      contract.type = .triggerSmartContract
      var call = Protocol_TriggerSmartContract()
      call.ownerAddress = .init(owner.bytes)
      call.contractAddress = .init(token.bytes)
      call.data = .init(ABI.transferCall(to: recipient, amount: amount))
      contract.parameter = try encodeParameter(call)
    case .trx(let recipient, let amount):
      contract.type = .transferContract
      var transfer = Protocol_TransferContract()
      transfer.ownerAddress = .init(owner.bytes)
      transfer.toAddress = .init(recipient.bytes)
      transfer.amount = amount.count
      contract.parameter = try encodeParameter(transfer)
    }
    var raw = Protocol_Transaction.raw()
    raw.refBlockBytes = .init(referenceBlockBytes)
    raw.refBlockHash = .init(referenceBlockHash)
    raw.expiration = expiration.milliseconds
    raw.timestamp = timestamp.milliseconds
    raw.feeLimit = feeLimit.count
    raw.data = .init(memo ?? [])
    raw.contract = [contract]
    return try encodeMessage(raw)
  }
}

extension TxID {
  /// The txid of a serialized `raw_data` (reference §1.4).
  public init(hashing rawData: [UInt8]) { self.init(exactly: [UInt8](SHA256.hash(data: rawData))) }
}

private func readAddress(_ bytes: some Sequence<UInt8>, _ field: String) throws(TransactionError) -> Address {
  do { return try Address(bytes: [UInt8](bytes)) } catch { throw .malformed("\(field): \(error.reason)") }
}
