import Ledger
package import Payouts
package import Tron

/// What the solid chain holds of a transaction that the fence found: read from a node, never from the database.
enum SolidReading: Sendable {
  /// The chain is solid only up to a block before it: read again later.
  case notSolid
  /// The solid block at that place does not hold it: a fork moved or dropped it.
  case notThere
  /// It is no transfer of the token by the wallet's own key alone, so that no Signer of ours signed it.
  case foreign(String)
  /// A transfer as Signers sign them.
  case transfer(SolidTransfer)
}

/// A transfer of the token by a wallet, in a solid block.
struct SolidTransfer: Sendable {
  let signed: SignedTransaction
  let transfer: ExpectedTransfer
  /// The block it refers to.
  let referenceBlockNumber: Int64
  let block: BlockPlace
  /// What point 5 of DESIGN.md §3 makes of it; Monitor judges it anew once it is adopted.
  let verdict: TransactionVerdict

  /// Whether nothing moved.
  var hasFailed: Bool { if case .failedOnChain = verdict { true } else { false } }
}

/// Reads transactions in solid blocks.
package struct FindTransaction: Sendable {
  let node: any TronNode
  let token: Address

  /// - Parameter token: the one that is paid.
  package init(node: any TronNode, token: Address) {
    self.node = node
    self.token = token
  }

  /// Reads a transaction of a wallet where it was last seen, by a quorum's word.
  func read(_ txid: TxID, of wallet: Address, inBlock number: Int64) async throws -> SolidReading {
    var isReached = false
    do {
      return try await node.round(of: .solid, reaching: number) { round in
        isReached = true
        let block = try await agreedBlock(number, round)
        guard let entry = try await entry(of: txid, in: block, round) else { return .notThere }
        return try await reading(of: entry, in: block, by: wallet, round)
      }
    } catch ChainReadError.absent(number) where !isReached { return .notSolid }
  }

  /// The transaction in a block, with a receipt that a quorum gives; nil where the block does not hold it.
  private func entry(of txid: TxID, in block: ReadBlock, _ round: NodeRound) async throws -> ReadBlock.Entry? {
    guard let entry = block.entries.first(where: { $0.transaction.txid == txid }) else {
      // What is not in a body that nobody could prove may be in the block.
      guard block.isBodyProven else { throw ChainReadError.unproven(block.place.number) }
      return nil
    }
    try await round.agreeOnReceipts(of: [txid], in: block, noting: DisagreementLog())
    return entry
  }

  /// A solid block whose header and body a quorum gives.
  private func agreedBlock(_ number: Int64, _ round: NodeRound) async throws -> ReadBlock {
    guard let block = try await round.node.readBlock(number, .solid, known: round.latest) else {
      throw ChainReadError.absent(number)
    }
    let log = DisagreementLog()
    try await round.agree(on: block.header, .solid, noting: log)
    return try await round.agreeOnBody(of: block, noting: log)
  }

  /// How much of the token a transaction in a solid block moved from one account to another, by its receipt; nil where it
  /// did not succeed, or is not there. Block and receipt are those that a quorum gives, for a yes and for a no: nobody judges
  /// it again, and whoever is told no pays another way.
  ///
  /// - Throws: `ChainReadError.absent` where no node that answers has the block solid.
  func moved(
    by txid: TxID, from wallet: Address, to recipient: Address, inBlock number: Int64
  ) async throws -> String? {
    try await node.round(of: .solid, reaching: number) { round in
      let block = try await agreedBlock(number, round)
      guard let entry = try await entry(of: txid, in: block, round), entry.receipt.result == .success,
        !entry.receipt.isFailed
      else { return nil }
      let transfers = entry.receipt.logs.filter { $0.address == token }.compactMap(\.transfer)
      return transfers.first { $0.sender == wallet && $0.recipient == recipient && !$0.isZero }
        .map { $0.amount?.description ?? "more than any amount" }
    }
  }

  private func reading(
    of entry: ReadBlock.Entry, in block: ReadBlock, by wallet: Address, _ round: NodeRound
  ) async throws -> SolidReading {
    let signed: SignedTransaction
    do { signed = try SignedTransaction(entry.transaction) } catch { return .foreign("\(error)") }
    guard signed.owner == wallet, signed.signer == wallet else {
      return .foreign("another key than the wallet's signed it")
    }
    guard case .token(token, let recipient, let amount) = signed.payment else {
      return .foreign("it is no transfer of the token that is paid")
    }
    guard let reference = try await referenceBlock(of: signed, below: block.place.number, round) else {
      return .foreign("it refers to no block of this chain")
    }
    let transfer = ExpectedTransfer(token: token, from: wallet, to: recipient, amount: amount)
    return .transfer(
      SolidTransfer(
        signed: signed, transfer: transfer, referenceBlockNumber: reference, block: block.place,
        verdict: .judge(entry, at: block.place, expected: [transfer])))
  }

  /// The bytes carry the last sixteen bits of its number, and eight bytes of its id (reference §2.1). That it refers to no
  /// block is a quorum's word: nobody of ours signs such.
  private func referenceBlock(
    of signed: SignedTransaction, below number: Int64, _ round: NodeRound
  ) async throws -> Int64? {
    let low = signed.contents.referenceBlockBytes.reduce(Int64(0)) { $0 << 8 | Int64($1) }
    var candidate = number & ~0xffff | low
    if candidate >= number { candidate -= 0x10000 }
    guard candidate >= 0 else { return nil }
    guard let header = try await round.node.header(candidate, .solid) else { throw ChainReadError.absent(candidate) }
    if signed.contents.refers(to: header.id) { return candidate }
    try await round.agree(on: header, .solid, noting: DisagreementLog())
    return nil
  }
}
