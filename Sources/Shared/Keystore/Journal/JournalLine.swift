import Crypto
import FoundationEssentials
import Payouts

/// Who a journal belongs to: its first line.
struct JournalHeader: Sendable, Equatable {
  let id: [UInt8]
  let signer: String
  let wallet: Address
}

/// A line of a journal: 16 hex digits of SHA-256 of the rest, a space, and JSON that an auditor can read.
enum JournalLine {
  static func header(_ header: JournalHeader) throws -> [UInt8] {
    try line(
      HeaderRecord(
        journal: HeaderRecord.version, id: Hex.text(header.id), signer: header.signer, wallet: "\(header.wallet)"))
  }

  static func entry(_ entry: JournalEntry) throws -> [UInt8] { try line(EntryRecord(entry)) }

  static func parseHeader(_ line: ArraySlice<UInt8>) -> JournalHeader? {
    guard let record: HeaderRecord = parse(line), record.journal == HeaderRecord.version,
      let id = Hex.bytes(record.id), id.count == 16, let wallet = try? Address(record.wallet)
    else { return nil }
    return JournalHeader(id: id, signer: record.signer, wallet: wallet)
  }

  static func parseEntry(_ line: ArraySlice<UInt8>) -> JournalEntry? {
    guard let record: EntryRecord = parse(line) else { return nil }
    return try? record.entry()
  }

  private static let checksumDigits = 16

  private static func line(_ record: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let json = [UInt8](try encoder.encode(record))
    return checksum(json[...]) + [UInt8(ascii: " ")] + json + [UInt8(ascii: "\n")]
  }

  private static func parse<Record: Decodable>(_ line: ArraySlice<UInt8>) -> Record? {
    guard line.count > checksumDigits + 1 else { return nil }
    let json = line.dropFirst(checksumDigits + 1)
    guard [UInt8](line.prefix(checksumDigits)) == checksum(json) else { return nil }
    return try? JSONDecoder().decode(Record.self, from: Data(json))
  }

  private static func checksum(_ json: ArraySlice<UInt8>) -> [UInt8] {
    [UInt8](Hex.text(SHA256.hash(data: json).prefix(checksumDigits / 2)).utf8)
  }
}

private struct HeaderRecord: Codable {
  static let version = 1

  let journal: Int
  let id: String
  let signer: String
  let wallet: String
}

private struct EntryRecord: Codable {
  struct Payout: Codable {
    let payout: String
    let reference: String
    let attempt: Int
    let token: String
    let recipient: String
    let amount: String
  }

  let txid: String
  let wallet: String
  let signer: String
  let bytes: String
  let referenceBlock: Int64
  let headTimeMs: Int64
  let expirationMs: Int64
  let feeLimitSun: Int64
  let signedAtMs: Int64
  let payouts: [Payout]
  /// Left out where it pays payouts.
  let purpose: String?

  init(_ entry: JournalEntry) {
    txid = "\(entry.txid)"
    wallet = "\(entry.wallet)"
    signer = entry.signer
    bytes = Hex.text(entry.signedBytes)
    referenceBlock = entry.referenceBlockNumber
    headTimeMs = entry.headTime.milliseconds
    expirationMs = entry.expiration.milliseconds
    feeLimitSun = entry.feeLimit.count
    signedAtMs = entry.signedAt.milliseconds
    payouts = entry.payouts.map {
      Payout(
        payout: "\($0.payout)", reference: "\($0.reference)", attempt: $0.attemptNumber, token: "\($0.token)",
        recipient: "\($0.recipient)", amount: "\($0.amount)")
    }
    purpose = entry.purpose == .payouts ? nil : entry.purpose.rawValue
  }

  func entry() throws -> JournalEntry {
    guard let signedBytes = Hex.bytes(bytes) else { throw MalformedValue("journal entry", "bytes are no hex") }
    guard let purpose = JournalEntry.Purpose(rawValue: purpose ?? JournalEntry.Purpose.payouts.rawValue) else {
      throw MalformedValue("journal entry", "its purpose is none that this program knows")
    }
    return JournalEntry(
      txid: try TxID(hex: txid), wallet: try Address(wallet), signer: signer, signedBytes: signedBytes,
      referenceBlockNumber: referenceBlock, headTime: Timestamp(milliseconds: headTimeMs),
      expiration: Timestamp(milliseconds: expirationMs), feeLimit: Sun(feeLimitSun),
      signedAt: Timestamp(milliseconds: signedAtMs),
      payouts: try payouts.map {
        JournalPayout(
          payout: try PayoutID($0.payout), reference: try Reference(hex: $0.reference), attemptNumber: $0.attempt,
          token: try Address($0.token), recipient: try Address($0.recipient),
          amount: try Amount(decimal: $0.amount))
      }, purpose: purpose)
  }
}
