import Payouts
import Synchronization
import Tron

/// A branch that a lying node makes up and holds to for a while: empty blocks of its own, each whole in itself and the next
/// one's parent, in place of all above a true one. Only by another node's word is it found out.
final class FalseBranch: Sendable {
  /// For so long it is told of.
  static let milliseconds: Int64 = 30_000

  private struct State {
    let base: Int64
    let until: Int64
    var ids: [Int64: BlockID] = [:]
  }

  private let state = Mutex<State?>(nil)

  /// From now on the node tells of no true block above that one.
  func begin(above base: Int64, at now: Int64) {
    state.withLock { $0 = State(base: base, until: now + Self.milliseconds) }
  }

  /// What it tells in a block's place; nil for the truth.
  func block(inPlaceOf truth: SimulatedChain.Produced, of chain: SimulatedChain, at now: Int64) -> Block? {
    state.withLock { state -> Block? in
      guard var present = state, now < present.until else { return nil }
      let header = truth.block.header
      guard header.number > present.base, let base = chain.produced(present.base, .head) else { return nil }
      // From the highest one on that it has made up already.
      let below = (present.base..<header.number).last { present.ids[$0] != nil } ?? present.base
      var parent = present.ids[below] ?? base.block.header.id
      let root = [UInt8](repeating: 0, count: 32)
      for number in below + 1..<header.number {
        parent = BlockHashing.blockID(number: number, headerRawData: parent.bytes + root)
        present.ids[number] = parent
      }
      let id =
        present.ids[header.number] ?? BlockHashing.blockID(number: header.number, headerRawData: parent.bytes + root)
      present.ids[header.number] = id
      state = present
      return Block(
        header: BlockHeader(
          number: header.number, id: id, parentID: parent, timestamp: header.timestamp, transactionRoot: root,
          witness: header.witness, isIDProven: true, signature: .byWitness),
        transactions: [], isBodyProven: true)
    }
  }
}
