import Payouts
import Synchronization
import Tron

/// Which node told this process of the newest block. In memory only: after a start, and where a replica stored the block, a
/// fork is seen once it is longer.
final class HeadSource: Sendable {
  private struct Told {
    let node: Int
    let block: BlockID
    /// The block above it that this node had us undo.
    var left: BlockID?
  }

  /// Within so many milliseconds undoings are counted together.
  static let undoingsMilliseconds: Int64 = 600_000

  private let last = Mutex<Told?>(nil)
  private let undoings = Mutex<[Int: [Timestamp]]>([:])

  /// It was this node, by its place in `TRON_RPC_URL`, and this block.
  func note(_ node: Int, of block: BlockID, left: BlockID? = nil) {
    last.withLock { $0 = Told(node: node, block: block, left: left) }
  }

  /// Whether this node now tells of the block that it just had us undo. Asked again it may: its chain may have gone over twice.
  func takesBack(_ node: Int, _ block: BlockID) -> Bool {
    last.withLock { last in
      guard let told = last, told.node == node, told.left == block else { return false }
      last?.left = nil
      return true
    }
  }

  /// Which node told of this block, where that is known.
  func node(of block: BlockID) -> Int? { last.withLock { $0?.block == block ? $0?.node : nil } }

  /// Whether this node told of this block.
  func isNode(_ node: Int, of block: BlockID) -> Bool { self.node(of: block) == node }

  /// This node had us undo blocks.
  ///
  /// - Returns: how often it did lately. A clock that is set back begins anew.
  func countUndoing(by node: Int, at now: Timestamp) -> Int {
    undoings.withLock { undoings in
      let recent = undoings[node, default: []].filter {
        (0..<Self.undoingsMilliseconds).contains(now.milliseconds(since: $0))
      }
      undoings[node] = recent + [now]
      return recent.count + 1
    }
  }
}
