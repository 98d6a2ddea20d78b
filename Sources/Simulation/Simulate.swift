import ArgumentParser
import FoundationEssentials
import Glibc

/// The simulator, as a program.
public enum SimulateProgram {
  /// Sets of Swift have another order in each process, unless this is set before it starts; then they replay too.
  private static let fixedOrder = "SWIFT_DETERMINISTIC_HASHING"

  /// Runs the command that the process was called with, and ends the process.
  public static func main() -> Never {
    if getenv(fixedOrder) == nil {
      setenv(fixedOrder, "1", 1)
      // The same program anew, with the same arguments; only where that fails this one goes on.
      execv("/proc/self/exe", CommandLine.unsafeArgv)
    }
    Simulate.main()
    exit(0)
  }
}

extension WorldKind: ExpressibleByArgument {}
extension Life: ExpressibleByArgument {}

/// Runs schedules of the deterministic simulator and tells what was found (DESIGN.md, "The two laws").
struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Runs the real workers in simulated worlds, and looks for a broken law.")

  @Option(help: "The seed of the first schedule; the others follow it.")
  var seed: UInt64 = 1

  @Option(help: "How many random schedules.")
  var schedules = 0

  @Option(help: "Of random worlds only this kind: \(WorldKind.allCases.map(\.rawValue).joined(separator: ", ")).")
  var world: WorldKind?

  @Option(help: "Everything that can happen at single inputs and outputs of one payout's lives: every n-th, 1 for all.")
  var singles: Int?

  @Option(help: "Crashes at pairs of inputs and outputs of one payout's life: every n-th pair, 1 for all.")
  var pairs: Int?

  @Option(help: "Only this life (default: all for --singles, happy for --pairs); may be repeated for --singles.")
  var life: [Life] = []

  @Option(help: "Of every n-th the ones from this on: the shares from 0 to n - 1 are everything, each once.")
  var share = 0

  @Flag(help: "Of pairs run only the first crashes, and tell how many pairs there are.")
  var count = false

  @Option(help: "How many schedules run at once, up to the number of processors.")
  var jobs = 1

  @Option(help: "A schedule's text, as a failing one was told.")
  var replay: String?

  @Flag(inversion: .prefixedNo, help: "Look for the shortest schedule that fails like the worst failing one.")
  var shrink = true

  @Flag(help: "Tell the story of the first failing schedule, or of the only one.")
  var story = false

  func validate() throws {
    guard min(singles ?? 1, pairs ?? 1, jobs) >= 1, min(schedules, share) >= 0 else {
      throw ValidationError("--singles, --pairs and --jobs are at least 1, --schedules and --share at least 0")
    }
    guard schedules > 0 || singles != nil || pairs != nil || replay != nil else {
      throw ValidationError("nothing to run: give --schedules, --singles, --pairs or --replay")
    }
    guard share < (singles ?? pairs ?? 1), singles == nil || pairs == nil else {
      throw ValidationError("--share is less than the number of --singles or --pairs, one of which is given")
    }
    guard let root = (1...).first(where: { $0 * $0 >= pairs ?? 1 }), root * root == pairs ?? 1 else {
      throw ValidationError("--pairs takes a square, such as 1, 100 or 1600: its root thins the first crashes out")
    }
    guard pairs == nil || life.count <= 1, life.isEmpty || singles != nil || pairs != nil else {
      throw ValidationError("--life chooses for --singles, and one life for --pairs")
    }
    guard !count || pairs != nil else { throw ValidationError("--count counts --pairs") }
  }

  func run() throws {
    guard StrayJobs.watch() else {
      throw StrayTasks(text: "the runtime does not tell of tasks outside of all processes")
    }
    let runner = Runner(jobs: jobs)
    let began = ContinuousClock.now
    let campaigns = try campaigns()
    let isOnlyOne = story && campaigns.map(\.units) == [1]
    // What was found until then is told also where a world cannot be run.
    let result = Result { for campaign in campaigns { try runner.run(campaign, isRecording: isOnlyOne) } }
    let tally = runner.tally
    report(tally, since: began)
    try result.get()
    if StrayJobs.count > 0 {
      throw StrayTasks(
        text: "\(StrayJobs.count) jobs ran outside of all processes: a task was begun without its executor")
    }
    let failures = tally.failures
    let worst = failures.first { $0.outcome.violations.contains(where: ViolationKind.isPayment) } ?? failures.first
    if let worst, shrink, replay == nil { try tellShortest(worst) }
    if tally.failureCount > 0 { throw ExitCode.failure }
  }

  private func campaigns() throws -> [Campaign] {
    var campaigns: [Campaign] = []
    if let singles {
      campaigns.append(.singles(try self.singles(every: singles)))
    }
    if let pairs {
      let systematic = Systematic(
        seed: seed, share: .init(every: pairs, from: share), lives: life.isEmpty ? [.happy] : life)
      campaigns.append(.pairs(systematic, firsts: try systematic.firstCrashes(), isCounting: count))
    }
    if schedules > 0 { campaigns.append(.random(seed: seed, count: schedules, kind: world)) }
    if let replay { campaigns.append(.listed([try JSONDecoder().decode(Schedule.self, from: Data(replay.utf8))])) }
    return campaigns
  }

  private func singles(every: Int) throws -> [Schedule] {
    let lives = life.isEmpty ? Life.allCases : life
    return try Systematic(seed: seed, share: .init(every: every, from: share), lives: lives).singles()
  }

  private func report(_ tally: Tally, since began: ContinuousClock.Instant) {
    print(
      "\(tally.schedules) schedules, \(tally.inputsAndOutputs) inputs and outputs, \(tally.jobs) jobs, "
        + "\(tally.virtualMilliseconds / 1_000) s of virtual time in \(ContinuousClock.now - began)")
    if pairs != nil {
      let run = count ? 0 : tally.schedules - tally.firsts
      print("\(run) pairs run, of \(tally.pairs) that begin with the \(tally.firsts) first crashes of this share")
    }
    for (name, count) in tally.injected.sorted(by: { $0.key < $1.key }) { print("  injected \(name): \(count)") }
    for (name, count) in tally.accidents.sorted(by: { $0.key < $1.key }) { print("  accident \(name): \(count)") }
    for (name, count) in tally.seen.sorted(by: { $0.key < $1.key }) { print("  seen \(name): \(count)") }
    for (name, count) in tally.ends.sorted(by: { $0.key < $1.key }) { print("  payouts \(name): \(count)") }
    print("violations: \(tally.failureCount)")
    for failure in tally.failures {
      print("seed \(failure.schedule.seed), listed \(failure.schedule.plan.listed)")
      failure.outcome.violations.forEach { print("  \($0)") }
    }
    guard story else { return }
    if let first = tally.failures.first {
      first.outcome.injected.forEach { print("  \($0)") }
      first.outcome.accidents.forEach { print("  slot \($0.slot): \($0.accident)") }
      first.outcome.story.forEach { print("  \($0)") }
    } else {
      tally.story.forEach { print($0) }
    }
  }

  /// Shrinks a failing schedule and tells what is left, with the text by which it is replayed.
  private func tellShortest(_ failure: Tally.Failure) throws {
    var shrinker = Shrinker(like: failure.outcome.violations)
    let shortest = try shrinker.shrink(failure.schedule)
    let outcome = try shortest.run()
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    print("the shortest schedule that fails too, of \(shortest.settings.payouts) payouts:")
    outcome.injected.forEach { print("  \($0)") }
    outcome.accidents.forEach { print("  slot \($0.slot): \($0.accident)") }
    outcome.violations.forEach { print("  violation: \($0)") }
    print("simulate --story --replay '\(String(decoding: try encoder.encode(shortest), as: UTF8.self))'")
  }
}
