import Foundation
import Glibc
import Payouts
import Synchronization
import TestSupport
import Testing

@testable import Keystore
@testable import Simulation

/// The implementations of `Journal` that must behave alike.
enum JournalKind: String, CaseIterable, Sendable {
  case file, simulated, memory
}

/// What goes wrong between one opening of a journal and the next.
struct JournalPlan: Sendable, CustomStringConvertible {
  var happening: Happening?
  /// At which of its writes, from 1 on.
  var number = 1
  /// What is asked while the disk hangs; calls that do not wait for it.
  var asked: [JournalCall] = []

  var description: String { happening.map { "\($0.rawValue) at write \(number)" } ?? "all goes well" }
}

/// A call of the protocol.
enum JournalCall: Sendable, CustomStringConvertible {
  case identity
  case adopt(ServerLife = JournalSample.life())
  case append([JournalEntry], under: ServerLife = JournalSample.life())
  case entries
  case holds(TxID)
  case attempts(Reference)
  case amount(since: Int64 = 0, except: Set<TxID> = [])

  /// What it comes to where it does not wait; nil where it does.
  func atOnce(_ journal: any Journal) throws -> JournalAnswer? {
    switch self {
    case .identity: .identity(journal.id, journal.wallet)
    case .holds(let txid): .holds(journal.holds(txid))
    case .attempts(let reference): .entries(try journal.attempts(of: reference))
    case .amount(let time, let unpaid):
      .amount(journal.amountSigned(since: Timestamp(milliseconds: time), except: unpaid).microUSDT)
    case .adopt, .append, .entries: nil
    }
  }

  /// What it comes to.
  func answer(_ journal: any Journal) async -> JournalAnswer {
    do {
      switch self {
      case .adopt(let life): await journal.adopt(life)
      case .append(let entries, let life): try await journal.append(entries, under: life)
      case .entries: return .entries(try await journal.entries())
      case .identity, .holds, .attempts, .amount: return try atOnce(journal) ?? .done
      }
      return .done
    } catch JournalError.anotherLife {
      return .anotherLife
    } catch JournalError.io {
      return .inputOutput
    } catch JournalError.unusable {
      return .unusable
    } catch {
      return .failed("\(error)")
    }
  }

  var description: String {
    switch self {
    case .identity: "identity"
    case .adopt(let life): "adopt \(life.startMicroseconds)"
    case .append(let entries, let life): "append \(JournalSample.numbers(entries)) under \(life.startMicroseconds)"
    case .entries: "entries"
    case .holds(let txid): "holds \(txid.bytes[31])"
    case .attempts(let reference): "attempts \(reference.bytes[31])"
    case .amount(let time, let unpaid): "amount since \(time) except \(unpaid.map { $0.bytes[31] }.sorted())"
    }
  }
}

/// What a call comes to: all that a caller can tell apart but for texts and numbers of errors, which are for people.
enum JournalAnswer: Sendable, Hashable, CustomStringConvertible {
  case done
  case identity([UInt8], Address)
  case entries([JournalEntry])
  case holds(Bool)
  /// In micro-USDT.
  case amount(Int64)
  case anotherLife
  case inputOutput
  case unusable
  case failed(String)
  /// Done after the disk hung, with what was answered meanwhile.
  case hung([JournalAnswer])
  /// The process died, and so many entries of its group are on disk.
  case died(kept: Int)

  var description: String {
    switch self {
    case .done: "done"
    case .identity(let id, let wallet): "identity \(id) \(wallet)"
    case .entries(let entries): "entries \(JournalSample.numbers(entries))"
    case .holds(let isHeld): "holds \(isHeld)"
    case .amount(let amount): "amount \(amount)"
    case .anotherLife: "anotherLife"
    case .inputOutput: "inputOutput"
    case .unusable: "unusable"
    case .failed(let error): "failed \(error)"
    case .hung(let answers): "hung \(answers)"
    case .died(let kept): "died \(kept)"
    }
  }
}

/// A call, and what it is to come to.
typealias JournalStep = (JournalCall, JournalAnswer)

/// One implementation of the journal, with a disk that fails and a process that dies as planned.
protocol JournalStand: AnyObject {
  /// Opens the journal as the next process does, after the last one has ended or died.
  func open(_ plan: JournalPlan) async throws
  /// What a call comes to.
  func answer(_ call: JournalCall) async throws -> JournalAnswer
  /// Gives back what it takes.
  func end() async throws
}

extension JournalStand {
  /// Makes calls, one after the other, and compares what they come to.
  func expect(_ steps: JournalStep..., at location: SourceLocation = #_sourceLocation) async throws {
    try await follow(steps, "", location)
  }

  /// The same, and once more after the next opening.
  func expectTwice(_ steps: JournalStep..., at location: SourceLocation = #_sourceLocation) async throws {
    try await follow(steps, "", location)
    try await open(JournalPlan())
    try await follow(steps, ", opened again", location)
  }

