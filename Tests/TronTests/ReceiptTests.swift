// Proves the reading of receipts with the real ones that the protocol reference §4.3 quotes, and their comparison with a
// block's transactions.
import Foundation
import Payouts
import TestSupport
import Testing
import Tron

@Suite struct ReceiptTests {
  private static let from = "000000000000000000000000" + String(repeating: "0a", count: 20)
  private static let to = "000000000000000000000000" + String(repeating: "0b", count: 20)
  private static let value = String(repeating: "0", count: 58) + "3567e0"

  private static func receipt(_ id: String, _ rest: String, block: Int64 = 66_861_993) -> String {
    "[{\"id\":\"\(id)\",\"blockNumber\":\(block),\"blockTimeStamp\":1731235554000,\(rest)}]\n"
  }

  private static let paid = receipt(
    "b69c51db8f9d974e6a38c76852c8ce1adcb682dbacb25ad8ad4f6876121fe9dc",
    """
    "fee":345000,"contractResult":["\(String(repeating: "0", count: 64))"],\
    "contract_address":"41a614f803b6fd780986a42c78ec9c7f77e6ded13c","receipt":{"energy_usage":64285,\
    "energy_usage_total":64285,"net_fee":345000,"result":"SUCCESS","energy_penalty_total":49635},\
    "log":[{"address":"a614f803b6fd780986a42c78ec9c7f77e6ded13c","topics":[\
    "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef","\(from)","\(to)"],"data":"\(value)"}]
    """)

  private func only(_ text: String, block: Int64 = 66_861_993) async throws -> TransactionReceipt {
    let receipts = try await withNode(answering: { _ in .json(text) }) { try await $0.receipts(ofBlock: block, .solid) }
    #expect(receipts.count == 1)
    return try #require(receipts.first)
  }

  @Test func `a paid USDT transfer`() async throws {
    let receipt = try await only(Self.paid)
    #expect(receipt.txid.description == "b69c51db8f9d974e6a38c76852c8ce1adcb682dbacb25ad8ad4f6876121fe9dc")
    #expect(receipt.blockNumber == 66_861_993)
    #expect(receipt.blockTimestamp.milliseconds == 1_731_235_554_000)
    #expect(receipt.fee == Sun(345_000) && receipt.netFee == Sun(345_000) && receipt.netUsage == 0)
    #expect(receipt.energyUsed == 64_285)
    #expect(receipt.result == .success && !receipt.isFailed)
    let transfer = try #require(receipt.logs.first?.transfer)
    #expect(transfer.token == Vectors.token)
    #expect(transfer.sender.account == [UInt8](repeating: 0x0a, count: 20))
    #expect(transfer.recipient.account == [UInt8](repeating: 0x0b, count: 20))
    #expect(transfer.amount?.microUSDT == 3_500_000)
    #expect(EventLog(transfer) == receipt.logs[0])
  }

  @Test func `a transfer to a first holder, paid with staked energy and bandwidth`() async throws {
    let receipt = try await only(
      Self.receipt(
        "b69c51db8f9d974e6a38c76852c8ce1adcb682dbacb25ad8ad4f6876121fe9dc",
        "\"receipt\":{\"energy_usage\":130285,\"energy_usage_total\":130285,\"net_usage\":345,\"result\":\"SUCCESS\",\"energy_penalty_total\":100635}"
      ))
    #expect(receipt.fee == Sun(0) && receipt.netUsage == 345 && receipt.energyUsed == 130_285)
    #expect(receipt.logs.isEmpty)
  }

  private static let failedCalls: [(String, ContractResult, Int64, Int64)] = [
    (
      "\"fee\":16500120,\"contractResult\":[\"\"],\"receipt\":{\"energy_fee\":16500120,\"energy_usage_total\":78572,\"net_usage\":345,\"result\":\"OUT_OF_ENERGY\",\"energy_penalty_total\":25905},\"result\":\"FAILED\",\"resMessage\":\"4e6f7420656e\"",
      ContractResult.outOfEnergy, 16_500_120, 78_572
    ),
    (
      "\"fee\":99900000,\"receipt\":{\"energy_fee\":96996400,\"energy_usage_total\":96996400,\"net_fee\":2903600,\"result\":\"OUT_OF_TIME\"},\"result\":\"FAILED\"",
      .outOfTime, 99_900_000, 96_996_400
    ),
    (
      "\"fee\":8500,\"receipt\":{\"energy_fee\":8500,\"energy_usage_total\":85,\"net_usage\":314,\"result\":\"REVERT\"},\"result\":\"FAILED\"",
      .revert, 8_500, 85
    ),
  ]

  @Test(arguments: failedCalls)
  func `failed calls keep their names and costs`(
    rest: String, result: ContractResult, fee: Int64, energy: Int64
  ) async throws {
    let receipt = try await only(
      Self.receipt("e63a324a43aebfe41273db4f7fdfe325b2257b4f5711595a5fc0f8a75cf1b481", rest))
    #expect(receipt.result == result && receipt.isFailed && result.isNamedFailure)
    #expect(receipt.fee == Sun(fee) && receipt.energyUsed == energy && receipt.logs.isEmpty)
  }

