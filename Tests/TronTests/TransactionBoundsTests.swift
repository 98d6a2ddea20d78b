// Proves which fields a transaction may have, and that only bytes of our own making are read back.
import Foundation
import Payouts
import TestSupport
import Testing
import Tron

@Suite struct TransactionBoundsTests {
  private func transfer(
    amount: Int64 = 1, feeLimit: Int64 = 1, expiration: Int64 = 1, timestamp: Int64 = 1, permissionID: Int32? = nil,
    memo: [UInt8]? = nil
  ) throws -> UnsignedTransaction {
    try .tokenTransfer(
      owner: try TestKey.ones().address, token: Vectors.token, to: Vectors.recipient,
      amount: try Amount(microUSDT: amount), referenceBlock: Vectors.block,
      expiration: Timestamp(milliseconds: expiration), timestamp: Timestamp(milliseconds: timestamp),
      feeLimit: Sun(feeLimit), permissionID: permissionID, memo: memo)
  }

  private func trx(_ amount: Int64, to recipient: Address = Vectors.recipient) throws -> UnsignedTransaction {
    try .trxTransfer(
      owner: try TestKey.ones().address, to: recipient, amount: Sun(amount), referenceBlock: Vectors.block,
      expiration: Vectors.expiration, timestamp: Vectors.timestamp)
  }

  @Test func `the smallest and the largest fields are taken`() throws {
    for value in [1, Int64.max] {
      #expect(throws: Never.self) { try transfer(amount: value) }
      #expect(throws: Never.self) { try transfer(feeLimit: value) }
      #expect(throws: Never.self) { try transfer(expiration: value) }
      #expect(throws: Never.self) { try transfer(timestamp: value) }
      #expect(throws: Never.self) { try trx(value) }
    }
    for permission: Int32 in [0, 2, 9, .max] { #expect(throws: Never.self) { try transfer(permissionID: permission) } }
  }

  @Test func `the first fields beyond the bounds are refused`() throws {
    #expect(throws: TransactionError.self) { try transfer(amount: 0) }
    #expect(throws: TransactionError.self) { try trx(-1) }
    #expect(throws: TransactionError.self) { try trx(0) }
    for value in [0, -1, Int64.min] {
      #expect(throws: TransactionError.self) { try transfer(feeLimit: value) }
      #expect(throws: TransactionError.self) { try transfer(expiration: value) }
      #expect(throws: TransactionError.self) { try transfer(timestamp: value) }
    }
    for permission: Int32 in [1, -1, .min] {
      #expect(throws: TransactionError.self) { try transfer(permissionID: permission) }
    }
  }

  @Test func `TRX to oneself is refused, as a node would`() throws {
    let own = try TestKey.ones().address
    #expect(throws: TransactionError.self) { try trx(1, to: own) }
  }

  @Test func `owner permission and no memo are left out, however they are spelled`() throws {
    let plain = try transfer()
    #expect(try transfer(permissionID: 0) == plain)
    #expect(try transfer(memo: []) == plain)
  }

  @Test func `a memo fits up to the size that a node takes, and not a byte more`() throws {
    let overhead = try transfer(memo: [UInt8](repeating: 7, count: 500_000)).rawData.count - 500_000
    let most = UnsignedTransaction.rawDataSizeMax - overhead
    let largest = try transfer(memo: [UInt8](repeating: 7, count: most)).signed(by: TestKey.ones())
    #expect(largest.bytes.count <= 511_872)
    #expect(try SignedTransaction(bytes: largest.bytes) == largest)
    #expect(throws: TransactionError.self) { try transfer(memo: [UInt8](repeating: 7, count: most + 1)) }
  }

  // Whatever bit flips in a journal or a database: the bytes are refused, or they are visibly signed by a stranger.
  @Test func `no flipped bit passes for the same payment`() throws {
    let key = try TestKey.ones()
    let signed = try Vectors.usdt(permissionID: 2, memo: [1, 2, 3]).signed(by: key)
    for index in signed.bytes.indices {
      for bit in 0..<8 {
        var bytes = signed.bytes
        bytes[index] ^= 1 << UInt8(bit)
        guard let read = try? SignedTransaction(bytes: bytes) else { continue }
        #expect(read.signer != key.address, "byte \(index), bit \(bit)")
      }
    }
  }

  @Test func `no prefix and no extension of a signed transaction is read`() throws {
    let signed = try Vectors.trx().signed(by: TestKey.ones())
    for count in 0..<signed.bytes.count {
      #expect(throws: TransactionError.self) { try SignedTransaction(bytes: [UInt8](signed.bytes.prefix(count))) }
    }
    // A second signature, a result, an unknown field, a byte.
    let signature = [UInt8](signed.bytes.suffix(65))
    let extras: [[UInt8]] = [[0x12, 65] + signature, [0x2a, 0], [0x2a, 2, 0x18, 1], [0x78, 1], [0]]
    for extra in extras {
      #expect(throws: TransactionError.self) { try SignedTransaction(bytes: signed.bytes + extra) }
    }
  }

  /// `raw_data` of vector C with its parts put together anew.
  private func raw(
    contract: String =
      "5a67080112630a2d747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e5472616e73666572436f6e747261637412320a15411a642f0e3c3af545e7acbd38b07251b3990914f11215417e5f4552091a69125d5dfcb7b8c2659029395bdf18c0843d",
    tail: String = ""
  ) -> [UInt8] {
    hex("0a02266b2208f6b6d392f654dc2e40b8ae83c0dd33" + contract + "70f385fcbfdd33" + tail)
  }

  @Test func `other spellings of the same transaction, which a node would name differently, are refused`() throws {
    #expect(throws: Never.self) { try TransactionContents(rawData: raw()) }
    // fee_limit = 0 written out; a longer varint; scripts; an unknown field.
    for tail in ["900100", "90018100", "620100", "f80101"] {
      #expect(throws: TransactionError.self) { try TransactionContents(rawData: raw(tail: tail)) }
    }
    let contract =
      "5a67080112630a2d747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e5472616e73666572436f6e747261637412320a15411a642f0e3c3af545e7acbd38b07251b3990914f11215417e5f4552091a69125d5dfcb7b8c2659029395bdf18c0843d"
    // Two contracts, none, another type with the same message, and provider set.
    for other in [
      contract + contract, "", contract.replacingOccurrences(of: "5a670801", with: "5a670802"),
      contract.replacingOccurrences(of: "5a670801", with: "5a6a0801") + "1a0101",
    ] {
      #expect(throws: TransactionError.self) { try TransactionContents(rawData: raw(contract: other)) }
    }
    // The same without its amount, all lengths right: canonical, and still nothing of ours.
    let worthless = contract.replacingOccurrences(of: "5a67080112630a2d", with: "5a630801125f0a2d")
      .replacingOccurrences(of: "12320a15", with: "122e0a15").replacingOccurrences(of: "18c0843d", with: "")
    #expect(throws: TransactionError.invalidField("the amount is 0 sun, expected more than zero")) {
      try TransactionContents(rawData: raw(contract: worthless))
    }
    #expect(throws: TransactionError.self) { try TransactionContents(rawData: []) }
    #expect(throws: TransactionError.self) { try TransactionContents(rawData: [0xff]) }
  }
}