  private func follow(_ steps: [JournalStep], _ when: String, _ location: SourceLocation) async throws {
    for (number, step) in steps.enumerated() {
      let came = try await answer(step.0)
      #expect(came == step.1, "step \(number + 1)\(when): \(step.0)", sourceLocation: location)
    }
  }
}

extension JournalConformanceTests {
  /// Runs a test on an implementation that is empty and open, and has adopted the life that calls name by default.
  func withJournal(
    _ kind: JournalKind, _ plan: JournalPlan = JournalPlan(), _ test: (any JournalStand) async throws -> Void
  ) async throws {
    // Only on a disk of its own can a file meet a full one.
    let disk: SmallDisk? = if kind == .file, plan.happening == .failsBefore { try await mountedDisk() } else { nil }
    let stand = try makeStand(kind, disk)
    let result: Result<Void, any Error>
    do {
      try await stand.open(plan)
      try await stand.expect((.adopt(), .done))
      result = .success(try await test(stand))
    } catch { result = .failure(error) }
    try await stand.end()
    try await disk?.unmount()
    try result.get()
  }

  /// The same where it holds the first entry, and the disk has refused to sync the second one, which is written.
  func withFailedSync(_ kind: JournalKind, _ test: (any JournalStand) async throws -> Void) async throws {
    let (first, second) = (try JournalSample.entry(1), try JournalSample.entry(2))
    try await withJournal(kind, JournalPlan(happening: .answerIsLost, number: 2)) { stand in
      try await stand.expect((.append([first]), .done), (.append([second]), .inputOutput))
      try await test(stand)
    }
  }

  /// An implementation that is empty, and not open.
  func makeStand(_ kind: JournalKind, _ disk: SmallDisk? = nil) throws -> any JournalStand {
    switch kind {
    case .file: try FileStand(disk)
    case .simulated: SimulatedStand()
    case .memory: MemoryStand()
    }
  }

  /// A disk that can be filled.
  func mountedDisk() async throws -> SmallDisk {
    let disk = try await SmallDisk.mount(megabytes: 1)
    return try #require(disk, "no file system can be mounted here, so no disk gets full: run it as root")
  }
}

/// The fsync of a journal's file, with what comes before it.
private final class JournalSyncs: Sendable {
  private struct State {
    var count = 0
    var obstacle: (@Sendable () -> Int32)?
  }

  private let state = Mutex(State())

  var count: Int { state.withLock { $0.count } }

  /// - Parameter obstacle: 0, or the error that the disk answers.
  func set(_ obstacle: (@Sendable () -> Int32)?) { state.withLock { $0.obstacle = obstacle } }

  func sync(_ descriptor: Int32) -> Int32 {
    let obstacle = state.withLock { state in
      state.count += 1
      return state.obstacle
    }
    let number = obstacle?() ?? 0
    guard number != 0 else { return Glibc.fsync(descriptor) }
    errno = number
    return -1
  }
}

/// `FileJournal`. Its process cannot die alone: in a death this one lets go of the journal, and cuts the file to what
/// was written by then.
final class FileStand: JournalStand {
  /// How many lines of the group in which the process dies are whole, where it dies in the middle.
  var linesKept = 1
  private let folder: String
  /// What fills the disk; in a folder that is not there, so that no other disk is ever filled.
  private let ballast: String
  private let syncs = JournalSyncs()
  private var journal: FileJournal?
  private var plan = JournalPlan()
  private var writes = 0

  private var path: String { FileJournal.path(directory: folder, signer: JournalSample.signer) }

  init(_ disk: SmallDisk?) throws {
    ballast = "\(disk?.folder ?? "/nowhere")/ballast"
    folder = try JournalSample.newFolder(in: disk?.folder ?? FileManager.default.temporaryDirectory.path)
    try FileJournal.create(
      directory: folder, signer: JournalSample.signer, wallet: JournalSample.wallet, id: JournalSample.journalID)
  }

  func open(_ plan: JournalPlan) async throws {
    (self.plan, writes, journal) = (plan, 0, nil)
    let (folder, syncs) = (folder, syncs)
    let opened = Mutex<FileJournal?>(nil)
    // The thread of the last one may still hold it for a moment, or a child of another test before its exec.
    try await eventually("the journal's lock is free") {
      do {
        let new = try FileJournal.open(directory: folder, signer: JournalSample.signer, fsync: { syncs.sync($0) })
        opened.withLock { $0 = new }
        return true
      } catch JournalError.locked {
        return false
      }
    }
    journal = opened.withLock { $0 }
  }

