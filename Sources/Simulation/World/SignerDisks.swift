import Payouts
import Synchronization

/// The disks of all Signers of a world: those in place, those that are lost, those that were found again.
final class SignerDisks: Sendable {
  private struct Place {
    var present: SimulatedDisk?
    var lost: [SimulatedDisk] = []
    /// Found again, or taken out of their place by the operator: they can be read.
    var atHand: [SimulatedDisk] = []
    /// Journals of which the operator has brought all.
    var brought: Set<[UInt8]> = []
    var awayUntil: Int64 = 0
  }

  private let places: Mutex<[Place]>

  /// Each with a journal of its own.
  init(_ ids: [[UInt8]]) { places = Mutex(ids.map { Place(present: SimulatedDisk(id: $0)) }) }

  /// The disk that a Signer's process finds.
  func present(_ index: Int) -> SimulatedDisk? { places.withLock { $0[index].present } }

  /// What the operator can read besides.
  func atHand(_ index: Int) -> [SimulatedDisk] {
    places.withLock { places in places[index].atHand.filter { !places[index].brought.contains($0.id) } }
  }

  /// How far each journal goes.
  var marks: [SimulatedDatabase.DiskMark] {
    places.withLock { $0.map { .init(id: $0.present?.id, count: $0.present?.held.count ?? 0) } }
  }

  /// The disk of a Signer is gone.
  func lose(_ index: Int) {
    places.withLock { places in
      if let disk = places[index].present { places[index].lost.append(disk) }
      places[index].present = nil
    }
  }

  /// What was lost is there again, beside what has taken its place.
  func find(_ index: Int) {
    places.withLock { places in
      places[index].atHand += places[index].lost
      places[index].lost = []
    }
  }

  /// Puts a disk in place; the one that stood there is at hand.
  func place(_ disk: SimulatedDisk, _ index: Int) {
    places.withLock { places in
      places[index].atHand.removeAll { $0.id == disk.id }
      if let old = places[index].present { places[index].atHand.append(old) }
      places[index].present = disk
    }
  }

  /// Puts the disks back as they were: the same ones where they are still known, with what they held then.
  func goBack(to marks: [SimulatedDatabase.DiskMark]) {
    places.withLock { places in
      for (index, mark) in marks.enumerated() where places.indices.contains(index) {
        let known = [places[index].present].compactMap { $0 } + places[index].atHand + places[index].lost
        guard let disk = known.first(where: { $0.id == mark.id }) else { continue }
        disk.keep(first: mark.count)
        places[index].lost.removeAll { $0.id == disk.id }
        places[index].atHand.removeAll { $0.id == disk.id }
        places[index].brought.remove(disk.id)
        if let present = places[index].present, present.id != disk.id { places[index].atHand.append(present) }
        places[index].present = disk
      }
    }
  }

  /// All of it is in the ledger.
  func noteBrought(_ id: [UInt8], _ index: Int) { places.withLock { _ = $0[index].brought.insert(id) } }

  /// After a restore what was brought may be missing again.
  func forgetBrought() { places.withLock { places in for index in places.indices { places[index].brought = [] } } }

  /// A Signer's machine is away until then; nobody is any more with 0.
  func setAway(_ index: Int, until moment: Int64) { places.withLock { $0[index].awayUntil = moment } }

  /// Until when it is away.
  func awayUntil(_ index: Int) -> Int64 { places.withLock { $0[index].awayUntil } }
}
