import Payouts
import Tron

/// What happens by itself: blocks and accidents.
extension SimulatedWorld {
  /// Slot after slot: a block, or an accident. Accidents end when the world has become calm.
  /// - Throws: `CancellationError` when the world is over.
  func rule() async throws {
    while true {
      try await host.sleep(until: (host.now / 3_000 + 1) * 3_000)
      database.backUp(disks.marks)
      let isCalm = host.now >= Self.beginning + settings.calmAfter
      if isCalm {
        clocks.setRight()
        chain.freezeSolid(until: 0)
        chain.halt(until: 0)
        for index in 0..<settings.replicas { disks.setAway(index, until: 0) }
        chain.produce(at: host.now)
      } else {
        await passSlot()
      }
    }
  }

  private func passSlot() async {
    let sent = chain.broadcasts
    let pending = chain.pending
    let accidents = self.accidents.accidents(
      inSlot: (host.now - Self.beginning) / 3_000, processes: livingProcesses, sent: sent.count,
      pending: sent.indices.filter { pending.contains(sent[$0].txid) })
    var leftOut: Set<TxID> = []
    // A smaller world lacks the Signers to which some happened in the one that is being shortened.
    for accident in accidents where accident.signer ?? 0 < settings.replicas {
      switch accident {
      case .kill(let name): kill(name)
      case .flush:
        redis.start { [streams, oracle] in
          await streams.flushAll()
          oracle.forgotLog()
        }
      case .restart:
        database.restart()
        oracle.noteStarted(at: host.now)
      case .restore(let slots, let losesAcceptances): goBack(slots, losesAcceptances)
      case .snapshot(let slots): takeBack(slots)
      case .diskLost(let index):
        disks.lose(index)
        kill(Self.process(of: index))
      case .diskFound(let index): disks.find(index)
      case .away(let index, let slots):
        disks.setAway(index, until: host.now + slots * 3_000)
        kill(Self.process(of: index))
      case .strange(let stranger): act(stranger)
      case .clock(let name, let milliseconds): clocks.setAhead(name, by: milliseconds)
      case .forgetting: chain.dropPending()
      case .fork(let depth, let pendsAgain): chain.fork(depth: depth, at: host.now, pendsAgain: pendsAgain)
      case .missedSlot: continue
      case .frozen(let slots): chain.freezeSolid(until: host.now + slots * 3_000)
      case .halted(let slots): chain.halt(until: host.now + slots * 3_000)
      case .failing(let place, let isOutOfTime):
        guard sent.indices.contains(place) else { continue }
        chain.setResult(isOutOfTime ? .outOfTime : .outOfEnergy, of: sent[place].txid)
      case .leftOut(let place):
        guard sent.indices.contains(place) else { continue }
        leftOut.insert(sent[place].txid)
      }
    }
    guard !accidents.contains(.missedSlot) else { return }
    chain.produce(at: host.now) { !leftOut.contains($0) }
  }

  private static func process(of signer: Int) -> String { "\(WorkerKind.signer.rawValue)-\(signer + 1)" }

  /// How the backup is put back follows from its age, so that a listed accident tells it too.
  private func goBack(_ slots: Int, _ losesAcceptances: Bool) {
    let restored = database.goBack(slots: slots, losesAcceptances: losesAcceptances, by: Restoration(slots))
    guard let restored else { return }
    disks.forgetBrought()
    oracle.noteRestored(hasLost: restored.hasLost, at: host.now)
  }

  /// One snapshot took server and disks.
  private func takeBack(_ slots: Int) {
    let restored = database.goBack(
      slots: slots, losesAcceptances: settings.losesAcceptances, by: .fileCopy)
    guard let restored else { return }
    disks.forgetBrought()
    disks.goBack(to: restored.backup.disks)
    oracle.noteRestored(hasLost: restored.hasLost, at: host.now)
    for index in 0..<settings.replicas { kill(Self.process(of: index)) }
  }
}