  func answer(_ call: JournalCall) async throws -> JournalAnswer {
    guard let journal else { return .died(kept: 0) }
    guard case .append = call else { return await call.answer(journal) }
    let happening = writes + 1 == plan.number ? plan.happening : nil
    let told = Mutex<[JournalAnswer]>([])
    switch happening {
    case .failsBefore: fillDisk(ballast)
    case .answerIsLost: syncs.set { EIO }
    case .hangs:
      let asked = plan.asked
      syncs.set {
        let answers = asked.compactMap { try? $0.atOnce(journal) }
        told.withLock { $0 = answers }
        return 0
      }
    default: break
    }
    let (length, count) = (try contents().count, syncs.count)
    let came = await call.answer(journal)
    syncs.set(nil)
    unlink(ballast)
    // An append that came to no write is none.
    guard syncs.count > count else { return came }
    writes += 1
    switch happening {
    case .hangs: return came == .done ? .hung(told.withLock { $0 }) : came
    case .crashesBefore: return try die(keeping: 0, after: length)
    case .crashesWithin: return try die(keeping: linesKept, after: length, halfMore: true)
    case .crashesAfter: return try die(keeping: .max, after: length)
    default: return came
    }
  }

  func end() async throws {
    journal = nil
    try FileManager.default.removeItem(atPath: folder)
  }

  private func contents() throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

  /// Ends the process at a moment when the file held so many lines more than before.
  private func die(keeping wanted: Int, after length: Int, halfMore: Bool = false) throws -> JournalAnswer {
    journal = nil
    let lines = try contents()[length...].split(separator: UInt8(ascii: "\n"))
    let kept = min(wanted, lines.count)
    var end = length + lines[..<kept].reduce(0) { $0 + $1.count + 1 }
    if halfMore, kept < lines.count { end += lines[kept].count / 2 }
    let outcome = truncate(path, off_t(end))
    try #require(outcome == 0)
    return .died(kept: kept)
  }
}

/// Fills the disk of a path to its last page.
private func fillDisk(_ path: String) {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
  defer { close(descriptor) }
  let bytes = [UInt8](repeating: 1, count: 65_536)
  while write(descriptor, bytes, bytes.count) > 0 {}
}

/// `SimulatedJournal`, in a world that holds nothing else.
private final class SimulatedStand: JournalStand {
  private struct Opened {
    let plan: JournalPlan
    let process: SimulatedProcess
    let gate: FaultGate
    let journal: SimulatedJournal
  }

  private static let seed: UInt64 = 7

  private let host = SimulationHost(seed: SimulatedStand.seed, start: SimulatedWorld.beginning)
  private let disk = SimulatedDisk(id: JournalSample.journalID)
  private var opened: Opened?

  func open(_ plan: JournalPlan) {
    opened?.process.kill()
    let process = SimulatedProcess(JournalSample.signer, in: host)
    let place = FaultPlace(process: process.name, site: "journal", ordinal: plan.number)
    let faults = plan.happening.map { [Fault(place: place, channel: .journal, happening: $0)] } ?? []
    let gate = FaultGate(FaultPlan(listed: faults), seed: Self.seed, host: host)
    opened = Opened(
      plan: plan, process: process, gate: gate,
      journal: SimulatedJournal(disk, wallet: JournalSample.wallet, host: host, gate: gate, process: process))
  }

  func answer(_ call: JournalCall) -> JournalAnswer {
    guard let opened else { return .died(kept: 0) }
    let (host, plan, journal, heldBefore) = (host, opened.plan, opened.journal, disk.held.count)
    let answer = Mutex<JournalAnswer?>(nil)
    let told = Mutex<[JournalAnswer]?>(nil)
    opened.process.start {
      let came = await call.answer(journal)
      answer.withLock { $0 = came }
    }
    if case .append = call, plan.happening == .hangs, opened.gate.count + 1 == plan.number {
      opened.process.start {
        // In the middle of the ten seconds for which it hangs.
        try? await host.sleep(until: host.now + FaultGate.timeOutMilliseconds / 2)
        let answers = plan.asked.compactMap { try? $0.atOnce(journal) }
        told.withLock { $0 = answers }
      }
    }
    _ = host.run(until: host.now + 60_000, while: { answer.withLock { $0 == nil } })
    guard let came = answer.withLock({ $0 }) else {
      self.opened = nil
      return .died(kept: disk.held.count - heldBefore)
    }
    guard came == .done, let answers = told.withLock({ $0 }) else { return came }
    return .hung(answers)
  }

  func end() { host.unwind() }
}

/// `MemoryJournal`, which knows no deaths.
private final class MemoryStand: JournalStand {
  private var journal = MemoryJournal(id: JournalSample.journalID, wallet: JournalSample.wallet)

  func open(_ plan: JournalPlan) {
    journal = journal.reopened()
    let writes = Mutex(0)
    journal.setFault { _ in
      let number = writes.withLock { writes in
        writes += 1
        return writes
      }
      guard number == plan.number, let happening = plan.happening else { return nil }
      return happening == .answerIsLost ? .unknown : .notDone
    }
  }

  func answer(_ call: JournalCall) async -> JournalAnswer { await call.answer(journal) }

  func end() {}
}