  @Test func `a TRX transfer has no result`() async throws {
    let receipt = try await only(
      Self.receipt(
        "e63a324a43aebfe41273db4f7fdfe325b2257b4f5711595a5fc0f8a75cf1b481",
        "\"fee\":267000,\"contractResult\":[\"\"],\"receipt\":{\"net_fee\":267000}"))
    #expect(receipt.result == nil && !receipt.isFailed && receipt.fee == Sun(267_000))
  }

  @Test func `numbers above 2^53 and unknown results are kept as they are`() async throws {
    let receipt = try await only(
      Self.receipt(
        "e63a324a43aebfe41273db4f7fdfe325b2257b4f5711595a5fc0f8a75cf1b481",
        "\"fee\":9223372036854775807,\"receipt\":{\"energy_usage_total\":9007199254740993,\"result\":\"NEW_KIND\"}",
        block: 9_007_199_254_740_993), block: 9_007_199_254_740_993)
    #expect(receipt.fee == Sun(.max) && receipt.energyUsed == 9_007_199_254_740_993)
    #expect(receipt.result == .unrecognized("NEW_KIND"))
    #expect(receipt.result?.isNamedFailure == false)
  }

  @Test func `no receipts: an array or an object, both empty`() async throws {
    for text in ["[]", "{}"] {
      #expect(try await withNode(answering: { _ in .json(text) }) { try await $0.receipts(ofBlock: 1, .head) }.isEmpty)
    }
  }

  private static let contradictions: [(String, String, TronNodeError.Code)] = [
    ("\"blockNumber\":66861993", "\"blockNumber\":66861994", TronNodeError.Code.inconsistent),
    ("\"blockNumber\":66861993,", "", .missingValue), ("\"blockTimeStamp\":1731235554000,", "", .missingValue),
    ("\"blockTimeStamp\":1731235554000", "\"blockTimeStamp\":-1", .malformedAnswer),
    ("\"id\":\"b69c", "\"id\":\"9c", .malformedAnswer), ("\"fee\":345000", "\"fee\":345000.5", .malformedAnswer),
    ("\"address\":\"a614", "\"address\":\"14", .malformedAnswer),
    ("\"address\":\"a614", "\"address\":\"40a614", .malformedAnswer), ("\"data\":\"0", "\"data\":\"", .malformedAnswer),
    ("\"receipt\":", "\"result\":\"MAYBE\",\"receipt\":", .malformedAnswer),
  ]

  @Test(arguments: contradictions)
  func `a receipt of another block, or one that cannot be read, is refused`(
    part: String, other: String, code: TronNodeError.Code
  ) async throws {
    let text = Self.paid.replacingOccurrences(of: part, with: other)
    #expect(text != Self.paid)
    let error = try await failure(of: .json(text)) { node throws(TronNodeError) in
      _ = try await node.receipts(ofBlock: 66_861_993, .solid)
    }
    #expect(error?.code == code, "\(String(describing: error))")
  }

  private func block(_ transactions: [BlockTransaction]) -> Block {
    let header = BlockHeader(
      number: Vectors.block.number, id: Vectors.block, parentID: Vectors.block, timestamp: Vectors.timestamp,
      transactionRoot: [], witness: nil)
    return Block(header: header, transactions: transactions)
  }

  private func receipt(_ txid: TxID, block: Int64 = Vectors.block.number, time: Timestamp = Vectors.timestamp)
    -> TransactionReceipt
  {
    TransactionReceipt(
      txid: txid, blockNumber: block, blockTimestamp: time, fee: Sun(0), energyUsed: 0, netUsage: 0, netFee: Sun(0),
      result: nil, isFailed: false, logs: [])
  }

  @Test func `receipts match their block one for one, in any order, or say what is wrong`() throws {
    let transactions = try TransactionVectorTests.vectors.map {
      try BlockTransaction(rawData: hex($0.raw), contractResult: nil)
    }
    let block = block(transactions)
    let good = transactions.map { receipt($0.txid) }
    #expect(block.checkReceipts(good.reversed()) == .complete(good))
    #expect(block.checkReceipts([]) == .countDiffers(transactions: 3, receipts: 0))
    #expect(block.checkReceipts(good + [good[0]]) == .countDiffers(transactions: 3, receipts: 4))
    // A doubled receipt must not stand in for a missing one.
    #expect(block.checkReceipts([good[0], good[1], good[1]]) == .missing(transactions[2].txid))
    let elsewhere = receipt(transactions[1].txid, block: 5)
    #expect(
      block.checkReceipts([good[0], elsewhere, good[2]]) == .otherBlock(transactions[1].txid, blockNumber: 5))
    // A twin of the block on another branch has the same number and another time.
    let later = receipt(transactions[1].txid, time: Vectors.expiration)
    #expect(
      block.checkReceipts([good[0], later, good[2]])
        == .otherBlock(transactions[1].txid, blockNumber: Vectors.block.number))
    #expect(self.block([]).checkReceipts([]) == .complete([]))
  }
}
